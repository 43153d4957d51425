package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/test/pgtest"
)

// Tests that run at the same time share the server and see nothing of each other.
func TestNewIsFreshForEach(t *testing.T) {
	for _, name := range []string{"one", "two", "three"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, pgtest.New(t))
			var tables, version int
			one(t, c, "select count(*) from pg_tables where schemaname = 'public'", &tables)
			one(t, c, "select current_setting('server_version_num')::int", &version)
			if tables != 0 {
				t.Errorf("%d tables in a fresh database", tables)
			}
			if version < 150000 {
				t.Errorf("version %d", version)
			}
			if _, err := c.Exec(t.Context(), "create table mine (n int)"); err != nil {
				t.Error(err)
			}
		})
	}
}

// Copies of a template begin with what is in it, which is made once, and see nothing of each other.
func TestTemplate(t *testing.T) {
	filled := 0
	template := pgtest.Template{Fill: func(dsn string) error {
		filled++
		c, err := pgx.Connect(context.Background(), dsn)
		if err != nil {
			return err
		}
		defer c.Close(context.Background())
		_, err = c.Exec(context.Background(), "create table filled as select 1 as n")
		return err
	}}
	for range 3 {
		c := connect(t, template.New(t))
		var n int
		one(t, c, "select count(*) from filled", &n)
		if _, err := c.Exec(t.Context(), "insert into filled values (2)"); err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
	}
	if filled != 1 {
		t.Errorf("filled %d times", filled)
	}
}

// The database goes down, and comes back with its data.
func TestStopAndRestart(t *testing.T) {
	s := pgtest.Start(t)
	c := connect(t, s.DSN())
	if _, err := c.Exec(t.Context(), "create table kept as select 42 as n"); err != nil {
		t.Fatal(err)
	}

	s.Stop(t)
	if err := c.Ping(t.Context()); err == nil {
		t.Error("an open connection survived Stop")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if c, err := pgx.Connect(ctx, s.DSN()); err == nil {
		c.Close(ctx)
		t.Error("a stopped server accepted a connection")
	}

	s.Restart(t)
	var n int
	one(t, connect(t, s.DSN()), "select n from kept", &n)
	if n != 42 {
		t.Errorf("n = %d", n)
	}
	s.Stop(t)
	s.Restart(t) // works with a running server, too
}

func TestPasswordIsChecked(t *testing.T) {
	s := pgtest.Start(t)
	wrong := *s
	wrong.Password = "wrong"
	if c, err := pgx.Connect(t.Context(), wrong.DSN()); err == nil {
		c.Close(t.Context())
		t.Error("a wrong password was accepted")
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func one(t *testing.T, c *pgx.Conn, query string, into any) {
	t.Helper()
	if err := c.QueryRow(t.Context(), query).Scan(into); err != nil {
		t.Fatal(err)
	}
}
