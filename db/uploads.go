package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"holdfast/file"
)

// CreateUpload writes the row of a new upload. With a holder it is born under a lease
// of epoch 1, for the time of ttl. file.ErrQuota if its account has no room for it.
func (d *DB) CreateUpload(ctx context.Context, u file.Upload, holder string, ttl time.Duration) error {
	return d.tx(ctx, "create upload", func(tx *transaction) error { return d.createUpload(ctx, tx, u, holder, ttl) })
}

func (d *DB) createUpload(ctx context.Context, tx *transaction, u file.Upload, holder string, ttl time.Duration) error {
	epoch, until := int64(0), int64(0)
	if holder != "" {
		epoch, until = 1, ttl.Milliseconds()
	}
	bytes, slots := reserves(u)
	if err := d.reserve(ctx, tx, u.Creator.AccountID, bytes, slots); err != nil {
		return err
	}
	if err := d.fewUnfinished(ctx, tx, u); err != nil {
		return err
	}
	_, err := exec(ctx, tx, "create upload", d.text(`
		insert into uploads (id, creator_kind, user_id, account_id, fingerprint, bucket, object_key,
			name, type, metadata, size, deferred, part_size, partial, sources, claim, ttl,
			lease_holder, lease_epoch, lease_until, reserved, slots, created, expires)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
			case when cast($19 as bigint) > 0 then {now} + $20 else 0 end, $21, $22, {now}, {now} + $17)`),
		u.ID, u.Creator.Kind, u.Creator.UserID, u.Creator.AccountID, u.Creator.Fingerprint, u.Location.Bucket, u.Location.Key,
		u.Name, u.Type, u.Metadata, u.Size, u.Deferred, u.PartSize, u.Partial, joinIDs(u.Sources), u.Claim, u.TTL.Milliseconds(),
		holder, epoch, until, bytes, slots)
	return err
}

// reserves is what an upload takes of its account's quota when it is begun. One whose length
// is not known takes what comes; a final one nothing, since its sources have taken it.
func reserves(u file.Upload) (bytes, slots int64) {
	if len(u.Sources) > 0 {
		return 0, 0
	}
	if !u.Deferred {
		bytes = u.Size
	}
	return bytes, 1
}

// fewUnfinished refuses one more unfinished upload to who has too many. It is called when the
// account's usage is locked, so that no two are counted at once.
func (d *DB) fewUnfinished(ctx context.Context, tx *transaction, u file.Upload) error {
	if d.unfinished == 0 || len(u.Sources) > 0 || u.TTL == 0 { // one that ends with its request is none
		return nil
	}
	var n int64
	err := row(ctx, tx, "count unfinished uploads", `select count(*) from uploads
		where `+samePrincipal(1)+`
			and ttl > 0 and sources = '' and state <> 'recorded' and state <> 'deleted'`,
		principal(u.Creator), &n)
	if err == nil && n >= d.unfinished {
		err = file.Refuse(file.ErrQuota, "Quota of %d unfinished uploads exceeded: finish or end one of them", d.unfinished)
	}
	return err
}

// uploadColumns are read by uploadRow.
const uploadColumns = `id, creator_kind, user_id, account_id, fingerprint, bucket, object_key, name, type, metadata,
	size, deferred, committed_offset, part_size, partial, sources, claim, multipart_id, multipart_sums, hash_state, etag, state,
	lease_epoch, settled, lease_until >= {now}, ttl, expires, coalesce(expires < {now}, false)`

// uploadRow runs a query that gives uploadColumns of one row.
func (d *DB) uploadRow(ctx context.Context, on *pool, doing, query string, args ...any) (*file.Upload, error) {
	var u file.Upload
	var sources string
	var ttl int64
	var expires sql.NullInt64
	err := d.again(ctx, func() error {
		return row(ctx, on, doing, d.text(query), args,
			&u.ID, &u.Creator.Kind, &u.Creator.UserID, &u.Creator.AccountID, &u.Creator.Fingerprint, &u.Location.Bucket, &u.Location.Key,
			&u.Name, &u.Type, &u.Metadata, &u.Size, &u.Deferred, &u.Offset, &u.PartSize, &u.Partial, &sources, &u.Claim, &u.Multipart.ID, &u.Multipart.Sums,
			&u.HashState, &u.ETag, &u.State, &u.Epoch, &u.Settled, &u.Held, &ttl, &expires, &u.Expired)
	})
	if err != nil {
		return nil, err
	}
	u.Multipart = splitMultipart(u.Multipart)
	u.Sources, u.TTL, u.Expires = splitIDs(sources), time.Duration(ttl)*time.Millisecond, fromMillis(expires)
	return &u, nil
}

