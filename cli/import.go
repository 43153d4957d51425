//go:build unix

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/db"
	"holdfast/importer"
	"holdfast/service"
	"holdfast/storage"
	"holdfast/storage/s3"
)

// Help texts of import that are too long for a tag.
const (
	importHelp = "Import files (the default command of import): complete the records that another program wrote, or " +
		"copy the files of a manifest. It can be run again at any time."
	linksHelp = "Rewrite links to the old store in texts: from standard input to standard output, in files, or in a " +
		"column of a PostgreSQL database."
	manifestHelp = "CSV with a header line, or JSON Lines: account, user, source (s3://bucket/key, a URL or a path) or " +
		"bucket and key, id, name, type, created, sha256, size. Without it, the records that another program wrote " +
		"are completed."
)

type importCommands struct {
	Files importFilesCommand `cmd:"" default:"withargs" help:"${import_help}"`
	Links importLinksCommand `cmd:"" help:"${links_help}"`
}

type importFilesCommand struct {
	Manifest string `type:"existingfile" help:"${manifest_help}"`
	Folder   string `type:"existingdir" help:"The folder that the manifest's paths are relative to."`
	Jobs     int    `default:"4" help:"Files at the same time. Each takes 8 MiB of memory."`
	Again    bool   `help:"Import files again that were deleted since an earlier import."`
	DryRun   bool   `help:"Check only; change nothing."`
}

type importLinksCommand struct {
	Files  []string `arg:"" optional:"" type:"existingfile" help:"Files to rewrite in place."`
	Table  string   `help:"Table in the database of IMPORT_TEXTS_URL."`
	Column string   `help:"Column of that table."`
	Host   []string `default:"storage.googleapis.com,storage.cloud.google.com" help:"Hosts of the old store."`
	Bucket []string `help:"Old buckets whose keys were kept as ids."`
	DryRun bool     `help:"Print the changes; change nothing."`
}

// Run completes the records of other programs, or copies what a manifest names.
func (args *importFilesCommand) Run(p *program) (err error) {
	c, err := p.settings()
	if err != nil {
		return err
	}
	if args.Jobs < 1 {
		return wrongArguments("--jobs must be a positive number")
	}
	ctx := p.ctx
	parts, err := service.OpenBeside(ctx, c, p.log(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	show := newImportProgress(p.stdout, p.stderr)
	im := &importer.Importer{Rows: parts.Rows, Objects: parts.Objects,
		Layout: storage.Layout{BucketPrefix: c.Storage.BucketPrefix}, Folder: args.Folder, Proxy: c.Proxies.For,
		Jobs: args.Jobs, DryRun: args.DryRun, Again: args.Again, Now: time.Now, Begin: show.begin, Report: show.report}
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
	if args.Manifest == "" {
		err = im.Heal(ctx)
	} else {
		err = im.Copy(ctx, func() (io.ReadCloser, error) { return os.Open(args.Manifest) })
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

// Run rewrites links in texts, and prints those that stay.
func (args *importLinksCommand) Run(p *program) (err error) {
	c, err := p.settings()
	if err != nil {
		return err
	}
	ctx, stdout := p.ctx, p.stdout
	if (args.Table == "") != (args.Column == "") || args.Table != "" && (len(args.Files) > 0 || c.Import.Texts == "") {
		return wrongArguments("--table and --column belong together, with IMPORT_TEXTS_URL and without files")
	}
	rows, err := p.database(c)
	if err != nil {
		return err
	}
	defer rows.Close()
	base := cmp.Or(c.PublicURL, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port))+"/files")
	links := &importer.Links{Rows: rows, Hosts: args.Host, Kept: args.Bucket, Base: base}
	defer func() { err = errors.Join(err, printLeft(p.stderr, links.Left)) }()
	rewrite := func(name, text string) (string, error) {
		now, changes, err := links.Rewrite(ctx, text)
		if err == nil && args.DryRun {
			err, now = printDiff(stdout, name, text, now), text
		} else if err == nil && len(changes) > 0 && name != "" {
			_, err = fmt.Fprintf(stdout, "%s: %d links\n", name, len(changes))
		}
		return now, err
	}
	switch {
	case args.Table != "":
		texts, err := db.OpenTexts(ctx, c.Import.Texts, args.Table, args.Column)
		if err != nil {
			return err
		}
		defer texts.Close(context.WithoutCancel(ctx))
		return texts.Rewrite(ctx, args.Host, func(key, text string) (string, error) {
			return rewrite(args.Table+" "+key,
				text)
		})
	case len(args.Files) > 0:
		for _, name := range args.Files {
			if err := rewriteFile(name, rewrite); err != nil {
				return err
			}
		}
		return nil
	}
	all, err := io.ReadAll(p.stdin)
	if err != nil {
		return err
	}
	now, err := rewrite("", string(all))
	if err == nil && !args.DryRun {
		_, err = io.WriteString(stdout, now)
	}
	return err
}

// printLeft prints the links that stay, most often found first: their files were not imported, or were deleted since.
func printLeft(w io.Writer, left map[string]int) (err error) {
	if len(left) == 0 {
		return nil
	}
	links, total := slices.Collect(maps.Keys(left)), 0
	for _, n := range left {
		total += n
	}
	slices.SortFunc(links, func(a, b string) int { return cmp.Or(left[b]-left[a], strings.Compare(a, b)) })
	_, err = fmt.Fprintf(w, "left: %d links, which name no file\n", total)
	for _, link := range links {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %d  %s\n", left[link], link)
		}
	}
	return err
}

// rewriteFile replaces a file by its rewritten text, atomically.
func rewriteFile(name string, rewrite func(name, text string) (string, error)) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	now, err := rewrite(name, string(b))
	if err != nil || now == string(b) {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".holdfast-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(now)
	if err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
