//go:build unix

package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/auth"
	"holdfast/db"
	"holdfast/file"
)

func newToken(p *program) *cobra.Command {
	return parent("token", "Make, list and revoke local tokens.", newTokenCreate(p), newTokenList(p), newTokenRevoke(p))
}

type tokenCreateCommand struct {
	user, account int64
	service       bool
	groups        []string
	ttl           time.Duration
	endless       bool // there is no --ttl
	name          string
}

func newTokenCreate(p *program) *cobra.Command {
	var create tokenCreateCommand
	c := &cobra.Command{
		Use:   "create --account ID (--user ID | --service) [flags]",
		Short: "Make a token and print it. It is not shown again.",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			create.endless = !c.Flags().Changed("ttl")
			return create.run(p)
		},
	}
	flags := c.Flags()
	flags.Int64Var(&create.user, "user", 0, "`ID` of the user.")
	flags.Int64Var(&create.account, "account", 0, "`ID` of the account.")
	flags.BoolVar(&create.service, "service", false,
		"For a program of the account: it may read, grant and delete all its files.")
	flags.StringArrayVar(&create.groups, "group", nil, "A `GROUP` of the user, which grants may name. May be repeated.")
	flags.DurationVar(&create.ttl, "ttl", 0,
		"How long the token is valid, a `DURATION` such as 24h. Default: until it is revoked.")
	flags.StringVar(&create.name, "name", "", "A `NAME`, shown by list.")
	requireFlags(c, "account")
	return c
}

func newTokenList(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all tokens, without their texts.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return listTokens(p) },
	}
}

func newTokenRevoke(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke a token.",
		Long: `Revoke a token.

ID is the token's, as list shows it.`,
		Args: arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.withDatabase(nil, func(rows *db.DB) error { return rows.RevokeToken(p.ctx, args[0]) })
		},
	}
}

// run makes a token. Like all token commands it may run beside the service, and also before its first start.
func (c *tokenCreateCommand) run(p *program) error {
	fresh, wrong := c.token(time.Now())
	return p.withNewDatabase(wrong, func(rows *db.DB) error {
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
	case c.service && (c.user != 0 || len(c.groups) > 0):
		return file.Token{}, wrongArguments("--service can't be combined with --user or --group")
	case !c.service && c.user < 1 || c.account < 1 || !c.endless && c.ttl <= 0:
		return file.Token{},
			wrongArguments("--account and either --user or --service are required; numbers and --ttl must be positive")
	case max(c.account, c.user) > file.MaxNumber:
		return file.Token{}, wrongArguments("--account and --user must be at most %d", file.MaxNumber)
	case slices.ContainsFunc(c.groups, func(name string) bool { return !file.ValidGroup(name) }):
		return file.Token{}, wrongArguments("--group must be a name of 1 to %d bytes", file.MaxGroupName)
	case !file.ValidTokenName(c.name):
		return file.Token{}, wrongArguments("--name must be a name of at most %d bytes without control characters",
			file.MaxTokenName)
	}
	t := file.Token{Name: c.name, UserID: c.user, AccountID: c.account, Groups: c.groups}
	if !c.endless {
		t.ExpiresAt = now.Add(c.ttl)
	}
	return t, nil
}

// listTokens prints all tokens, without their texts.
func listTokens(p *program) error {
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
