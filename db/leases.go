package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/file"
)

// leaseHeld says that an upload's lease is held. No lease is taken for more than a minute: one that ends later was
// taken before the database's clock was set back. If its holder lives it renews it soon, and until then the epoch
// fences its commits; if it is dead, nobody has to wait until the clock has caught up.
const leaseHeld = `(lease_until between {now} and {now} + 60000)`

// TakeLease gives the upload's lease to holder for ttl if it is free, and returns the upload as it is then. Its
// epoch fences every commit. If another holder has the lease, the returned upload is nil.
func (d *DB) TakeLease(ctx context.Context, id file.ID, holder string, ttl time.Duration) (*file.Upload, error) {
	u, err := d.uploadRow(ctx, d.write, "take lease", `
		update uploads set lease_holder = $2, lease_epoch = lease_epoch + 1, lease_until = {now} + $3
		where id = $1 and state <> 'deleted' and not `+leaseHeld+`
		returning `+uploadColumns, id, holder, ttl.Milliseconds())
	if err == nil {
		// From here on only this holder can change them.
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

// RenewLeases extends all leases of a holder by ttl, and returns the epoch of each. A lease that is not among them
// was lost, or released meanwhile. It locks the rows in the order of lockUploads.
func (d *DB) RenewLeases(ctx context.Context, holder string, ttl time.Duration) (map[file.ID]int64, error) {
	held := make(map[file.ID]int64)
	err := rows(ctx, d.write, "renew leases", d.text(`
		update uploads set lease_until = {now} + $2 where id in (
			select id from uploads where lease_holder = $1 and lease_until > 0 order by id{lock})
		returning id, lease_epoch`), []any{holder, ttl.Milliseconds()}, func(scan func(...any) error) error {
		var id file.ID
		var epoch int64
		err := scan(&id, &epoch)
		held[id] = epoch
		return err
	})
	return held, err
}

// ReleaseLease releases the lease; settled says that its holder has no write to the object's key under way. A lease
// that was lost is no error.
func (d *DB) ReleaseLease(ctx context.Context, id file.ID, epoch int64, settled bool) error {
	set := `lease_until = 0, lease_holder = ''`
	if settled {
		set += settlesLease
	}
	_, err := d.exec(ctx, "give lease back", `update uploads set `+set+` where id = $1 and lease_epoch = $2`, id, epoch)
	return err
}

// DropLeases ends all leases and chores. It is only for a database that no other process uses: all of them belong
// to a process that is dead.
func (d *DB) DropLeases(ctx context.Context) error {
	if d.Shared() {
		return errors.New("drop leases: other processes may hold them")
	}
	return d.tx(ctx, "drop leases", func(tx *transaction) error {
		if _, err := exec(ctx, tx, "drop leases",
			`update uploads set lease_until = 0, lease_holder = '' where lease_until > 0`); err != nil {
			return err
		}
		// The positions of the chores are kept.
		_, err := exec(ctx, tx, "drop chores", `update chores set until = 0, holder = ''`)
		return err
	})
}

// TakeChore gives one replica the chore of that name for ttl, or renews it; false if another replica has it. One that
// ends later than twice the ttl was taken before the database's clock was set back.
func (d *DB) TakeChore(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	n, err := d.exec(ctx, "take chore", `
		insert into chores (name, holder, until) values ($1, $2, {now} + $3)
		on conflict (name) do update set holder = excluded.holder, until = excluded.until
			where chores.holder = excluded.holder or chores.until not between {now} and {now} + 2 * $3`,
		name, holder, ttl.Milliseconds())
	return n > 0, err
}

// channel carries the ids of uploads whose holder is asked to release the lease.
const channel = "holdfast_let_go"

// RequestRelease asks the holder of an upload's lease, in any process, to release it. On SQLite there is no other
// process, so it does nothing.
func (d *DB) RequestRelease(ctx context.Context, id file.ID) error {
	if !d.Shared() {
		return nil
	}
	_, err := d.exec(ctx, "ask for lease", `select pg_notify($1, $2)`, channel, string(id))
	return err
}

// Listen calls asked for every id whose lease this or another process is asked to release, until ctx ends. It has a
// connection of its own and reconnects if that breaks. Requests that are missed meanwhile do no harm: asking is
// only a courtesy, and the asker repeats it.
func (d *DB) Listen(ctx context.Context, asked func(file.ID), trouble func(error)) {
	if !d.Shared() {
		return
	}
	// No retry: listening has no result that would end it, only ctx does.
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
