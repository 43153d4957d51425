package db

import (
	"context"
	"fmt"
	"time"

	"holdfast/file"
)

// taken says that the upload u has a right to its key: it has all its bytes, or somebody
// is sending them. One that failed has not, so the next try may take the key over.
const taken = `(u.state in ('completing', 'stored', 'recorded')
	or u.state = 'open' and (u.lease_until >= {now} or not u.deferred and u.committed_offset = u.size))`

// CreateKeyedUpload is CreateUpload, and has the upload stand for its creator's key for
// so long. The error is file.ErrInFlight if another one stands for it: the same request
// came twice, and the other one was faster.
func (d *DB) CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration, key string, keep time.Duration) error {
	return d.tx(ctx, "create upload", func(tx *transaction) error {
		if _, err := exec(ctx, tx, "drop old keys", d.text(`delete from idempotency_keys where expires < {now}`)); err != nil {
			return err
		}
		n, err := exec(ctx, tx, "take key", d.text(`
			insert into idempotency_keys (owner, key, upload_id, expires) values ($1, $2, $3, {now} + $4)
			on conflict (owner, key) do update set upload_id = excluded.upload_id, expires = excluded.expires
			where not exists (select 1 from uploads u where u.id = idempotency_keys.upload_id and `+taken+`)`),
			u.Creator.Principal(), key, u.ID, keep.Milliseconds())
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("take key: %w", file.ErrInFlight)
		}
		return d.createUpload(ctx, tx, u, holder, lease)
	})
}

// Keyed finds the upload that stands for a key of who; file.ErrNotFound if none does.
func (d *DB) Keyed(ctx context.Context, who file.Identity, key string) (*file.Upload, error) {
	return d.uploadRow(ctx, d.sql, "read key", `select `+uploadColumns+` from uploads u
		where id = (select upload_id from idempotency_keys k where k.owner = $1 and k.key = $2 and k.expires >= {now}) and `+taken,
		who.Principal(), key)
}
