package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"holdfast/file"
)

type quotaCommands struct {
	Set   quotaSetCommand   `cmd:"" help:"Give an account a quota of its own."`
	Clear quotaClearCommand `cmd:"" help:"Give an account the quota of all, QUOTA_BYTES and QUOTA_FILES."`
	Show  quotaShowCommand  `cmd:"" help:"What an account uses and may use."`
	List  quotaListCommand  `cmd:"" help:"What all accounts use and may use."`
}

type quotaSetCommand struct {
	Account int64  `required:"" help:"Number of the account."`
	Bytes   *int64 `help:"Bytes that it may use; 0: no limit. Without it: as before."`
	Files   *int64 `help:"Files that it may have; 0: no limit. Without it: as before."`
}

type quotaClearCommand struct {
	Account int64 `required:"" help:"Number of the account."`
}

type quotaShowCommand struct {
	Account int64 `required:"" help:"Number of the account."`
}

type quotaListCommand struct{}

// Run gives an account a quota of its own.
func (c *quotaSetCommand) Run(p *program) error {
	settings, err := p.settings()
	if err != nil {
		return err
	}
	negative := func(n *int64) bool { return n != nil && *n < 0 }
	if c.Account < 1 || negative(c.Bytes) || negative(c.Files) || c.Bytes == nil && c.Files == nil {
		return wrongArguments("--account must be a positive number, and --bytes or --files given, 0 or more")
	}
	rows, err := p.database(settings)
	if err != nil {
		return err
	}
	defer rows.Close()
	return rows.SetQuota(p.ctx, c.Account, c.Bytes, c.Files)
}

// Run gives an account the quota of all.
func (c *quotaClearCommand) Run(p *program) error {
	settings, err := p.settings()
	if err != nil {
		return err
	}
	if c.Account < 1 {
		return wrongArguments("--account must be a positive number")
	}
	rows, err := p.database(settings)
	if err != nil {
		return err
	}
	defer rows.Close()
	return rows.ClearQuota(p.ctx, c.Account)
}

// Run prints what one account uses and may use.
func (c *quotaShowCommand) Run(p *program) error {
	settings, err := p.settings()
	if err != nil {
		return err
	}
	if c.Account < 1 {
		return wrongArguments("--account must be a positive number")
	}
	rows, err := p.database(settings)
	if err != nil {
		return err
	}
	defer rows.Close()
	usage, quota, err := rows.Usage(p.ctx, c.Account)
	if err != nil {
		return err
	}
	return printQuotas(p.stdout, []file.AccountUse{{ID: c.Account, Usage: usage, Quota: quota}}, true)
}

// Run prints what all accounts use and may use.
func (*quotaListCommand) Run(p *program) error {
	rows, err := p.openDatabase()
	if err != nil {
		return err
	}
	defer rows.Close()
	const page = 1000
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
}

func printQuotas(w io.Writer, accounts []file.AccountUse, head bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if head {
		fmt.Fprintln(t, "ACCOUNT\tBYTES\tOF\tFILES\tOF\tQUOTA")
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
		fmt.Fprintf(t, "%d\t%d\t%s\t%d\t%s\t%s\n", a.ID, a.Usage.Bytes, limit(a.Quota.Bytes), a.Usage.Files, limit(a.Quota.Files), whose)
	}
	return t.Flush()
}
