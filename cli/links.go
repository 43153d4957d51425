//go:build unix

package cli

import (
	"fmt"

	"holdfast/db"
	"holdfast/file"
)

type linksCommands struct {
	Revoke linksRevokeCommand `cmd:"" help:"Revoke all signed links that a user, programs or forms have made."`
}

type linksRevokeCommand struct {
	Account  int64 `required:"" help:"Number of the account of those who made the links."`
	User     int64 `xor:"maker" required:"" help:"Number of the user whose links end."`
	Services bool  `xor:"maker" required:"" help:"End the links that programs with a service token have made."`
	Forms    bool  `xor:"maker" required:"" help:"End the links that visitors of public forms have made."`
}

// Run ends the links and says how many they were.
func (c *linksRevokeCommand) Run(p *program) error {
	var wrong error
	if c.Account < 1 || c.User < 1 && !c.Services && !c.Forms {
		wrong = wrongArguments("--account and --user must be positive numbers")
	}
	maker := file.LinkMaker{AccountID: c.Account, UserID: c.User}
	switch {
	case c.Services:
		maker.Kind = file.KindService
	case c.Forms:
		maker.Kind = file.KindPublic
	}
	return p.withDatabase(wrong, func(rows *db.DB) error {
		ended, err := rows.EndLinksOf(p.ctx, maker)
		if err == nil {
			_, err = fmt.Fprintf(p.stdout, "links revoked: %d\n", len(ended))
		}
		return err
	})
}
