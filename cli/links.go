//go:build unix

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/db"
	"holdfast/file"
)

func newLinks(p *program) *cobra.Command {
	return parent("links", "Revoke signed links.", newLinksRevoke(p))
}

type linksRevokeCommand struct {
	account, user   int64
	services, forms bool
}

func newLinksRevoke(p *program) *cobra.Command {
	var revoke linksRevokeCommand
	c := &cobra.Command{
		Use:   "revoke --account ID (--user ID | --services | --forms)",
		Short: "Revoke all signed links that a user, programs or forms have made.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return revoke.run(p) },
	}
	flags := c.Flags()
	flags.Int64Var(&revoke.account, "account", 0, "`ID` of the account of those who made the links.")
	flags.Int64Var(&revoke.user, "user", 0, "`ID` of the user whose links end.")
	flags.BoolVar(&revoke.services, "services", false, "End the links that programs with a service token have made.")
	flags.BoolVar(&revoke.forms, "forms", false, "End the links that visitors of public forms have made.")
	requireFlags(c, "account")
	c.MarkFlagsOneRequired("user", "services", "forms")
	c.MarkFlagsMutuallyExclusive("user", "services", "forms")
	return c
}

// run ends the links and says how many they were.
func (c *linksRevokeCommand) run(p *program) error {
	var wrong error
	if c.account < 1 || c.user < 1 && !c.services && !c.forms {
		wrong = wrongArguments("--account and --user must be positive numbers")
	}
	maker := file.LinkMaker{AccountID: c.account, UserID: c.user}
	switch {
	case c.services:
		maker.Kind = file.KindService
	case c.forms:
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
