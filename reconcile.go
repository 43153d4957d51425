package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast/config"
	"holdfast/internal/filelock"
	"holdfast/reconcile"
	"holdfast/storage"
)

type reconcileArgs struct {
	Fix           bool  `help:"Repair what is safe: complete the records of other programs, remove what uploads have left over."`
	Deep          bool  `help:"Read all bytes and compare their SHA-256 with the record's."`
	DeleteUnknown bool  `help:"Remove what no row knows and is older than 48 hours. After a database was restored from a backup these are the files since: look first."`
	Account       int64 `help:"Look at this account only."`
	Jobs          int   `default:"4" help:"Files that are read at the same time with --deep."`
	JSON          bool  `name:"json" help:"Lines of JSON; the last one is the summary."`
}

// openBeside opens the parts for a command that runs beside the service. The embedded store
// is the service's own: with it, the service has to be stopped.
func openBeside(ctx context.Context, c config.Config, log *slog.Logger) (_ *parts, err error) {
	p := &parts{}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if c.Storage.Type == config.Embedded {
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			return nil, err
		}
		unlock, err := filelock.Try(filepath.Join(c.DataDir, "lock"))
		if err != nil {
			return nil, fmt.Errorf("the embedded store in %s can be opened by one process: stop the service for this command: %w", c.DataDir, err)
		}
		p.closers = append(p.closers, func() error { unlock(); return nil })
	}
	if p.rows, err = openDatabase(ctx, c); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.rows.Close)
	return p, p.openStore(ctx, c, log)
}

func runReconcile(ctx context.Context, c config.Config, args reconcileArgs, stdout io.Writer, log *slog.Logger) (err error) {
	if args.Account < 0 || args.Jobs < 1 {
		return fmt.Errorf("%w: --account and --jobs must be positive numbers", errMisused)
	}
	p, err := openBeside(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	report := reconcile.Table(stdout)
	if args.JSON {
		report = reconcile.JSON(stdout)
	}
	check := newChecker(c, p)
	check.Report = report
	check.Options = reconcile.Options{Fix: args.Fix, DeleteUnknown: args.DeleteUnknown, Deep: args.Deep, Jobs: args.Jobs, Account: args.Account, Now: time.Now}
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

func newChecker(c config.Config, p *parts) *reconcile.Checker {
	return &reconcile.Checker{Rows: p.rows, Objects: p.objects, Layout: storage.Layout{BucketPrefix: c.Storage.BucketPrefix},
		Options: reconcile.Options{Now: time.Now}}
}

// sweepLeftovers removes, in small steps beside the service, what uploads have left over. The
// function that is returned ends it and waits for that.
func sweepLeftovers(ctx context.Context, c config.Config, p *parts, metrics *reconcile.Metrics, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		check := newChecker(c, p)
		check.Fix, check.Metrics = true, metrics
		check.Sweep(ctx, p.rows, sweepInterval, log)
	}()
	return func() { cancel(); <-done }
}
