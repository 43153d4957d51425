package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Files that texts of another account link to are listed, with either database.
func TestFilesThatOtherAccountsUse(t *testing.T) {
	t.Parallel()
	for name, usePostgres := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBacking(t)
			env := []string{"IMPORT_TEXTS_URL=" + b.pg.DSN()}
			if usePostgres {
				env = append(env, servers(b.pg, b.s3)...)
			}
			testCrossing(t, b, start(t, env...))
		})
	}
}

func testCrossing(t *testing.T, b backing, s *server) {
	send := func(account int, name string) string {
		token := s.run("token", "create", "--user", "1", "--account", fmt.Sprint(account))
		form, header := formOf(t, name, "", []byte("x"))
		a := s.do(t, "POST", "/files/upload", form, header, "Authorization: Bearer "+token)
		var got struct {
			ID string `json:"file_id"`
		}
		if err := json.Unmarshal(a.body, &got); err != nil || a.status != 200 {
			t.Fatal(a, err)
		}
		if name == "public.txt" {
			if a := s.do(t, "PUT", "/files/"+got.ID+"/grants", `{"access": "public"}`,
				"Authorization: Bearer "+token); a.status != 200 {
				t.Fatal(a)
			}
		}
		return got.ID
	}
	logo, own, public := send(1, "logo.png"), send(2, "own.txt"), send(1, "public.txt")
	b.sql(t, `create table texts (id bigint primary key, account_id int, tenant int, "text" text)`)
	add := func(id int, account any, text string) {
		b.sql(t, `insert into texts values ($1, $2::int, 9, $3)`, id, account, text)
	}
	const other = "https://old.example.org/f"
	at := s.base + "/"
	add(1, 2, "![logo]("+at+logo+") and again "+at+logo+".")
	add(2, 2, "mine: "+at+own+", everybody's: "+at+public+", nobody's: "+at+"none")
	add(3, 3, "at the end: "+at+logo+".")
	add(4, 3, other+"/"+strings.Replace(own, "-", "%2d", 1))
	add(5, 1, at+logo)
	add(6, nil, at+logo)
	add(7, 2, "other place: https://evil.example.org/"+logo+" "+at+"%00 "+at+"%zz")
	for i := range 250 { // more than a page
		add(10+i, 4, at+logo)
	}
	list := func(want ...string) func(args ...string) {
		return func(args ...string) {
			t.Helper()
			status, out := s.attempt(t, "", append([]string{"access", "crossing", "--table", "texts", "--column", "text"},
				args...)...)
			var got []string
			for line := range strings.Lines(out) {
				got = append(got, strings.Join(strings.Fields(line), " "))
			}
			if d := cmp.Diff(append([]string{"ACCOUNT FILE LINKED BY TEXTS NAME"}, want...), got); d != "" || status != 0 {
				t.Errorf("%v: %d %s", args, status, d)
			}
		}
	}
	logos := []string{"1 " + logo + " 2 1 logo.png", "1 " + logo + " 3 1 logo.png", "1 " + logo + " 4 250 logo.png"}
	list(append(logos, "1 files are linked from texts of other accounts")...)()
	list(append(logos, "2 "+own+" 3 1 own.txt", "2 files are linked from texts of other accounts")...)("--base", other+"/")
	for want, args := range map[int][]string{2: {"--table", "texts"}, 1: {"--table", "texts", "--column", "text",
		"--account", "none"}} {
		if status, out := s.attempt(t, "", append([]string{"access", "crossing"}, args...)...); status != want {
			t.Errorf("%v: %d %s", args, status, out)
		}
	}
}