// UploadRow reads the row alone, in whatever state it is. Only a reader that holds the
// upload's lease sees a state that stays.
func (d *DB) UploadRow(ctx context.Context, id file.ID) (*file.Upload, error) {
	u, err := d.uploadRow(ctx, d.sql, "read upload", `select `+uploadColumns+` from uploads where id = $1`, id)
	return u, missing(id, err)
}

// Final finds the upload that one's creator began with these sources; file.ErrNotFound
// if there is none.
func (d *DB) Final(ctx context.Context, who file.Identity, sources []file.ID) (*file.Upload, error) {
	return d.uploadRow(ctx, d.sql, "read final upload", `select `+uploadColumns+` from uploads
		where `+samePrincipal(1)+` and sources = $4 and state <> 'deleted'`, append(principal(who), joinIDs(sources))...)
}

func (d *DB) tails(ctx context.Context, on *pool, id file.ID) (tails []file.Tail, err error) {
	err = rows(ctx, on, "read tails", `select "offset", size, object_key from upload_tails where upload_id = $1 order by "offset"`, []any{id},
		func(scan func(...any) error) error {
			var t file.Tail
			err := scan(&t.Offset, &t.Size, &t.Key)
			tails = append(tails, t)
			return err
		})
	return tails, err
}

// Commit makes progress known, if the fence still holds: file.ErrConflict if not. It
// puts the end of the upload off, and returns when that is. file.ErrQuota if the length of the
// upload is not known, and its account has no room for so much.
func (d *DB) Commit(ctx context.Context, f file.Fence, p file.Progress) (expires time.Time, err error) {
	err = d.tx(ctx, "commit", func(tx *transaction) error {
		state := f.State
		if p.Whole {
			state = file.Stored
		}
		set := `committed_offset = $5, hash_state = $6, state = $7, etag = $8, expires = {now} + ttl`
		args := []any{f.ID, f.Epoch, f.Offset, f.State, p.Offset, p.HashState, state, p.ETag}
		if p.Whole {
			set += `, object_key = $9`
			args = append(args, p.Key)
		}
		if p.Release {
			set += releaseLease + settlesLease
		}
		var at sql.NullInt64
		var deferred bool
		var account, reserved int64
		err := row(ctx, tx, "commit", d.text(`update uploads set `+set+fence+` returning expires, deferred, account_id, reserved`),
			args, &at, &deferred, &account, &reserved)
		if err != nil {
			return lost(err)
		}
		expires = fromMillis(at)
		if deferred {
			if err := d.grow(ctx, tx, f.ID, account, reserved, p.Offset); err != nil {
				return err
			}
		}
		if err := dropTails(ctx, tx, f.ID, p.From()); err != nil {
			return err
		}
		for _, t := range p.Tails {
			if _, err := exec(ctx, tx, "add tail", `insert into upload_tails (upload_id, "offset", size, object_key) values ($1, $2, $3, $4)`,
				f.ID, t.Offset, t.Size, t.Key); err != nil {
				return err
			}
		}
		for _, t := range p.Parts {
			if _, err := exec(ctx, tx, "add part", `insert into upload_parts (upload_id, number, "offset", size, etag, crc32) values ($1, $2, $3, $4, $5, $6)`,
				f.ID, t.Number, t.Offset, t.Size, t.ETag, t.CRC32); err != nil {
				return err
			}
		}
		return nil
	})
	return expires, err
}

// grow reserves more for an upload, up to size bytes; the quota is locked last.
func (d *DB) grow(ctx context.Context, tx *transaction, id file.ID, account, reserved, size int64) error {
	if size <= reserved {
		return nil
	}
	if _, err := exec(ctx, tx, "reserve", `update uploads set reserved = $2 where id = $1`, id, size); err != nil {
		return err
	}
	return d.reserve(ctx, tx, account, size-reserved, 0)
}

