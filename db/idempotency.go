package db

import (
	"context"
	"fmt"
	"time"

	"holdfast/file"
)

// taken says that the upload u has a right to its key: it is a file, or somebody is sending
// it. One that failed has not, so the next try may take the key over.
const taken = `(u.state = 'recorded' or u.state <> 'deleted' and u.lease_until >= {now})`

// CreateKeyedUpload is CreateUpload, and has the upload stand for its creator's key for
// so long. The error is file.ErrInFlight if another one stands for it: the same request
// came twice, and the other one was faster.
func (d *DB) CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration, key string,
	keep time.Duration) error {
	return d.tx(ctx, "create upload", func(tx *transaction) error {
		owner := u.Creator.Principal()
		// This locks the key, or waits for who did. Only the next statement sees what that one
		// has committed: PostgreSQL gives each its own view of other tables.
		var holds file.ID
		err := row(ctx, tx, "take key", d.text(`
			insert into idempotency_keys (owner, key, upload_id, expires) values ($1, $2, $3, {now} + $4)
			on conflict (owner, key) do update set owner = excluded.owner returning upload_id`),
			[]any{owner, key, u.ID, keep.Milliseconds()}, &holds)
		if err != nil {
			return err
		}
		if holds != u.ID {
			n, err := exec(ctx, tx, "take key", d.text(`
				update idempotency_keys set upload_id = $3, expires = {now} + $4
				where owner = $1 and key = $2
					and (expires < {now} or not exists (select 1 from uploads u where u.id = upload_id and `+taken+`))`),
				owner, key, u.ID, keep.Milliseconds())
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("take key: %w", file.ErrInFlight)
			}
		}
		return d.createUpload(ctx, tx, u, holder, lease)
	})
}

// DropOldKeys forgets the keys that stand for nothing any more.
func (d *DB) DropOldKeys(ctx context.Context) error {
	_, err := d.exec(ctx, "drop old keys", `delete from idempotency_keys where expires < {now}`)
	return err
}

// Keyed finds the upload that stands for a key of who; file.ErrNotFound if none does.
func (d *DB) Keyed(ctx context.Context, who file.Identity, key string) (*file.Upload, error) {
	return d.uploadRow(ctx, d.sql, "read key", `select `+uploadColumns+` from uploads u
		where id = (select upload_id from idempotency_keys k where k.owner = $1 and k.key = $2 and k.expires >= {now})
		and `+taken,
		who.Principal(), key)
}
