package db

import (
	"context"
	"database/sql"
	"sync"
)

// pool is a pool of connections that keeps statements prepared: SQLite would otherwise parse a query each time,
// which costs more than running it. All queries are constants of this package, so there are few. pgx prepares
// statements by itself.
type pool struct {
	*sql.DB
	*calls
	prepare  bool
	prepared sync.Map // text -> *sql.Stmt
}

// statement returns the prepared query, or nil if it is not to be prepared or preparing it fails: run unprepared,
// the query then reports the error.
func (p *pool) statement(ctx context.Context, query string) *sql.Stmt {
	if !p.prepare {
		return nil
	}
	if s, there := p.prepared.Load(query); there {
		return s.(*sql.Stmt)
	}
	s, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	if first, there := p.prepared.LoadOrStore(query, s); there {
		s.Close()
		return first.(*sql.Stmt)
	}
	return s
}

func (p *pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := p.statement(ctx, query); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return p.DB.ExecContext(ctx, query, args...)
}

func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := p.statement(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return p.DB.QueryContext(ctx, query, args...)
}

func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := p.statement(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, query, args...)
}

// transaction uses the pool's prepared statements. A query that is not prepared yet is prepared after the
// transaction: preparing takes a connection, and the transaction may have the only one.
type transaction struct {
	*sql.Tx
	pool   *pool
	missed []string
	// uninterrupted says that a statement that was begun goes on when its context ends. SQLite rolls back the whole
	// transaction after an interrupt.
	uninterrupted bool
}

// lasting returns the context of a statement.
func (t *transaction) lasting(ctx context.Context) context.Context {
	if !t.uninterrupted || ctx.Err() != nil { // then the statement is not even begun
		return ctx
	}
	return context.WithoutCancel(ctx)
}

func (t *transaction) begin(ctx context.Context, doing string) (context.Context, func(error)) {
	return t.pool.calls.begin(ctx, doing)
}

func (t *transaction) statement(ctx context.Context, query string) *sql.Stmt {
	if s, there := t.pool.prepared.Load(query); there {
		return t.StmtContext(ctx, s.(*sql.Stmt))
	}
	t.missed = append(t.missed, query)
	return nil
}

func (t *transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx = t.lasting(ctx)
	if s := t.statement(ctx, query); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

func (t *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx = t.lasting(ctx)
	if s := t.statement(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

func (t *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = t.lasting(ctx)
	if s := t.statement(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// done prepares the missed queries for the next transaction.
func (t *transaction) done(ctx context.Context) {
	for _, query := range t.missed {
		t.pool.statement(ctx, query)
	}
}
