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

	"holdfast/db"
	"holdfast/importer"
)

type accessCommands struct {
	Crossing crossingCommand `cmd:"" help:"List files that texts of other accounts link to."`
}

type crossingCommand struct {
	Table   string   `required:"" help:"Table in the database of IMPORT_TEXTS_URL."`
	Column  string   `required:"" help:"Column of that table with texts that contain links, or with links."`
	Account string   `default:"account_id" help:"Column of that table with the account of each text."`
	Base    []string `help:"Further URLs of the service's files, besides PUBLIC_URL." placeholder:"URL"`
}

// Run prints a line for each file and each other account that links to it.
func (c *crossingCommand) Run(p *program) error {
	settings, err := p.settings()
	if err != nil {
		return err
	}
	if settings.Import.Texts == "" {
		return wrongArguments("IMPORT_TEXTS_URL must be set to the database of the texts")
	}
	base := cmp.Or(settings.PublicURL, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(settings.Port))+"/files")
	found := importer.Crossings{Bases: []string{base}}
	for _, more := range c.Base {
		found.Bases = append(found.Bases, strings.TrimRight(more, "/"))
	}
	texts, err := db.OpenTexts(p.ctx, settings.Import.Texts, c.Table, c.Column)
	if err != nil {
		return err
	}
	defer texts.Close(context.WithoutCancel(p.ctx))
	err = p.withDatabase(nil, func(rows *db.DB) error {
		found.Rows = rows
		return texts.Read(p.ctx, c.Account, found.Bases, func(text string, account int64) error {
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
