package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	oldBase = "https://storage.googleapis.com/"
	newBase = "https://files.example.org/files/"
)

// A text with old links, its new form, the change of its first line, and the report about links that stay.
const (
	oldText = "x (" + oldBase + "acme/a.pdf) y\n" + oldBase + "acme2/a.pdf " + oldBase + "acme/begun.pdf\n" +
		oldBase + "acme/gone.pdf, " + oldBase + "acme/gone.pdf.\n" +
		oldBase + "kept/my%20file.pdf " + oldBase + "kept/my file.pdf\n"
	newText = "x (" + newBase + "11) y\n" + oldBase + "acme2/a.pdf " + oldBase + "acme/begun.pdf\n" +
		oldBase + "acme/gone.pdf, " + oldBase + "acme/gone.pdf.\n" +
		newBase + "my%20file.pdf " + newBase + "my%20file.pdf\n"
	firstChange = ":1\n-x (" + oldBase + "acme/a.pdf) y\n+x (" + newBase + "11) y\n"
	linksLeft   = "left: 4 links, which name no file\n  2  " + oldBase + "acme/gone.pdf\n  1  " + oldBase +
		"acme/begun.pdf\n  1  " + oldBase + "acme2/a.pdf\n"
)

// Old links in texts become new ones: on standard input, in files, and in a column of another
// program's database.
func TestImportLinks(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	u := *b.pg
	s := newServer(t, append(servers(b.pg, b.s3), "PUBLIC_URL="+newBase, "IMPORT_TEXTS_URL="+u.DSN())...)
	s.run("token", "list") // makes the tables
	b.sql(t, `insert into files (file_id, size, content_type, filename, account_id) values ('my file.pdf', 1,
		'application/pdf', 'x', 1), ('11', 1, 'application/pdf', 'x', 1)`)
	b.sql(t, `insert into imports (source, account_id, file_id, state, updated) values ('s3://acme/a.pdf', 1, '11', 'done',
		0), ('s3://acme/begun.pdf', 1, '12', 'begun', 0),
		('s3://acme/gone.pdf', 1, '13', 'done', 0)`) // its file was deleted since
	t.Run("standard input", func(t *testing.T) {
		if status, out := s.attempt(t, oldText, "import", "links", "--bucket", "kept"); status != 0 ||
			out != newText+linksLeft {
			t.Errorf("%d %s", status, out)
		}
		if status, out := s.attempt(t, oldText, "import", "links", "--dry-run"); status != 0 ||
			!strings.HasPrefix(out, "standard input"+firstChange+"left: 6 links") {
			t.Errorf("%d %s", status, out)
		}
	})
	t.Run("a file", s.replacesLinksInFile)
	t.Run("a column", func(t *testing.T) { b.replacesLinksInColumn(t, s) })
	t.Run("arguments that are wrong", func(t *testing.T) {
		for _, args := range [][]string{{"--table", "django.Comment"}, {"--column", "text"}, {"--table", "django.Comment",
			"--column", "text", filepath.Join(s.folder, "text")}} {
			if status, out := s.attempt(t, "", append([]string{"import", "links"}, args...)...); status != 2 {
				t.Errorf("%v: %d %s", args, status, out)
			}
		}
		if status, out := s.attempt(t, "", "import", "links", "--table", "django.Comment", "--column", "none"); status != 1 ||
			!strings.Contains(out, "no column none") {
			t.Errorf("%d %s", status, out)
		}
	})
}

func (s *server) replacesLinksInFile(t *testing.T) {
	path := filepath.Join(s.folder, "text")
	if err := os.WriteFile(path, []byte(oldText), 0o640); err != nil {
		t.Fatal(err)
	}
	if status, out := s.attempt(t, "", "import", "links", "--dry-run", path); status != 0 ||
		!strings.HasPrefix(out, path+firstChange+"left: 6 links") {
		t.Errorf("%d %s", status, out)
	}
	if status, out := s.attempt(t, "", "import", "links", "--bucket", "kept", path); status != 0 ||
		out != path+": 3 links\n"+linksLeft {
		t.Errorf("%d %s", status, out)
	}
	got, err := os.ReadFile(path)
	info, _ := os.Stat(path)
	if err != nil || string(got) != newText || info.Mode() != 0o640 {
		t.Errorf("%v %v %s", err, info.Mode(), got)
	}
}

func (b backing) replacesLinksInColumn(t *testing.T, s *server) {
	b.sql(t, `create schema django`)
	b.sql(t, `create table django."Comment" (id bigint primary key, "text" jsonb)`)
	b.sql(t, `insert into django."Comment" select i, jsonb_build_object('t', case when i % 2 = 0 then $1::text else 'no
		link' end) from generate_series(1, 1000) i`, oldText)
	args := []string{"import", "links", "--bucket", "kept", "--table", "django.Comment", "--column", "text"}
	if status, out := s.attempt(t, "", append(args, "--dry-run")...); status != 0 ||
		strings.Count(out, "django.Comment ") != 500 {
		t.Errorf("%d %.300s", status, out)
	}
	if n := b.number(t, `select count(*) from django."Comment" where "text"->>'t' = $1`, oldText); n != 500 {
		t.Errorf("a dry run has left %d of 500", n)
	}
	if status, out := s.attempt(t, "", args...); status != 0 || !strings.Contains(out, "django.Comment 1000: 3 links") {
		t.Errorf("%d %.300s", status, out)
	}
	if n := b.number(t, `select count(*) from django."Comment" where "text"->>'t' = $1`, newText); n != 500 {
		t.Errorf("%d of 500 texts are as they should be", n)
	}
}
