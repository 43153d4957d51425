package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"holdfast/file"
)

// Commit stores progress if the fence still holds; if not, the error is file.ErrConflict. It extends the upload's
// expiry and returns the new one. The error is file.ErrQuota if the upload's length is not known and its account
// has no room for the new bytes.
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
		err := row(ctx, tx, "commit",
			d.text(`update uploads set `+set+fence+` returning expires, deferred, account_id, reserved`),
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
			if _, err := exec(ctx, tx, "add tail",
				`insert into upload_tails (upload_id, "offset", size, object_key, crc32) values ($1, $2, $3, $4, $5)`,
				f.ID, t.Offset, t.Size, t.Key, t.CRC32); err != nil {
				return err
			}
		}
		for _, t := range p.Parts {
			if _, err := exec(ctx, tx, "add part",
				`insert into upload_parts (upload_id, number, "offset", size, etag, crc32) values ($1, $2, $3, $4, $5, $6)`,
				f.ID, t.Number, t.Offset, t.Size, t.ETag, t.CRC32); err != nil {
				return err
			}
		}
		return nil
	})
	return expires, err
}

// grow raises an upload's reservation, up to size bytes; the quota's row is locked last.
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

// DeclareLength sets the length of an upload that was begun without one, and reserves the rest of it. The error is
// file.ErrQuota if its account has no room for that.
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

// reservation reads how much of its account's quota an upload has reserved.
func reservation(ctx context.Context, tx *transaction, id file.ID) (account, bytes, slots int64, err error) {
	err = row(ctx, tx, "read reservation", `select account_id, reserved, slots from uploads where id = $1`, []any{id},
		&account, &bytes, &slots)
	return account, bytes, slots, err
}

// SetClaim stores the SHA-256 that the client declares for the whole file.
func (d *DB) SetClaim(ctx context.Context, f file.Fence, sum []byte) error {
	return d.tx(ctx, "note claimed digest", func(tx *transaction) error { return fenced(ctx, tx, f, `claim = $5`, sum) })
}

// Advance moves an upload that has all its bytes to the next state. The lease is kept.
func (d *DB) Advance(ctx context.Context, f file.Fence, to file.State, etag string) error {
	return d.tx(ctx, "advance upload", func(tx *transaction) error {
		return fenced(ctx, tx, f, `state = $5, etag = $6`, to, etag)
	})
}

// Record turns an upload into a visible file and releases its lease. u is the upload as it shall be. f is what its
// row must be before: stored, or still open if the object was just put whole.
func (d *DB) Record(ctx context.Context, f file.Fence, u *file.Upload, r file.Record) error {
	return d.tx(ctx, "record file", func(tx *transaction) error {
		if len(u.Sources) > 0 {
			if err := d.lockUploads(ctx, tx, append([]file.ID{f.ID}, u.Sources...)); err != nil {
				return err
			}
		}
		account, reserved, slots, err := reservation(ctx, tx, f.ID)
		if err != nil {
			return lost(err)
		}
		// If a lease before this one has not settled, a write of its holder may still arrive.
		err = fenced(ctx, tx, f, d.text(`state = $5, committed_offset = $6, hash_state = $7, etag = $8,
			object_key = $9, reserved = 0, slots = 0, visitor = '',
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

// releaseLease is the part of an update that releases the lease.
const releaseLease = `, lease_until = 0, lease_holder = ''`

// settlesLease is the part of an update that says that the lease ends with no write to the object's key under way.
// It only counts if all earlier leases have settled: see file.Upload.Settled.
const settlesLease = `, settled = case when settled = lease_epoch - 1 then lease_epoch else settled end`

// fenced updates the row of an upload. The error is file.ErrConflict if its lease, offset or state is not what the
// writer expects.
func fenced(ctx context.Context, tx *transaction, f file.Fence, set string, args ...any) error {
	n, err := exec(ctx, tx, "commit", `update uploads set `+set+fence,
		append([]any{f.ID, f.Epoch, f.Offset, f.State}, args...)...)
	if err == nil && n == 0 {
		err = lost(file.ErrNotFound)
	}
	return err
}

// lost turns "no row" into file.ErrConflict: the row was not as the fence requires.
func lost(err error) error {
	if err != nil && isNotFound(err) {
		return fmt.Errorf("the lease on this upload was lost: %w", file.ErrConflict)
	}
	return err
}
