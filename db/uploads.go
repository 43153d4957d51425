package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"holdfast/file"
)

// CreateUpload writes the row of a new upload.
func (d *DB) CreateUpload(ctx context.Context, u file.Upload) error {
	_, err := d.exec(ctx, "create upload", `
		insert into uploads (id, creator_kind, user_id, account_id, fingerprint, bucket, object_key,
			name, type, metadata, size, deferred, part_size, created)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, {now})`,
		u.ID, u.Creator.Kind, u.Creator.UserID, u.Creator.AccountID, u.Creator.Fingerprint, u.Location.Bucket, u.Location.Key,
		u.Name, u.Type, u.Metadata, u.Size, u.Deferred, u.PartSize)
	return err
}

// Upload reads the row of an upload with its parts and tails. A deleted one is
// not found. Only a reader that holds the upload's lease sees a state that stays.
func (d *DB) Upload(ctx context.Context, id file.ID) (*file.Upload, error) {
	u, err := d.UploadRow(ctx, id)
	if err != nil {
		return nil, err
	}
	if u.State == file.Deleted {
		return nil, file.NotFound(id)
	}
	err = d.rows(ctx, "read parts", `select number, "offset", size, etag from upload_parts where upload_id = $1 order by number`, []any{id},
		func(scan func(...any) error) error {
			var p file.Part
			u.Parts = append(u.Parts, p)
			p1 := &u.Parts[len(u.Parts)-1]
			return scan(&p1.Number, &p1.Offset, &p1.Size, &p1.ETag)
		})
	if err != nil {
		return nil, err
	}
	u.Tails, err = d.tails(ctx, id)
	return u, err
}

// UploadRow reads the row alone, in whatever state it is.
func (d *DB) UploadRow(ctx context.Context, id file.ID) (*file.Upload, error) {
	var u file.Upload
	err := d.row(ctx, "read upload", `
		select id, creator_kind, user_id, account_id, fingerprint, bucket, object_key, name, type, metadata,
			size, deferred, committed_offset, part_size, multipart_id, hash_state, etag, state, lease_epoch
		from uploads where id = $1`, []any{id},
		&u.ID, &u.Creator.Kind, &u.Creator.UserID, &u.Creator.AccountID, &u.Creator.Fingerprint, &u.Location.Bucket, &u.Location.Key,
		&u.Name, &u.Type, &u.Metadata, &u.Size, &u.Deferred, &u.Offset, &u.PartSize, &u.MultipartID, &u.HashState, &u.ETag, &u.State, &u.Epoch)
	if err != nil {
		return nil, missing(id, err)
	}
	return &u, nil
}

func (d *DB) tails(ctx context.Context, id file.ID) (tails []file.Tail, err error) {
	err = d.rows(ctx, "read tails", `select "offset", size, object_key from upload_tails where upload_id = $1 order by "offset"`, []any{id},
		func(scan func(...any) error) error {
			var t file.Tail
			err := scan(&t.Offset, &t.Size, &t.Key)
			tails = append(tails, t)
			return err
		})
	return tails, err
}

// TakePart gives out the next part number. Whatever becomes of the part, the number
// is never given out again.
func (d *DB) TakePart(ctx context.Context, f file.Fence) (number int32, err error) {
	err = d.row(ctx, "take part number", `
		update uploads set next_part = next_part + 1
		where id = $1 and lease_epoch = $2 and committed_offset = $3 and state = 'open'
		returning next_part - 1`, []any{f.ID, f.Epoch, f.Offset}, &number)
	return number, lost(err)
}

// SetMultipart notes the store's id of the multipart upload.
func (d *DB) SetMultipart(ctx context.Context, f file.Fence, multipartID string) error {
	return d.tx(ctx, "note multipart upload", func(tx *sql.Tx) error {
		return fenced(ctx, tx, f, file.Open, `multipart_id = $5`, multipartID)
	})
}

// Commit makes progress known, if the fence still holds: file.ErrConflict if not.
func (d *DB) Commit(ctx context.Context, f file.Fence, p file.Progress) error {
	return d.tx(ctx, "commit", func(tx *sql.Tx) error {
		state := file.Open
		if p.Part == nil && p.Tail == nil {
			state = file.Stored
		}
		err := fenced(ctx, tx, f, file.Open, `committed_offset = $5, hash_state = $6, state = $7, etag = $8`,
			p.Offset, p.HashState, state, p.ETag)
		if err != nil {
			return err
		}
		if p.Tail == nil || p.Merged {
			if _, err := exec(ctx, tx, "drop tails", `delete from upload_tails where upload_id = $1`, f.ID); err != nil {
				return err
			}
		}
		if t := p.Tail; t != nil {
			_, err = exec(ctx, tx, "add tail", `insert into upload_tails (upload_id, "offset", size, object_key) values ($1, $2, $3, $4)`,
				f.ID, t.Offset, t.Size, t.Key)
		}
		if t := p.Part; t != nil {
			_, err = exec(ctx, tx, "add part", `insert into upload_parts (upload_id, number, "offset", size, etag) values ($1, $2, $3, $4, $5)`,
				f.ID, t.Number, t.Offset, t.Size, t.ETag)
		}
		return err
	})
}

