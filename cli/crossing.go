//go:build unix

package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/db"
	"holdfast/importer"
)

func newAccess(p *program) *cobra.Command {
	return parent("access", "Find out who may read what.", newCrossing(p))
}

type crossingCommand struct {
	table, column, account string
	bases                  []string
}

func newCrossing(p *program) *cobra.Command {
	var crossing crossingCommand
	c := &cobra.Command{
		Use:   "crossing --table TABLE --column COLUMN [flags]",
		Short: "List files that texts of other accounts link to.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return crossing.run(p) },
	}
	flags := c.Flags()
	flags.StringVar(&crossing.table, "table", "", "`TABLE` in the database of IMPORT_TEXTS_URL.")
	flags.StringVar(&crossing.column, "column", "", "`COLUMN` of that table with texts that contain links, or with links.")
	flags.StringVar(&crossing.account, "account", "account_id", "`COLUMN` of that table with the account of each text.")
	flags.StringSliceVar(&crossing.bases, "base", nil,
		"Further `URL`s of the service's files, besides PUBLIC_URL. May be repeated.")
	requireFlags(c, "table", "column")
	return c
}

// run prints a line for each file and each other account that links to it.
func (c *crossingCommand) run(p *program) error {
	settings, err := p.settings()
	if err != nil {
		return err
	}
	if settings.Import.Texts == "" {
		return wrongArguments("IMPORT_TEXTS_URL must be set to the database of the texts")
	}
	base := cmp.Or(settings.PublicURL, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(settings.Port))+"/files")
	found := importer.Crossings{Bases: []string{base}}
	for _, more := range c.bases {
		found.Bases = append(found.Bases, strings.TrimRight(more, "/"))
	}
	texts, err := db.OpenTexts(p.ctx, settings.Import.Texts, c.table, c.column)
	if err != nil {
		return err
	}
	defer texts.Close(context.WithoutCancel(p.ctx))
	err = p.withDatabase(nil, func(rows *db.DB) error {
		found.Rows = rows
		return texts.Read(p.ctx, c.account, found.Bases, func(text string, account int64) error {
			return found.Collect(p.ctx, text, account)
		})
	})
	if err != nil {
		return err
	}
	return printCrossings(p, found.Found)
}

// printCrossings prints what was found, by the accounts of the files.
func printCrossings(p *program, found map[importer.Crossing]int) error {
	files := map[string]bool{}
	t := newTable(p.stdout)
	t.row("ACCOUNT", "FILE", "LINKED BY", "TEXTS", "NAME")
	for _, c := range slices.SortedFunc(maps.Keys(found), func(a, b importer.Crossing) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.File, b.File), cmp.Compare(a.By, b.By))
	}) {
		files[string(c.File)] = true
		t.row(c.Owner, c.File, c.By, found[c], c.Name)
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.stderr, "%d files are linked from texts of other accounts\n", len(files))
	return err
}
