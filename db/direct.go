package db

import (
	"context"
	"database/sql"
	"time"

	"holdfast/file"
)

// Extend restarts the TTL of an open upload, and returns when it expires now. The error is file.ErrConflict if the
// upload is not open any more or has expired.
func (d *DB) Extend(ctx context.Context, id file.ID) (expires time.Time, err error) {
	var at sql.NullInt64
	err = d.retry(ctx, func() error {
		return row(ctx, d.write, "extend upload", d.text(`update uploads set expires = {now} + ttl
			where id = $1 and state = 'open' and expires >= {now} returning expires`), []any{id}, &at)
	})
	return fromMillis(at), lost(err)
}

// WithoutSum lists direct uploads after the given id that are files whose SHA-256 was not computed yet.
func (d *DB) WithoutSum(ctx context.Context, after file.ID, limit int) (ids []file.ID, err error) {
	err = d.rows(ctx, "list files without a sum", `select id from uploads
		where id > $1 and direct and state = 'recorded' and hash_state is null order by id limit $2`, []any{after, limit},
		appendTo(&ids))
	return ids, err
}

// SetSum stores the SHA-256 of a file that a direct upload became, and the state of the hash. The file keeps the ETag
// that it has had. Nothing is changed if the file was deleted, or has another tag.
func (d *DB) SetSum(ctx context.Context, u *file.Upload, sum []byte) error {
	return d.tx(ctx, "note SHA-256", func(tx *transaction) error {
		n, err := exec(ctx, tx, "note SHA-256", `update uploads set hash_state = $2
			where id = $1 and direct and state = 'recorded' and etag = $3`, u.ID, u.HashState, u.ETag)
		if err != nil || n == 0 {
			return err
		}
		_, err = exec(ctx, tx, "note SHA-256",
			`update files set sha256 = $2, entity_tag = coalesce(entity_tag, etag)
			where file_id = $1 and sha256 is null and etag = $3`, u.ID, sum, u.ETag)
		return err
	})
}

// Refusal is the reason for which DeleteUpload has ended an upload; empty: none, or the row is not kept any more.
func (d *DB) Refusal(ctx context.Context, id file.ID) (reason string, err error) {
	err = d.retry(ctx, func() error {
		return row(ctx, d.sql, "read refusal", `select refusal from uploads where id = $1`, []any{id}, &reason)
	})
	if isNotFound(err) {
		return "", nil
	}
	return reason, err
}
