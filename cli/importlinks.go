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

	"github.com/spf13/cobra"

	"holdfast/db"
	"holdfast/edge"
	"holdfast/importer"
	"holdfast/internal/regular"
	"holdfast/service"
)

type importLinksCommand struct {
	files          []string
	table, column  string
	hosts, buckets []string
	dryRun         bool
}

func newImportLinks(p *program) *cobra.Command {
	var links importLinksCommand
	c := &cobra.Command{
		Use:   "links [FILE...]",
		Short: "Rewrite links to the old store in texts.",
		Long: `Rewrite links to the old store in texts: from standard input to standard output,
in place in files, or in a column of a PostgreSQL database.`,
		RunE: func(_ *cobra.Command, args []string) error {
			links.files = args
			return links.run(p)
		},
	}
	flags := c.Flags()
	flags.StringVar(&links.table, "table", "", "`TABLE` in the database of IMPORT_TEXTS_URL.")
	flags.StringVar(&links.column, "column", "", "`COLUMN` of that table.")
	flags.StringSliceVar(&links.hosts, "host", []string{"storage.googleapis.com", "storage.cloud.google.com"},
		"`HOST`s of the old store. May be repeated.")
	flags.StringSliceVar(&links.buckets, "bucket", nil, "Old `BUCKET`s whose keys were kept as ids. May be repeated.")
	flags.BoolVar(&links.dryRun, "dry-run", false, "Print the changes; change nothing.")
	return c
}

// run rewrites links in texts, and prints those that stay.
func (args *importLinksCommand) run(p *program) (err error) {
	for _, name := range args.files {
		if err := isFile(name); err != nil {
			return wrongArguments("%w", err)
		}
	}
	c, err := p.settings()
	if err != nil {
		return err
	}
	ctx, stdout := p.ctx, p.stdout
	if (args.table == "") != (args.column == "") || args.table != "" && (len(args.files) > 0 || c.Import.Texts == "") {
		return wrongArguments("--table and --column belong together, with IMPORT_TEXTS_URL and without files")
	}
	rows, err := service.OpenDatabase(ctx, c)
	if err != nil {
		return err
	}
	defer rows.Close()
	base := cmp.Or(c.PublicURL, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port))+"/files")
	links := &importer.Links{Rows: rows, Hosts: args.hosts, Kept: args.buckets, Base: base,
		Reserved: edge.Reserved(c)}
	defer func() { err = errors.Join(err, printLeft(p.stderr, links.Left)) }()
	rewrite := func(name, text string) (string, error) {
		now, changes, err := links.Rewrite(ctx, text)
		if err == nil && args.dryRun {
			err, now = printDiff(stdout, name, text, now), text
		} else if err == nil && len(changes) > 0 && name != "" {
			_, err = fmt.Fprintf(stdout, "%s: %d links\n", name, len(changes))
		}
		return now, err
	}
	switch {
	case args.table != "":
		texts, err := db.OpenTexts(ctx, c.Import.Texts, args.table, args.column)
		if err != nil {
			return err
		}
		defer texts.Close(context.WithoutCancel(ctx))
		return texts.Rewrite(ctx, args.hosts, func(key, text string) (string, error) {
			return rewrite(args.table+" "+key, text)
		})
	case len(args.files) > 0:
		for _, name := range args.files {
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
	if err == nil && !args.dryRun {
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

// rewriteFile replaces a file by its rewritten text, atomically. A symbolic link stays, and leads to the new file.
func rewriteFile(name string, rewrite func(name, text string) (string, error)) error {
	from, info, err := regular.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	b, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	now, err := rewrite(name, string(b))
	if err != nil || now == string(b) {
		return err
	}
	if name, err = filepath.EvalSymlinks(name); err != nil {
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