func dropTails(ctx context.Context, tx *transaction, id file.ID, from int64) error {
	_, err := exec(ctx, tx, "drop tails", `delete from upload_tails where upload_id = $1 and "offset" >= $2`, id, from)
	return err
}

// DeclareLength sets the length of an upload that was begun without one, and reserves the rest
// of it: file.ErrQuota if its account has no room for that.
func (d *DB) DeclareLength(ctx context.Context, f file.Fence, size int64) error {
	return d.tx(ctx, "declare length", func(tx *transaction) error {
		if err := fenced(ctx, tx, f, `size = $5, deferred = $6`, size, false); err != nil {
			return err
		}
		account, reserved, _, err := reservation(ctx, tx, f.ID)
		if err != nil {
			return err
		}
		return d.grow(ctx, tx, f.ID, account, reserved, size)
	})
}

// reservation is what an upload has taken of its account's quota.
func reservation(ctx context.Context, tx *transaction, id file.ID) (account, bytes, slots int64, err error) {
	err = row(ctx, tx, "read reservation", `select account_id, reserved, slots from uploads where id = $1`, []any{id}, &account, &bytes, &slots)
	return account, bytes, slots, err
}

// SetClaim notes the SHA-256 that the client says the whole file has.
func (d *DB) SetClaim(ctx context.Context, f file.Fence, sum []byte) error {
	return d.tx(ctx, "note claimed digest", func(tx *transaction) error { return fenced(ctx, tx, f, `claim = $5`, sum) })
}

// Advance moves an upload that has all its bytes to the next state. Of a partial
// upload that is done the lease is given back too.
func (d *DB) Advance(ctx context.Context, f file.Fence, to file.State, etag string) error {
	return d.tx(ctx, "advance upload", func(tx *transaction) error {
		return fenced(ctx, tx, f, `state = $5, etag = $6`, to, etag)
	})
}

// Record makes an upload a file that can be seen, and gives its lease back. u is the
// upload as it is to be, f what its row must be before: stored, or still open when the
// object was put whole a moment ago.
func (d *DB) Record(ctx context.Context, f file.Fence, u *file.Upload, r file.Record) error {
	return d.tx(ctx, "record file", func(tx *transaction) error {
		account, reserved, slots, err := reservation(ctx, tx, f.ID)
		if err != nil {
			return lost(err)
		}
		// Where not every lease before this one has settled, what they were writing may still land.
		err = fenced(ctx, tx, f, d.text(`state = $5, committed_offset = $6, hash_state = $7, etag = $8, object_key = $9, reserved = 0, slots = 0,
			tidy_at = case when settled < lease_epoch - 1 then {now} + $10 end`)+releaseLease,
			file.Recorded, u.Offset, u.HashState, u.ETag, u.Location.Key, lateWrites.Milliseconds())
		if err != nil {
			return err
		}
		if err := dropTails(ctx, tx, f.ID, 0); err != nil {
			return err
		}
		n, err := insertRecord(ctx, tx, r, r.Size, ` on conflict (file_id) do nothing`)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := d.emit(ctx, tx, file.EventCreated, subject(r)); err != nil {
				return err
			}
		}
		bytes, files, err := giveUp(ctx, tx, u.Sources)
		if err != nil {
			return err
		}
		return d.count(ctx, tx, account, n*r.Size-reserved-bytes, n-slots-files)
	})
}

// fence is the condition of every commit, with the fence's four values as $1 to $4.
const fence = ` where id = $1 and lease_epoch = $2 and committed_offset = $3 and state = $4`

// releaseLease gives the lease back within another update.
const releaseLease = `, lease_until = 0, lease_holder = ''`

// settlesLease says within another update that the lease ends with nothing under way to the object's key. It
// counts only if all before it did: see file.Upload.Settled.
const settlesLease = `, settled = case when settled = lease_epoch - 1 then lease_epoch else settled end`

// fenced updates the row of an upload, or fails with file.ErrConflict when its lease,
// offset or state is not what the writer believes.
func fenced(ctx context.Context, tx *transaction, f file.Fence, set string, args ...any) error {
	n, err := exec(ctx, tx, "commit", `update uploads set `+set+fence, append([]any{f.ID, f.Epoch, f.Offset, f.State}, args...)...)
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
