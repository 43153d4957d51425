//go:build unix

package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/auth"
	"holdfast/db"
	"holdfast/file"
)

type tokenCommands struct {
	Create tokenCreateCommand `cmd:"" help:"Make a token and print it. It is not shown again."`
	List   tokenListCommand   `cmd:"" help:"List all tokens, without their texts."`
	Revoke tokenRevokeCommand `cmd:"" help:"Revoke a token."`
}

type tokenCreateCommand struct {
	User    int64         `help:"Number of the user."`
	Account int64         `required:"" help:"Number of the account."`
	Service bool          `help:"For a program of the account: it may read, grant and delete all its files."`
	Group   []string      `sep:"none" help:"A group of the user, which grants may name. May be repeated."`
	TTL     time.Duration `name:"ttl" help:"How long the token is valid, such as 24h. Default: until it is revoked."`
	Name    string        `help:"A name, shown by list."`
}

type tokenListCommand struct{}

type tokenRevokeCommand struct {
	ID string `arg:"" help:"Id of the token, see list."`
}

// Run makes a token. Like all token commands it may run beside the service.
func (c *tokenCreateCommand) Run(p *program) error {
	fresh, wrong := c.token(time.Now())
	return p.withDatabase(wrong, func(rows *db.DB) error {
		text, err := auth.IssueToken(p.ctx, rows, fresh)
		if err == nil {
			_, err = fmt.Fprintln(p.stdout, text)
		}
		return err
	})
}

// token returns the token to make, or what is wrong with the arguments.
func (c *tokenCreateCommand) token(now time.Time) (file.Token, error) {
	switch {
	case c.Service && (c.User != 0 || len(c.Group) > 0):
		return file.Token{}, wrongArguments("--service can't be combined with --user or --group")
	case !c.Service && c.User < 1 || c.Account < 1 || c.TTL < 0:
		return file.Token{},
			wrongArguments("--account and either --user or --service are required; numbers and --ttl must be positive")
	case slices.ContainsFunc(c.Group, func(name string) bool { return !file.ValidGroup(name) }):
		return file.Token{}, wrongArguments("--group must be a name of 1 to %d bytes", file.MaxGroupName)
	}
	t := file.Token{Name: c.Name, UserID: c.User, AccountID: c.Account, Groups: c.Group}
	if c.TTL > 0 {
		t.ExpiresAt = now.Add(c.TTL)
	}
	return t, nil
}

// Run prints all tokens, without their texts.
func (*tokenListCommand) Run(p *program) error {
	return p.withDatabase(nil, func(rows *db.DB) error {
		tokens, err := rows.Tokens(p.ctx)
		if err != nil {
			return err
		}
		return printTokens(p.stdout, tokens, time.Now())
	})
}

func printTokens(w io.Writer, tokens []file.Token, now time.Time) error {
	t := newTable(w)
	t.row("ID", "NAME", "USER", "ACCOUNT", "GROUPS", "CREATED", "EXPIRES", "STATE")
	for _, k := range tokens {
		state, expires := "in force", "never"
		if !k.ExpiresAt.IsZero() {
			expires = k.ExpiresAt.Format(time.RFC3339)
			if k.ExpiresAt.Before(now) {
				state = "expired"
			}
		}
		if !k.RevokedAt.IsZero() {
			state = "revoked " + k.RevokedAt.Format(time.RFC3339)
		}
		user := "service"
		if k.UserID != 0 {
			user = strconv.FormatInt(k.UserID, 10)
		}
		t.row(k.ID, k.Name, user, k.AccountID, strings.Join(k.Groups, ","), k.CreatedAt.Format(time.RFC3339), expires, state)
	}
	return t.flush()
}

// Run ends a token.
func (c *tokenRevokeCommand) Run(p *program) error {
	return p.withDatabase(nil, func(rows *db.DB) error { return rows.RevokeToken(p.ctx, c.ID) })
}
