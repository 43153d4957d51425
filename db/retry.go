package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/file"
)

// OnFull sets the function that is called when SQLite's disk is full. relief makes room, and reports whether it
// made any. Call OnFull before the database is used.
func (d *DB) OnFull(relief func() bool) { d.relief = relief }

// retry runs a statement or a transaction. It retries if the first attempt changed nothing and another one may
// succeed: once if the disk was full and now there is room, or PostgreSQL has closed the connection; more often if
// PostgreSQL ended it because it and another one waited for each other. All retries of this package are made here.
func (d *DB) retry(ctx context.Context, do func() error) error {
	err := do()
	if ended(err) {
		d.dropIdle() // they may be closed as well
		return do()
	}
	for pause := deadlockPause; hasCode(err, deadlock) && pause < deadlockPause<<deadlockRetries; pause *= 2 {
		if !sleep(ctx, pause/2+rand.N(pause/2)) {
			return err
		}
		err = do()
	}
	if !errors.Is(err, file.ErrNoSpace) || d.Shared() {
		return err
	}
	// A delete needs disk space too, so on a full disk nothing could be freed by deleting. Truncating the WAL
	// gives back the space that it takes.
	_, restarted := exec(ctx, d.write, "empty log", "pragma wal_checkpoint(truncate)")
	relieved := d.relief != nil && d.relief()
	if restarted != nil && !relieved {
		return err
	}
	return do()
}

// The other transaction of a deadlock gets its row only when it runs again. Without a pause the one that was ended
// could be faster, lock the row a second time, and be ended again.
const (
	deadlockRetries = 4
	deadlockPause   = 20 * time.Millisecond // at most; doubled after each retry
)

// sleep reports false if ctx ends before the time is over.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// errCommit marks an error of COMMIT: the transaction may be committed all the same.
var errCommit = errors.New("commit")

// ended reports whether PostgreSQL certainly did not execute a statement because it closed the connection: nothing
// was sent, or its last message was that an administrator terminated the session, which rolls back a running
// transaction. A connection that breaks without such a message proves nothing: the statement may have been
// executed.
func ended(err error) bool {
	if err == nil || errors.Is(err, errCommit) {
		return false
	}
	return pgconn.SafeToRetry(err) || hasCode(err, adminShutdown)
}

// Error codes of PostgreSQL, from its appendix A.
const (
	adminShutdown = "57P01"
	deadlock      = "40P01" // the transaction is rolled back, also if it was found by COMMIT
)

func hasCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}

// dropIdle closes the idle connections.
func (d *DB) dropIdle() {
	d.sql.SetMaxIdleConns(-1)
	d.sql.SetMaxIdleConns(postgresConnections)
}
