//go:build unix

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/reconcile"
	"holdfast/service"
)

type reconcileCommand struct {
	fix, deep, deleteUnknown, json bool
	account                        int64
	jobs                           int
}

func newReconcile(p *program) *cobra.Command {
	var check reconcileCommand
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare database and object store.",
		Long:  "Compare database and object store. Exit status 1 if findings remain.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return check.run(p) },
	}
	flags := c.Flags()
	flags.BoolVar(&check.fix, "fix", false, "Repair safe findings: complete foreign records, remove leftovers, "+
		"end uploads whose bytes are lost.")
	flags.BoolVar(&check.deep, "deep", false, "Read all bytes and compare their SHA-256 with the record's.")
	flags.BoolVar(&check.deleteUnknown, "delete-unknown", false, "Remove objects that no row knows and that are "+
		"older than 48 hours. After a database was restored from a backup, these are the files that came since: "+
		"look at them first.")
	flags.Int64Var(&check.account, "account", 0, "`ID` of an account: check this one only.")
	flags.IntVar(&check.jobs, "jobs", 4, "`NUMBER` of files that are read at the same time with --deep.")
	flags.BoolVar(&check.json, "json", false, "Print lines of JSON; the last one is the summary.")
	return c
}

// run compares database and store, and reports what differs.
func (args *reconcileCommand) run(p *program) (err error) {
	c, err := p.settings()
	if err != nil {
		return err
	}
	ctx, stdout := p.ctx, p.stdout
	if args.account < 0 || args.jobs < 1 {
		return wrongArguments("--account and --jobs must be positive numbers")
	}
	open := service.OpenToRead
	if args.fix || args.deleteUnknown {
		open = service.OpenBeside
	}
	parts, err := open(ctx, c, p.log(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	report := reportTable(stdout)
	if args.json {
		report = reportJSON(stdout)
	}
	check := service.NewChecker(c, parts)
	check.Report = report
	check.Options = reconcile.Options{Fix: args.fix, DeleteUnknown: args.deleteUnknown, Deep: args.deep, Jobs: args.jobs,
		Account: args.account, Now: time.Now}
	if err := check.Run(ctx); err != nil {
		return fmt.Errorf("reconcile, not finished (%s): %w", &check.Summary, err)
	}
	if args.json {
		err = json.NewEncoder(stdout).Encode(map[string]any{"summary": check.Summary})
	} else {
		_, err = fmt.Fprintln(stdout, &check.Summary)
	}
	if err == nil && !check.Summary.Clean() {
		err = fmt.Errorf("reconcile: %d findings are left", check.Summary.Found-check.Summary.Fixed)
	}
	return err
}
