package admin

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"holdfast/file"
)

// QuotaRows keeps what accounts may use in SQL.
type QuotaRows interface {
	Usages(ctx context.Context, after int64, limit int) ([]file.AccountUse, error)
	Usage(ctx context.Context, accountID int64) (file.Usage, file.Quota, error)
}

// ListQuotas prints what all accounts use and may use.
func ListQuotas(ctx context.Context, rows QuotaRows, w io.Writer) error {
	const page = 1000
	for after := int64(0); ; {
		accounts, err := rows.Usages(ctx, after, page)
		if err != nil {
			return err
		}
		if err := printQuotas(w, accounts, after == 0); err != nil {
			return err
		}
		if len(accounts) < page {
			return nil
		}
		after = accounts[page-1].ID
	}
}

// ShowQuota prints what one account uses and may use.
func ShowQuota(ctx context.Context, rows QuotaRows, w io.Writer, accountID int64) error {
	usage, quota, err := rows.Usage(ctx, accountID)
	if err != nil {
		return err
	}
	return printQuotas(w, []file.AccountUse{{ID: accountID, Usage: usage, Quota: quota}}, true)
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
