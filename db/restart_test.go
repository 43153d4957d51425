package db

import (
	"context"
	"errors"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"holdfast/file"
	"holdfast/internal/test/badline"
	"holdfast/internal/test/pgtest"
)

// After a restart of PostgreSQL every statement works at once, whatever connections were open before.
func TestPostgresIsRestarted(t *testing.T) {
	server := pgtest.Start(t)
	line := badline.New(t, net.JoinHostPort(server.Host, strconv.Itoa(server.Port)))
	dsn, err := url.Parse(server.DSN())
	noErr(t, err)
	dsn.Host = line.Addr()
	d, err := OpenPostgres(t.Context(), dsn.String())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for name, restart := range map[string]func(){
		"restarted": func() { server.Restart(t) },
		"crashed":   func() { server.Crash(t); server.Restart(t) },
		"cut off":   func() { line.Cut(); noErr(t, line.Restore()) }, // by a pooler or a proxy between us and PostgreSQL
		"sessions ended": func() {
			_, err := d.sql.ExecContext(t.Context(),
				`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname =
					current_database()`)
			noErr(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				fill(t, d)
				restart()
				var after sync.WaitGroup
				for range 12 {
					after.Go(func() {
						u := newUpload()
						u.Sources = nil
						noErr(t, d.CreateUpload(t.Context(), u, "holder", time.Minute))
						_, err := d.UploadRow(t.Context(), u.ID)
						noErr(t, err)
						noErr(t, d.ReleaseLease(t.Context(), u.ID, 1, true))
						_, err = d.Parts(t.Context(), u.ID)
						noErr(t, err)
					})
				}
				after.Wait()
			}
		})
	}
}

// The address, the role and the password are those of the settings, whatever the environment says to PostgreSQL's own
// programs.
func TestPostgresIsThatOfTheSettings(t *testing.T) {
	dsn := pgtest.New(t)
	for name, value := range map[string]string{"PGHOST": "127.0.0.2", "PGPORT": "1", "PGUSER": "nobody",
		"PGPASSWORD": "wrong", "PGDATABASE": "another"} {
		t.Setenv(name, value)
	}
	d, err := OpenPostgres(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	noErr(t, d.Close())
}

// fill opens all connections of the pool; each was used just before it returns.
func fill(t *testing.T, d *DB) {
	t.Helper()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			tx, err := d.sql.BeginTx(t.Context(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = tx.ExecContext(t.Context(), "select pg_sleep(0.1)")
			if err := errors.Join(err, tx.Rollback()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A client that goes away during a query is no fault of the database.
func TestCallersGoAway(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		u := leased(t, d, newUpload())
		for name, do := range map[string]func(context.Context) error{
			"row":  func(ctx context.Context) error { _, err := d.UploadRow(ctx, u.ID); return err },
			"rows": func(ctx context.Context) error { _, err := d.Parts(ctx, u.ID); return err },
			"exec": func(ctx context.Context) error { return d.ReleaseLease(ctx, u.ID, 99, true) },
			"tx":   func(ctx context.Context) error { return d.SetClaim(ctx, u.Fence(), []byte{1}) },
			"ping": d.Ping,
			"commit": func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				return d.tx(ctx, "test", func(*transaction) error { cancel(); return nil })
			},
			"within": func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				return d.tx(ctx, "test", func(tx *transaction) error {
					cancel()
					_, err := exec(ctx, tx, "test", "select 1")
					return err
				})
			},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			if name != "commit" && name != "within" {
				cancel()
			}
			if err := do(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, file.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
		if n := testutil.CollectAndCount(d.metrics.errors); n != 0 {
			t.Errorf("%d operations are counted as failed", n)
		}
		// A timeout is a fault.
		late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		_, err := d.UploadRow(late, u.ID)
		wantErr(t, err, file.ErrDatabase)
		noErr(t, d.SetClaim(t.Context(), u.Fence(), []byte{1}))
	})
}

// A running statement is canceled when its caller goes away.
func TestCallersGoWhileAStatementRuns(t *testing.T) {
	slow := map[bool]string{true: "select count(*) from (select pg_sleep(60)) s",
		false: "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r where n > 0"}
	each(t, func(t *testing.T, d *DB) {
		ctx, cancel := context.WithCancel(t.Context())
		var done atomic.Bool
		var goes sync.WaitGroup
		goes.Go(func() {
			for ; d.sql.Stats().InUse == 0 && !done.Load(); time.Sleep(time.Millisecond) {
			}
			cancel()
		})
		var n int64
		err := d.row(ctx, "test", slow[d.Shared()], nil, &n)
		done.Store(true)
		goes.Wait()
		if !errors.Is(err, context.Canceled) || errors.Is(err, file.ErrUnavailable) {
			t.Error(err)
		}
	})
}

// Input on an idle connection is EOF, or the server's last message.
func TestIdleConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	noErr(t, err)
	defer listener.Close()
	for name, end := range map[string]func(net.Conn) error{
		"closed": net.Conn.Close,
		"a word": func(c net.Conn) error { _, err := c.Write([]byte("E")); return err },
		"reset":  func(c net.Conn) error { return errors.Join(c.(*net.TCPConn).SetLinger(0), c.Close()) },
	} {
		conn, err := net.Dial("tcp", listener.Addr().String())
		noErr(t, err)
		server, err := listener.Accept()
		noErr(t, err)
		if isReadable(conn) {
			t.Errorf("%s: there was something before", name)
		}
		noErr(t, end(server))
		for deadline := time.Now().Add(time.Minute); !isReadable(conn); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: nothing is seen", name)
			}
		}
		conn.Close()
		server.Close()
	}
}

// A reader that waits on a connection, as pgx leaves behind after a slow write, does not block isReadable.
func TestIdleConnectionWithAReader(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	noErr(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	noErr(t, err)
	read := make(chan struct{})
	go func() { defer close(read); _, _ = conn.Read(make([]byte, 1)) }()
	server, err := listener.Accept()
	noErr(t, err)
	defer server.Close()
	looked := make(chan bool)
	go func() {
		for range 1000 { // enough for the reader to wait meanwhile
			if isReadable(conn) {
				looked <- true
			}
			runtime.Gosched()
		}
		looked <- false
	}()
	select {
	case found := <-looked:
		if found {
			t.Error("there was nothing")
		}
	case <-time.After(time.Minute):
		t.Error("it waits for the reader")
	}
	conn.Close()
	<-read
}
