//go:build unix

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"holdfast/reconcile"
	"holdfast/service"
)

const deleteUnknownHelp = "Remove objects that no row knows and that are older than 48 hours. After a database was " +
	"restored from a backup, these are the files that came since: look at them first."

const fixHelp = "Repair safe findings: complete foreign records, remove leftovers, end uploads whose bytes are lost."

type reconcileCommand struct {
	Fix           bool  `help:"${fix_help}"`
	Deep          bool  `help:"Read all bytes and compare their SHA-256 with the record's."`
	DeleteUnknown bool  `help:"${delete_unknown_help}"`
	Account       int64 `help:"Check this account only."`
	Jobs          int   `default:"4" help:"Files that are read at the same time with --deep."`
	JSON          bool  `name:"json" help:"Print lines of JSON; the last one is the summary."`
}

// Run compares database and store, and reports what differs.
func (args *reconcileCommand) Run(p *program) (err error) {
	c, err := p.settings()
	if err != nil {
		return err
	}
	ctx, stdout := p.ctx, p.stdout
	if args.Account < 0 || args.Jobs < 1 {
		return wrongArguments("--account and --jobs must be positive numbers")
	}
	open := service.OpenToRead
	if args.Fix || args.DeleteUnknown {
		open = service.OpenBeside
	}
	parts, err := open(ctx, c, p.log(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	report := reportTable(stdout)
	if args.JSON {
		report = reportJSON(stdout)
	}
	check := service.NewChecker(c, parts)
	check.Report = report
	check.Options = reconcile.Options{Fix: args.Fix, DeleteUnknown: args.DeleteUnknown, Deep: args.Deep, Jobs: args.Jobs,
		Account: args.Account, Now: time.Now}
	if err := check.Run(ctx); err != nil {
		return fmt.Errorf("reconcile, not finished (%s): %w", &check.Summary, err)
	}
	if args.JSON {
		err = json.NewEncoder(stdout).Encode(map[string]any{"summary": check.Summary})
	} else {
		_, err = fmt.Fprintln(stdout, &check.Summary)
	}
	if err == nil && !check.Summary.Clean() {
		err = fmt.Errorf("reconcile: %d findings are left", check.Summary.Found-check.Summary.Fixed)
	}
	return err
}
