package db

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"holdfast/file"
)

// uploadColumns are read by uploadRow.
const uploadColumns = `id, creator_kind, user_id, account_id, fingerprint, bucket, object_key, name, type, metadata,
	size, deferred, committed_offset, part_size, partial, sources, claim, multipart_id, multipart_sums, hash_state,
	etag, state, direct,
	lease_epoch, settled, ` + leaseHeld + `, ttl, expires, coalesce(expires < {now}, false)`

// uploadRow runs a query that gives uploadColumns of one row.
func (d *DB) uploadRow(ctx context.Context, on *pool, doing, query string, args ...any) (*file.Upload, error) {
	var u file.Upload
	var sources string
	var ttl int64
	var expires sql.NullInt64
	err := d.retry(ctx, func() error {
		return row(ctx, on, doing, d.text(query), args,
			&u.ID, &u.Creator.Kind, &u.Creator.UserID, &u.Creator.AccountID, &u.Creator.Fingerprint, &u.Location.Bucket,
			&u.Location.Key,
			&u.Name, &u.Type, &u.Metadata, &u.Size, &u.Deferred, &u.Offset, &u.PartSize, &u.Partial, &sources, &u.Claim,
			&u.Multipart.ID, &u.Multipart.Sums,
			&u.HashState, &u.ETag, &u.State, &u.Direct, &u.Epoch, &u.Settled, &u.Held, &ttl, &expires, &u.Expired)
	})
	if err != nil {
		return nil, err
	}
	u.Multipart = splitMultipart(u.Multipart)
	u.Sources, u.TTL, u.Expires = splitIDs(sources), time.Duration(ttl)*time.Millisecond, fromMillis(expires)
	return &u, nil
}

// UploadRow reads only the upload's row, in any state. The state can change at any time, except for a reader that
// holds the upload's lease.
func (d *DB) UploadRow(ctx context.Context, id file.ID) (*file.Upload, error) {
	u, err := d.uploadRow(ctx, d.sql, "read upload", `select `+uploadColumns+` from uploads where id = $1`, id)
	return u, missing(id, err)
}

// Final finds the upload that the same creator began with these sources; the error is file.ErrNotFound if there is
// none.
func (d *DB) Final(ctx context.Context, who file.Identity, sources []file.ID) (*file.Upload, error) {
	return d.uploadRow(ctx, d.sql, "read final upload", `select `+uploadColumns+` from uploads
		where `+samePrincipal(1)+` and sources = $4 and state <> 'deleted'`, append(principal(who), joinIDs(sources))...)
}

func (d *DB) tails(ctx context.Context, on *pool, id file.ID) (tails []file.Tail, err error) {
	err = rows(ctx, on, "read tails",
		`select "offset", size, object_key, crc32 from upload_tails where upload_id = $1 order by "offset"`, []any{id},
		func(scan func(...any) error) error {
			var t file.Tail
			err := scan(&t.Offset, &t.Size, &t.Key, &t.CRC32)
			tails = append(tails, t)
			return err
		})
	return tails, err
}

func fromMillis(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

func joinIDs(ids []file.ID) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = string(id)
	}
	return strings.Join(parts, " ")
}

func splitIDs(s string) (ids []file.ID) {
	for id := range strings.FieldsSeq(s) {
		ids = append(ids, file.ID(id))
	}
	return ids
}
