//go:build unix

package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"holdfast/db"
	"holdfast/file"
)

func newQuota(p *program) *cobra.Command {
	return parent("quota", "Quotas of accounts: show, list, set, clear.",
		newQuotaSet(p), newQuotaClear(p), newQuotaShow(p), newQuotaList(p))
}

func newQuotaSet(p *program) *cobra.Command {
	var account, bytes, files int64
	c := &cobra.Command{
		Use:   "set --account ID [--bytes NUMBER] [--files NUMBER]",
		Short: "Give an account a quota of its own.",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			given := func(name string, n *int64) *int64 {
				if !c.Flags().Changed(name) {
					return nil
				}
				return n
			}
			return setQuota(p, account, given("bytes", &bytes), given("files", &files))
		},
	}
	accountFlag(c, &account)
	c.Flags().Int64Var(&bytes, "bytes", 0, "`NUMBER` of bytes that the account may use; 0: no limit. Default: unchanged.")
	c.Flags().Int64Var(&files, "files", 0, "`NUMBER` of files that the account may have; 0: no limit. Default: unchanged.")
	return c
}

func newQuotaClear(p *program) *cobra.Command {
	var account int64
	c := &cobra.Command{
		Use:   "clear --account ID",
		Short: "Give an account the default quota, QUOTA_BYTES and QUOTA_FILES.",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			return p.withDatabase(checkAccount(account), func(rows *db.DB) error { return rows.ClearQuota(p.ctx, account) })
		},
	}
	accountFlag(c, &account)
	return c
}

func newQuotaShow(p *program) *cobra.Command {
	var account int64
	c := &cobra.Command{
		Use:   "show --account ID",
		Short: "Show what an account uses, and its quota.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return showQuota(p, account) },
	}
	accountFlag(c, &account)
	return c
}

func newQuotaList(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show what all accounts use, and their quotas.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return listQuotas(p) },
	}
}

// accountFlag adds the flag that names the account whose quota is shown or set.
func accountFlag(c *cobra.Command, account *int64) {
	c.Flags().Int64Var(account, "account", 0, "`ID` of the account.")
	requireFlags(c, "account")
}

func checkAccount(account int64) error {
	if account < 1 {
		return wrongArguments("--account must be a positive number")
	}
	return nil
}

// setQuota gives an account a quota of its own. What is nil stays as it is.
func setQuota(p *program, account int64, bytes, files *int64) error {
	negative := func(n *int64) bool { return n != nil && *n < 0 }
	wrong := checkAccount(account)
	if wrong != nil || negative(bytes) || negative(files) || bytes == nil && files == nil {
		wrong = wrongArguments("--account must be a positive number, and --bytes or --files must be given, as 0 or more")
	}
	if account > file.MaxNumber { // show and clear take such numbers: earlier versions have set quotas for them
		wrong = wrongArguments("--account must be at most %d", file.MaxNumber)
	}
	return p.withDatabase(wrong, func(rows *db.DB) error { return rows.SetQuota(p.ctx, account, bytes, files) })
}

// showQuota prints what one account uses and may use.
func showQuota(p *program, account int64) error {
	return p.withDatabase(checkAccount(account), func(rows *db.DB) error {
		accounts, err := rows.Usages(p.ctx, account-1, 1)
		if err == nil && (len(accounts) == 0 || accounts[0].ID != account) { // it has stored nothing yet
			accounts = []file.AccountUse{{ID: account}}
			accounts[0].Usage, accounts[0].Quota, err = rows.Usage(p.ctx, account)
		}
		if err != nil {
			return err
		}
		return printQuotas(p.stdout, accounts, true)
	})
}

// listQuotas prints what all accounts use and may use.
func listQuotas(p *program) error {
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