// DeclareLength sets the length of an upload that was begun without one.
func (d *DB) DeclareLength(ctx context.Context, f file.Fence, size int64) error {
	return d.tx(ctx, "declare length", func(tx *sql.Tx) error {
		return fenced(ctx, tx, f, file.Open, `size = $5, deferred = $6`, size, false)
	})
}

// Advance moves an upload that has all its bytes to the next state.
func (d *DB) Advance(ctx context.Context, f file.Fence, from, to file.State, etag string) error {
	return d.tx(ctx, "advance upload", func(tx *sql.Tx) error {
		return fenced(ctx, tx, f, from, `state = $5, etag = $6`, to, etag)
	})
}

// Record makes a stored upload a file that can be seen.
func (d *DB) Record(ctx context.Context, f file.Fence, r file.Record) error {
	return d.tx(ctx, "record file", func(tx *sql.Tx) error {
		if err := fenced(ctx, tx, f, file.Stored, `state = $5`, file.Recorded); err != nil {
			return err
		}
		_, err := exec(ctx, tx, "record file", `
			insert into files (file_id, size, content_type, filename, user_id, account_id, created_at, object_bucket, object_key, etag, sha256)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			on conflict (file_id) do nothing`,
			r.ID, r.Size, r.Type, r.Name, sql.NullInt64{Int64: r.UserID, Valid: r.UserID != 0}, r.AccountID, r.CreatedAt.UTC(),
			r.Location.Bucket, r.Location.Key, r.ETag, r.SHA256)
		return err
	})
}

// DeleteUpload marks an upload as deleted and removes its record, if it has one:
// from now on nobody sees it, and a writer that still holds it can commit nothing.
func (d *DB) DeleteUpload(ctx context.Context, f file.Fence) error {
	return d.tx(ctx, "delete upload", func(tx *sql.Tx) error {
		n, err := exec(ctx, tx, "delete upload", `update uploads set state = $3, lease_epoch = lease_epoch + 1 where id = $1 and lease_epoch = $2`,
			f.ID, f.Epoch, file.Deleted)
		if err != nil {
			return err
		}
		if n == 0 {
			return lost(file.ErrNotFound)
		}
		_, err = exec(ctx, tx, "delete record", `delete from files where file_id = $1`, f.ID)
		return err
	})
}

// ForgetUpload removes the row of a deleted upload, once the store holds nothing of it.
func (d *DB) ForgetUpload(ctx context.Context, id file.ID) error {
	return d.tx(ctx, "forget upload", func(tx *sql.Tx) error {
		for _, query := range []string{
			`delete from upload_parts where upload_id in (select id from uploads where id = $1 and state = 'deleted')`,
			`delete from upload_tails where upload_id in (select id from uploads where id = $1 and state = 'deleted')`,
			`delete from uploads where id = $1 and state = 'deleted'`,
		} {
			if _, err := exec(ctx, tx, "forget upload", query, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Deleted reads a deleted upload, with what it may have left in the store.
func (d *DB) Deleted(ctx context.Context, id file.ID) (*file.Upload, error) {
	u, err := d.UploadRow(ctx, id)
	if err != nil {
		return nil, err
	}
	if u.State != file.Deleted {
		return nil, fmt.Errorf("upload %s is %s: %w", id, u.State, file.ErrConflict)
	}
	u.Tails, err = d.tails(ctx, id)
	return u, err
}

// CutShort lists, after the given id, uploads that nobody holds and that were left
// in the middle of being finished or removed.
func (d *DB) CutShort(ctx context.Context, after file.ID, limit int) (ids []file.ID, err error) {
	err = d.rows(ctx, "list uploads cut short", `
		select id from uploads
		where id > $1 and lease_until < {now}
			and (state in ('completing', 'stored', 'deleted') or state = 'open' and not deferred and committed_offset = size)
		order by id limit $2`, []any{after, limit},
		func(scan func(...any) error) error {
			var id file.ID
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
	return ids, err
}

// fenced updates the row of an upload in the given state, or fails with file.ErrConflict
// when its lease or offset is not what the writer believes.
func fenced(ctx context.Context, tx *sql.Tx, f file.Fence, in file.State, set string, args ...any) error {
	n, err := exec(ctx, tx, "commit", `update uploads set `+set+` where id = $1 and lease_epoch = $2 and committed_offset = $3 and state = $4`,
		append([]any{f.ID, f.Epoch, f.Offset, in}, args...)...)
	if err == nil && n == 0 {
		err = lost(file.ErrNotFound)
	}
	return err
}

// lost says that a row was not as the fence wants it.
func lost(err error) error {
	if err != nil && isNotFound(err) {
		return fmt.Errorf("the lease on this upload was lost: %w", file.ErrConflict)
	}
	return err
}

func fromMillis(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}
