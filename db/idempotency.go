package db

import (
	"context"
	"fmt"
	"time"

	"holdfast/file"
)

// taken says that the upload u keeps its key: it is a file, or it is being sent. An upload that failed does not, so
// a retry may take the key over.
const taken = `(u.state = 'recorded' or u.state <> 'deleted' and ` + leaseHeld + `)`

// CreateKeyedUpload is CreateUpload, and assigns the creator's key to the upload for the time keep. The error is
// file.ErrInFlight if the key is assigned to another upload: the same request was sent twice, and the other one
// came first.
func (d *DB) CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration, key string,
	keep time.Duration) error {
	return d.tx(ctx, "create upload", func(tx *transaction) error {
		owner := u.Creator.Principal()
		// This locks the key, or waits for the transaction that has locked it. Only the next statement sees what
		// that transaction committed: in PostgreSQL each statement has its own snapshot of the other tables.
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

// DropOldKeys deletes expired keys.
func (d *DB) DropOldKeys(ctx context.Context) error {
	_, err := d.exec(ctx, "drop old keys", `delete from idempotency_keys where expires < {now}`)
	return err
}

// Keyed finds the upload to which a principal's key is assigned; the error is file.ErrNotFound if there is none.
func (d *DB) Keyed(ctx context.Context, who file.Identity, key string) (*file.Upload, error) {
	return d.uploadRow(ctx, d.sql, "read key", `select `+uploadColumns+` from uploads u
		where id = (select upload_id from idempotency_keys k where k.owner = $1 and k.key = $2 and k.expires >= {now})
		and `+taken,
		who.Principal(), key)
}
