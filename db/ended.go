package db

import (
	"context"
	"fmt"
	"time"

	"holdfast/file"
)

// DeleteUpload marks an upload as deleted and removes its record, if it has one. From then on the upload is
// invisible, and a writer that still holds it can commit nothing. why is what Refusal returns then; empty: its content
// was not refused.
func (d *DB) DeleteUpload(ctx context.Context, f file.Fence, why string) error {
	return d.tx(ctx, "delete upload", func(tx *transaction) error {
		var s file.Subject
		var reserved, slots int64
		var expired bool
		err := row(ctx, tx, "delete upload",
			d.text(`update uploads set state = $3, lease_epoch = lease_epoch + 1, lease_until = 0, refusal = $4, visitor = ''
			where id = $1 and lease_epoch = $2 and state <> 'deleted'
			returning id, account_id, user_id, name, type, size, reserved, slots, coalesce(ttl > 0 and expires < {now}, false)`),
			[]any{f.ID, f.Epoch, file.Deleted, why},
			&s.ID, &s.AccountID, &s.UserID, &s.Name, &s.Type, &s.Size, &reserved, &slots, &expired)
		if err != nil {
			return lost(err)
		}
		bytes, n, there, err := deleteRecord(ctx, tx, f.ID)
		switch {
		case err != nil:
		case there:
			err = d.emit(ctx, tx, file.EventDeleted, s)
		case expired && (f.State == file.Open || f.State == file.Completing):
			err = d.emit(ctx, tx, file.EventExpired, s)
		}
		if err != nil {
			return err
		}
		return d.count(ctx, tx, s.AccountID, -reserved-bytes, -slots-n)
	})
}

// lateWrites is how long the row of a deleted upload is kept after its objects were removed. A request of a writer
// that died or lost its lease may still be under way to the store; without the row, the object that it creates
// could not be attributed to an upload.
const lateWrites = time.Hour

// ForgetUpload is called each time the store is found to hold nothing of a deleted upload. The second call removes
// the row; it must come lateWrites after the first, which CutShort sees to.
func (d *DB) ForgetUpload(ctx context.Context, id file.ID) error {
	return d.tx(ctx, "forget upload", func(tx *transaction) error {
		for _, query := range []string{
			`delete from upload_parts where upload_id in (select id from uploads where id = $1 and state = 'deleted')`,
			`delete from upload_tails where upload_id in (select id from uploads where id = $1 and state = 'deleted')`,
			d.text(`update uploads set emptied = {now} where id = $1 and state = 'deleted' and emptied is null`),
		} {
			if _, err := exec(ctx, tx, "forget upload", query, id); err != nil {
				return err
			}
		}
		_, err := exec(ctx, tx, "forget upload",
			d.text(`delete from uploads where id = $1 and state = 'deleted' and emptied < {now} - $2`),
			id, lateWrites.Milliseconds())
		return err
	})
}

// Untidy lists uploads after the given id that became files and beside whose object something may have been written.
// It lists them only when no such write can arrive any more, lateWrites after they were recorded.
func (d *DB) Untidy(ctx context.Context, after file.ID, limit int) (ids []file.ID, err error) {
	err = d.rows(ctx, "list untidy uploads",
		`select id from uploads where id > $1 and tidy_at < {now} order by id limit $2`,
		[]any{after, limit}, appendTo(&ids))
	return ids, err
}

// Tidied records that nothing is left beside the object of a file.
func (d *DB) Tidied(ctx context.Context, id file.ID) error {
	_, err := d.exec(ctx, "note tidy upload", `update uploads set tidy_at = null where id = $1 and state = 'recorded'`, id)
	return err
}

// Deleted reads a deleted upload, with everything that it may have left in the store.
func (d *DB) Deleted(ctx context.Context, id file.ID) (*file.Upload, error) {
	u, err := d.UploadRow(ctx, id)
	if err != nil {
		return nil, err
	}
	if u.State != file.Deleted {
		return nil, fmt.Errorf("upload %s is %s: %w", id, u.State, file.ErrConflict)
	}
	u.Tails, err = d.tails(ctx, d.sql, id)
	return u, err
}

// CutShort lists uploads after the given id that have no lease and whose completion or removal was interrupted, or
// that have expired.
func (d *DB) CutShort(ctx context.Context, after file.ID, limit int) (ids []file.ID, err error) {
	err = d.rows(ctx, "list uploads cut short", `
		select id from uploads
		where id > $1 and not `+leaseHeld+` and state <> 'recorded'
			and (state = 'completing' or state = 'stored' and not partial
				or state = 'deleted' and (emptied is null or emptied < {now} - $3
					and not exists (select 1 from files where file_id = uploads.id)) -- brought back by another program
				or state = 'open' and (not deferred and committed_offset = size or sources <> '')
				or (expires < {now} or ttl = 0) and (state = 'open' or partial))
		order by id limit $2`, []any{after, limit, lateWrites.Milliseconds()},
		appendTo(&ids))
	return ids, err
}
