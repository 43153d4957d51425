package db

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"

	"holdfast/file"
)

// mostMembers is how many transactions one group has at most.
const mostMembers = 64

// groups commits SQLite's transactions in groups. SQLite has one writer at a time, and each commit writes pages and
// flushes the disk: while one does so, others wait. All that wait become one transaction of SQLite, in which each is a
// savepoint, and one commit makes all of them durable. None returns before that commit.
//
// A group is invisible to its members. They see each other's changes in the order in which they came, as if each had
// been committed alone. A member whose function returns an error, panics, or has no caller any more is rolled back to
// its savepoint. If SQL itself fails within a group, nothing of it is committed, and each member is run alone.
type groups struct {
	write *pool

	mu      sync.Mutex
	waiting []*member // in the order in which they came
	led     bool      // one of the callers runs a group
}

// member is a transaction that waits for its group.
type member struct {
	ctx   context.Context
	doing string
	fn    func(*transaction) error
	begun func(error)   // ends the observation of the wait; nil: it was called
	lead  chan struct{} // gets a value when the member shall lead the next group
	done  chan struct{} // closed when another one's group has run the member

	answer error // of fn; it counts once the group is committed
	fault  any   // what fn has panicked with
	err    error // of the transaction
}

// run runs fn in a transaction, alone or in a group.
func (g *groups) run(ctx context.Context, doing string, fn func(*transaction) error) error {
	_, begun := g.write.begin(ctx, "begin transaction")
	m := &member{ctx: ctx, doing: doing, fn: fn, begun: begun, lead: make(chan struct{}, 1), done: make(chan struct{}),
		err: fmt.Errorf("%s: %w: it was not committed", doing, file.ErrDatabase)}
	if g.join(m) {
		g.leads(m)
		return m.result()
	}
	select {
	case <-m.done:
		return m.result()
	case <-m.lead:
	case <-ctx.Done():
		if g.leave(m) {
			m.start(ctx.Err())
			return m.err
		}
		select { // it is in a group that runs, or leads the next one
		case <-m.done:
			return m.result()
		case <-m.lead:
		}
	}
	g.leads(m)
	return m.result()
}

// join makes m wait, and reports whether it leads: then nobody else does.
func (g *groups) join(m *member) (leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, m)
	leads, g.led = !g.led, true
	return leads
}

// leave ends the waiting of m; false: it waits no more.
func (g *groups) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, m)
	if i < 0 || len(m.lead) > 0 {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	return true
}

// leads waits for the connection, runs m with all that wait by then, and passes the lead on.
func (g *groups) leads(m *member) {
	members := []*member{m}
	defer func() {
		g.passOn()
		for _, other := range members[1:] {
			close(other.done)
		}
	}()
	conn, err := g.write.Conn(m.ctx)
	members = append(members, g.take(m, err == nil)...)
	if err != nil {
		m.start(err)
		return
	}
	missed := g.together(conn, members)
	conn.Close() // preparing needs it
	for _, query := range missed {
		g.write.statement(m.ctx, query)
	}
}

// take removes the leader, and the rest of its group, from those that wait.
func (g *groups) take(leader *member, others bool) (rest []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(m *member) bool { return m == leader })
	if !others {
		return nil
	}
	n := min(len(g.waiting), mostMembers-1)
	rest = slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return rest
}

// passOn lets the first that waits lead the next group.
func (g *groups) passOn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led = len(g.waiting) > 0; g.led {
		g.waiting[0].lead <- struct{}{}
	}
}

// together runs members as one transaction, or each alone if SQL fails in it. It returns queries to be prepared.
func (g *groups) together(conn *sql.Conn, members []*member) (missed []string) {
	missed, again := g.transact(conn, members)
	for i := 0; again && i < len(members); i++ {
		more, _ := g.transact(conn, members[i:i+1])
		missed = append(missed, more...)
	}
	return missed
}

// transact runs members in one transaction of SQLite. again says that SQL failed before the commit, and that each of
// several members has to be run alone.
func (g *groups) transact(conn *sql.Conn, members []*member) (missed []string, again bool) {
	first := members[0].ctx
	if len(members) == 1 && first.Err() != nil {
		members[0].start(first.Err())
		return nil, false
	}
	// No member's end may roll back the others.
	begun, err := conn.BeginTx(context.WithoutCancel(first), nil)
	for _, m := range members {
		m.start(err)
	}
	if err != nil {
		return nil, false
	}
	defer begun.Rollback()
	tx := &transaction{Tx: begun, pool: g.write, uninterrupted: true}
	if len(members) == 1 {
		if members[0].try(tx); members[0].failed() {
			members[0].err = members[0].answer
			return nil, false
		}
	} else {
		for _, m := range members {
			if !m.save(tx) {
				return nil, true
			}
		}
	}
	if !g.commit(begun, members) {
		// SQLite's transaction may still be open. If it is not, this is refused.
		_, _ = conn.ExecContext(context.WithoutCancel(first), "rollback")
	}
	return tx.missed, false
}

// commit commits a group's transaction, and gives each member its result.
func (g *groups) commit(begun *sql.Tx, members []*member) (committed bool) {
	ends := make([]func(error), len(members))
	for i, m := range members {
		_, ends[i] = g.write.begin(m.ctx, "commit transaction") // includes the flush to disk
	}
	err := begun.Commit()
	for i, m := range members {
		failed := wrap(context.WithoutCancel(m.ctx), m.doing, err)
		ends[i](failed)
		if m.err = m.answer; failed != nil && !m.failed() {
			m.err = fmt.Errorf("%w: %w", errCommit, failed)
		}
	}
	return err == nil
}

// start ends the wait for a transaction. If that failed, it is the member's result.
func (m *member) start(err error) {
	err = wrap(m.ctx, m.doing, err)
	if err != nil {
		m.err, m.fault = err, nil
	}
	if m.begun != nil {
		m.begun(err)
		m.begun = nil
	}
}

// try calls the member's function. Its changes count only if its caller waits for them to the end.
func (m *member) try(tx *transaction) {
	m.fault = nil
	defer func() { m.fault = recover() }()
	if m.answer = m.fn(tx); m.answer == nil {
		m.answer = wrap(m.ctx, m.doing, m.ctx.Err())
	}
}

// failed reports whether the changes of the member's function must be undone.
func (m *member) failed() bool { return m.answer != nil || m.fault != nil }

// save is try within a savepoint. It returns false if that is gone: some faults make SQLite roll back everything.
func (m *member) save(tx *transaction) bool {
	if m.answer = wrap(m.ctx, m.doing, m.ctx.Err()); m.answer != nil {
		return true
	}
	ctx := context.WithoutCancel(m.ctx)
	if _, err := tx.ExecContext(ctx, "savepoint member"); err != nil {
		return false
	}
	if m.try(tx); m.failed() {
		if _, err := tx.ExecContext(ctx, "rollback to member"); err != nil {
			return false
		}
	}
	_, err := tx.ExecContext(ctx, "release member")
	return err == nil
}

// result returns the member's error, or panics as its function did.
func (m *member) result() error {
	if m.fault != nil {
		panic(m.fault)
	}
	return m.err
}
