package importer

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"holdfast/file"
)

// CrossingRows are the records and grants in SQL. The error is file.ErrNotFound for an id that names no file.
type CrossingRows interface {
	File(ctx context.Context, id file.ID) (file.Record, error)
	Grant(ctx context.Context, id file.ID) (file.Grant, error)
}

// Crossings collects the links in texts of one account to files of another, which only open if the backend may decide
// across accounts. Files that are public open anyway, and are not collected.
type Crossings struct {
	Rows  CrossingRows
	Bases []string // URLs under which files are seen, without trailing slashes

	// Found counts the texts by file and by the account that links to it.
	Found map[Crossing]int

	pattern *regexp.Regexp // of links to files; made by the first Collect
}

// Crossing is a file that texts of another account link to.
type Crossing struct {
	File  file.ID
	Name  string
	Owner int64 // account of the file
	By    int64 // account of the texts
}

// idPattern matches an id in a link: the characters that Django's own pattern allows.
const idPattern = `/([a-zA-Z0-9_.%-]+)`

func (c *Crossings) begin() {
	bases := make([]string, len(c.Bases))
	for i, base := range c.Bases {
		bases[i] = regexp.QuoteMeta(base)
	}
	c.pattern, c.Found = regexp.MustCompile("(?:"+strings.Join(bases, "|")+")"+idPattern), map[Crossing]int{}
}

// Collect adds the links of a text that belongs to this account.
func (c *Crossings) Collect(ctx context.Context, text string, account int64) error {
	if c.pattern == nil {
		c.begin()
	}
	inText := map[Crossing]bool{}
	for _, m := range c.pattern.FindAllStringSubmatch(text, -1) {
		rec, err := c.find(ctx, m[1])
		if errors.Is(err, file.ErrNotFound) || err == nil && rec.AccountID == account {
			continue
		}
		if err != nil {
			return err
		}
		grant, err := c.Rows.Grant(ctx, rec.ID)
		if err != nil {
			return err
		}
		if grant.Access != file.Public {
			inText[Crossing{rec.ID, rec.Name, rec.AccountID, account}] = true
		}
	}
	for crossing := range inText {
		c.Found[crossing]++
	}
	return nil
}

// find returns the record of an id as a link has it. A dot behind it may end the sentence.
func (c *Crossings) find(ctx context.Context, written string) (rec file.Record, err error) {
	for _, w := range []string{written, strings.TrimRight(written, ".")} {
		err = file.ErrNotFound
		for _, name := range spellings(w) {
			id, invalid := file.ParseID(name)
			if invalid != nil {
				continue
			}
			if rec, err = c.Rows.File(ctx, id); !errors.Is(err, file.ErrNotFound) {
				return rec, err
			}
		}
	}
	return rec, err
}
