package db

import (
	"database/sql"
	"os"
	"regexp"
	"strings"
	"testing"

	"holdfast/internal/test/pgtest"
)

// The Python service can be put back: after the statements of docs/MIGRATING.md, alembic accepts a database that we
// created, and one that we took over at an older step, as one of its own at the last step. The table is as alembic
// creates it.
func TestBackToThePythonService(t *testing.T) {
	guide, err := os.ReadFile("../docs/MIGRATING.md")
	if err != nil {
		t.Fatal(err)
	}
	statements := regexp.MustCompile("(?s)```sql\n(.*?)```").FindSubmatch(guide)
	if statements == nil {
		t.Fatal("docs/MIGRATING.md has no statements")
	}
	for before, made := range map[string]string{"": "ours",
		`create table alembic_version (version_num varchar(32) primary key);
		insert into alembic_version values ('4ba2db086f19')`: "an older step"} {
		dsn := pgtest.New(t)
		raw, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		if _, err := raw.Exec(before); err != nil {
			t.Fatal(err)
		}
		d, err := OpenPostgres(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
		if _, err := raw.Exec(string(statements[1])); err != nil {
			t.Fatal(made, err)
		}
		var version, columns string
		if err := raw.QueryRow(`select string_agg(version_num, ' ') from alembic_version`).Scan(&version); err != nil {
			t.Fatal(err)
		}
		if version != "5ba2db086f1a" {
			t.Errorf("%s: alembic is at %q", made, version)
		}
		if err := raw.QueryRow(`select string_agg(column_name || ' ' || data_type || ' ' || is_nullable,
			',' order by ordinal_position)
			from information_schema.columns where table_name = 'files'`).Scan(&columns); err != nil {
			t.Fatal(err)
		}
		if want := "file_id character varying NO,size bigint NO,content_type character varying NO,filename character " +
			"varying NO," +
			"user_id integer YES,account_id integer NO,created_at timestamp with time zone NO,"; !strings.HasPrefix(columns,
			want) {
			t.Errorf("%s: %s", made, columns)
		}
	}
}
