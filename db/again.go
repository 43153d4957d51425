package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/file"
)

// OnFull has relief called when SQLite finds its disk full: to make room, and to say whether there
// was any to be made. It is called before the database is used.
func (d *DB) OnFull(relief func() bool) { d.relief = relief }

// again runs a statement or a transaction, and once more where the first try has changed nothing and the second may
// go well: the disk was full and there is room now, or PostgreSQL has ended the connection. Every retry of this
// package is made here.
func (d *DB) again(ctx context.Context, do func() error) error {
	err := do()
	if ended(err) {
		d.dropIdle() // they may have been ended, too
		return do()
	}
	if !errors.Is(err, file.ErrNoSpace) || d.Shared() {
		return err
	}
	// To delete something takes room, too, and who can't delete can't make any. What the log of changes takes may
	// be had again: it is written anew from its beginning.
	_, restarted := exec(ctx, d.write, "empty log", "pragma wal_checkpoint(truncate)")
	relieved := d.relief != nil && d.relief()
	if restarted != nil && !relieved {
		return err
	}
	return do()
}

// errCommit marks the failure of a COMMIT, which may have been done all the same.
var errCommit = errors.New("commit")

// ended reports whether PostgreSQL did not execute a statement because it ends the connection: nothing was sent, or
// its last word was that an administrator ended the session, which rolls a running transaction back. A connection
// that breaks without a word proves nothing: the statement may have been executed.
func ended(err error) bool {
	const adminShutdown = "57P01" // PostgreSQL, appendix A
	var pg *pgconn.PgError
	if err == nil || errors.Is(err, errCommit) {
		return false
	}
	return pgconn.SafeToRetry(err) || errors.As(err, &pg) && pg.Code == adminShutdown
}

// dropIdle closes the connections that are not in use.
func (d *DB) dropIdle() {
	d.sql.SetMaxIdleConns(-1)
	d.sql.SetMaxIdleConns(postgresConnections)
}
