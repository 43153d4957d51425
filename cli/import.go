//go:build unix

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/edge"
	"holdfast/importer"
	"holdfast/internal/regular"
	"holdfast/service"
	"holdfast/storage"
	"holdfast/storage/s3"
)

// newImport is import files, which import stands for, with the other commands below it.
func newImport(p *program) *cobra.Command {
	c := newImportFiles(p)
	c.Use, c.Short = "import [COMMAND] [flags]", "Import files from another store."
	c.AddCommand(newImportFiles(p), newImportLinks(p))
	return c
}

type importFilesCommand struct {
	manifest, folder string
	jobs             int
	again, dryRun    bool
}

func newImportFiles(p *program) *cobra.Command {
	var files importFilesCommand
	c := &cobra.Command{
		Use:   "files",
		Short: "Import files (the default command of import).",
		Long: `Import files: complete the records that another program wrote, or copy the files
of a manifest. It can be run again at any time.

A manifest is CSV with a header line, or JSON Lines: account, user, source
(s3://bucket/key, a URL or a path) or bucket and key, id, name, type, created,
sha256, size.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return files.run(p) },
	}
	flags := c.Flags()
	flags.StringVar(&files.manifest, "manifest", "",
		"The manifest, a `FILE`. Without it, the records that another program wrote are completed.")
	flags.StringVar(&files.folder, "folder", "", "The `FOLDER` that the manifest's paths are relative to.")
	flags.IntVar(&files.jobs, "jobs", 4, "`NUMBER` of files at the same time. Each takes 8 MiB of memory.")
	flags.BoolVar(&files.again, "again", false, "Import files again that were deleted since an earlier import.")
	flags.BoolVar(&files.dryRun, "dry-run", false, "Check only; change nothing.")
	return c
}

// run completes the records of other programs, or copies what a manifest names.
func (args *importFilesCommand) run(p *program) (err error) {
	if err := args.check(); err != nil {
		return err
	}
	c, err := p.settings()
	if err != nil {
		return err
	}
	ctx := p.ctx
	parts, err := service.OpenBeside(ctx, c, p.log(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	show := newImportProgress(p.stdout, p.stderr)
	im := &importer.Importer{Rows: parts.Rows, Objects: parts.Objects,
		Layout: storage.Layout{BucketPrefix: c.Storage.BucketPrefix}, Folder: args.folder, Proxy: c.Proxies.For,
		Jobs: args.jobs, DryRun: args.dryRun, Again: args.again, Now: time.Now, Begin: show.begin, Report: show.report,
		Reserved: edge.Reserved(c)}
	if from := c.Import; from.AccessKey != "" {
		kind := s3.Plain
		if from.Google {
			kind = s3.Google
		}
		quirks, _ := kind.Quirks()
		client := s3.New(s3.Options{Proxy: c.Proxies.For, Endpoint: from.Endpoint, Region: from.Region,
			AccessKey: from.AccessKey, SecretKey: from.SecretKey, Quirks: quirks})
		defer client.Close()
		im.From = client
	}
	if args.manifest == "" {
		err = im.Heal(ctx)
	} else {
		err = im.Copy(ctx, func() (io.ReadCloser, error) {
			f, _, err := regular.Open(args.manifest)
			return f, err
		})
	}
	show.end(im.Counts)
	var faults importer.Faults
	switch {
	case errors.As(err, &faults):
		return wrongArguments("%w", err)
	case err != nil:
		return fmt.Errorf("import, not finished: %w", err)
	case im.Counts[importer.Failed] > 0:
		return fmt.Errorf("import: %d files failed; fix the reported causes and run it again", im.Counts[importer.Failed])
	}
	return nil
}

func (args *importFilesCommand) check() error {
	if args.manifest != "" {
		if err := isFile(args.manifest); err != nil {
			return wrongArguments("--manifest: %w", err)
		}
	}
	if args.folder != "" {
		if info, err := os.Stat(args.folder); err != nil {
			return wrongArguments("--folder: %w", err)
		} else if !info.IsDir() {
			return wrongArguments("--folder: %q is no folder", args.folder)
		}
	}
	if args.jobs < 1 {
		return wrongArguments("--jobs must be a positive number")
	}
	return nil
}

// isFile returns an error if there is no file of this name.
func isFile(name string) error {
	info, err := os.Stat(name)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%q is no file", name)
	}
	return err
}
