package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/file"
)

// TakeLease gives the upload to holder for ttl if nobody else has it, and returns it as
// it now is. Its epoch fences every commit. If somebody has it, the upload is nil.
func (d *DB) TakeLease(ctx context.Context, id file.ID, holder string, ttl time.Duration) (*file.Upload, error) {
	u, err := d.uploadRow(ctx, d.write, "take lease", `
		update uploads set lease_holder = $2, lease_epoch = lease_epoch + 1, lease_until = {now} + $3
		where id = $1 and state <> 'deleted' and lease_until < {now}
		returning `+uploadColumns, id, holder, ttl.Milliseconds())
	if err == nil {
		// Nobody else can change them any more.
		u.Tails, err = d.tails(ctx, d.write, id)
		return u, err
	}
	if !isNotFound(err) {
		return nil, err
	}
	var state file.State
	err = d.row(ctx, "take lease", `select state from uploads where id = $1`, []any{id}, &state)
	if err == nil && state == file.Deleted {
		err = file.ErrNotFound
	}
	return nil, missing(id, err)
}

// RenewLease keeps the lease for another ttl: file.ErrConflict if it was lost. One that
// was given back stays so: a commit may do that while a renewal is on its way.
func (d *DB) RenewLease(ctx context.Context, id file.ID, epoch int64, ttl time.Duration) error {
	n, err := d.exec(ctx, "renew lease", `
		update uploads set lease_until = case when lease_until = 0 then 0 else {now} + $3 end
		where id = $1 and lease_epoch = $2`, id, epoch, ttl.Milliseconds())
	if err == nil && n == 0 {
		err = lost(file.ErrNotFound)
	}
	return err
}

// GiveLease gives the lease back. A lease that was lost is no error: it is not there.
func (d *DB) GiveLease(ctx context.Context, id file.ID, epoch int64) error {
	_, err := d.exec(ctx, "give lease back", `update uploads set lease_until = 0, lease_holder = '' where id = $1 and lease_epoch = $2`, id, epoch)
	return err
}

// DropLeases ends all leases and chores. Only for a database that this process alone uses: what
// is held there was held by a process that is dead.
func (d *DB) DropLeases(ctx context.Context) error {
	if d.Shared() {
		return errors.New("drop leases: other processes may hold them")
	}
	return d.tx(ctx, "drop leases", func(tx *sql.Tx) error {
		if _, err := exec(ctx, tx, "drop leases", `update uploads set lease_until = 0, lease_holder = '' where lease_until > 0`); err != nil {
			return err
		}
		_, err := exec(ctx, tx, "drop chores", `delete from chores`)
		return err
	})
}

// TakeChore gives one replica the work of that name for ttl; false if another has it,
// or had it less than ttl ago.
func (d *DB) TakeChore(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	n, err := d.exec(ctx, "take chore", `
		insert into chores (name, holder, until) values ($1, $2, {now} + $3)
		on conflict (name) do update set holder = excluded.holder, until = excluded.until
			where chores.until < {now} or chores.holder = excluded.holder`, name, holder, ttl.Milliseconds())
	return n > 0, err
}

// channel carries the ids of uploads whose holder is asked to let go.
const channel = "holdfast_let_go"

// AskLetGo asks the holder of an upload, in whichever process it is, to let it go.
// On SQLite there is no other process, and nothing to do.
func (d *DB) AskLetGo(ctx context.Context, id file.ID) error {
	if !d.Shared() {
		return nil
	}
	_, err := d.exec(ctx, "ask for lease", `select pg_notify($1, $2)`, channel, string(id))
	return err
}

// Listen calls asked for every id that a process is asked to let go, until ctx ends.
// It keeps one connection of its own and makes a new one when that breaks: asking is
// only a courtesy, so what is missed meanwhile does no harm (the asker asks again).
func (d *DB) Listen(ctx context.Context, asked func(file.ID), trouble func(error)) {
	if !d.Shared() {
		return
	}
	for ctx.Err() == nil {
		err := d.listen(ctx, asked)
		if ctx.Err() != nil {
			return
		}
		trouble(fmt.Errorf("listen for lease requests: %w: %w", file.ErrDatabase, err))
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (d *DB) listen(ctx context.Context, asked func(file.ID)) error {
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		asked(file.ID(n.Payload))
	}
}
