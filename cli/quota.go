//go:build unix

package cli

import (
	"fmt"
	"io"

	"holdfast/db"
	"holdfast/file"
)

type quotaCommands struct {
	Set   quotaSetCommand   `cmd:"" help:"Give an account a quota of its own."`
	Clear quotaClearCommand `cmd:"" help:"Give an account the default quota, QUOTA_BYTES and QUOTA_FILES."`
	Show  quotaShowCommand  `cmd:"" help:"Show what an account uses, and its quota."`
	List  quotaListCommand  `cmd:"" help:"Show what all accounts use, and their quotas."`
}

// account is the argument that names the account whose quota is shown or set.
type account struct {
	Account int64 `required:"" help:"Number of the account."`
}

func (a account) check() error {
	if a.Account < 1 {
		return wrongArguments("--account must be a positive number")
	}
	return nil
}

type quotaSetCommand struct {
	account
	Bytes *int64 `help:"Bytes that the account may use; 0: no limit. Default: unchanged."`
	Files *int64 `help:"Files that the account may have; 0: no limit. Default: unchanged."`
}

type quotaClearCommand struct{ account }

type quotaShowCommand struct{ account }

type quotaListCommand struct{}

// Run gives an account a quota of its own.
func (c *quotaSetCommand) Run(p *program) error {
	negative := func(n *int64) bool { return n != nil && *n < 0 }
	wrong := c.check()
	if wrong != nil || negative(c.Bytes) || negative(c.Files) || c.Bytes == nil && c.Files == nil {
		wrong = wrongArguments("--account must be a positive number, and --bytes or --files must be given, as 0 or more")
	}
	return p.withDatabase(wrong, func(rows *db.DB) error { return rows.SetQuota(p.ctx, c.Account, c.Bytes, c.Files) })
}

// Run gives an account the default quota.
func (c *quotaClearCommand) Run(p *program) error {
	return p.withDatabase(c.check(), func(rows *db.DB) error { return rows.ClearQuota(p.ctx, c.Account) })
}

// Run prints what one account uses and may use.
func (c *quotaShowCommand) Run(p *program) error {
	return p.withDatabase(c.check(), func(rows *db.DB) error {
		accounts, err := rows.Usages(p.ctx, c.Account-1, 1)
		if err == nil && (len(accounts) == 0 || accounts[0].ID != c.Account) { // it has stored nothing yet
			accounts = []file.AccountUse{{ID: c.Account}}
			accounts[0].Usage, accounts[0].Quota, err = rows.Usage(p.ctx, c.Account)
		}
		if err != nil {
			return err
		}
		return printQuotas(p.stdout, accounts, true)
	})
}

// Run prints what all accounts use and may use.
func (*quotaListCommand) Run(p *program) error {
	const page = 1000
	return p.withDatabase(nil, func(rows *db.DB) error {
		for after := int64(0); ; {
			accounts, err := rows.Usages(p.ctx, after, page)
			if err != nil {
				return err
			}
			if err := printQuotas(p.stdout, accounts, after == 0); err != nil {
				return err
			}
			if len(accounts) < page {
				return nil
			}
			after = accounts[page-1].ID
		}
	})
}

func printQuotas(w io.Writer, accounts []file.AccountUse, head bool) error {
	t := newTable(w)
	if head {
		t.row("ACCOUNT", "BYTES", "OF", "FILES", "OF", "QUOTA")
	}
	limit := func(n int64) string {
		if n == 0 {
			return "no limit"
		}
		return fmt.Sprint(n)
	}
	for _, a := range accounts {
		whose := "for all"
		if a.Own {
			whose = "own"
		}
		t.row(a.ID, a.Usage.Bytes, limit(a.Quota.Bytes), a.Usage.Files, limit(a.Quota.Files), whose)
	}
	return t.flush()
}
