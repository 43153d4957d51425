package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"holdfast/file"
)

const recordColumns = `file_id, size, content_type, filename, coalesce(user_id, 0), account_id, created_at,
	coalesce(object_bucket, ''), coalesce(object_key, ''), coalesce(etag, ''), sha256, coalesce(uploader, ''),
	coalesce(entity_tag, '')`

func scanRecord(scan func(...any) error) (r file.Record, err error) {
	var created timestamp
	err = scan(&r.ID, &r.Size, &r.Type, &r.Name, &r.UserID, &r.AccountID, &created,
		&r.Location.Bucket, &r.Location.Key, &r.ETag, &r.SHA256, &r.Uploader, &r.EntityTag)
	r.CreatedAt = created.Time.UTC()
	return r, err
}

// File reads the record of a file. Its Location is zero for a row that another program wrote: the layout determines
// where the object of such a file is.
func (d *DB) File(ctx context.Context, id file.ID) (file.Record, error) {
	r, err := scanRecord(func(into ...any) error {
		return d.row(ctx, "read record", `select `+recordColumns+` from files where file_id = $1`, []any{id}, into...)
	})
	return r, missing(id, err)
}

// asBigint makes a parameter be compared as a 64-bit number. The table of files, which is shared with other programs,
// has 32-bit numbers, and PostgreSQL would refuse the comparison with a larger one. A token may contain larger numbers;
// such users and accounts have no files.
func asBigint(parameter string) string { return "cast(" + parameter + " as bigint)" }

// Files lists the records of one user, or of the whole account if the user is 0, newest first, after the cursor: at
// most limit of them. next is the cursor of the last record, or zero if there are no more.
func (d *DB) Files(ctx context.Context, userID, accountID int64, after file.Cursor, limit int) (records []file.Record,
	next file.Cursor, err error) {
	query := `select ` + listColumns + ` from files where account_id = ` + asBigint("$1")
	args := []any{accountID, limit + 1}
	if userID != 0 {
		args = append(args, userID)
		query += fmt.Sprintf(` and user_id = `+asBigint("$%d"), len(args))
	}
	if after != (file.Cursor{}) {
		created, err := d.created(after)
		if err != nil {
			return nil, next, fmt.Errorf("list records: %w: %w", file.ErrInvalid, err)
		}
		args = append(args, created, after.ID)
		query += fmt.Sprintf(` and (created_at, file_id) < ($%d, $%d)`, len(args)-1, len(args))
	}
	var last file.Cursor
	err = d.rows(ctx, "list records", query+` order by created_at desc, file_id desc limit $2`, args,
		func(scan func(...any) error) error {
			r, at, err := d.scanListed(scan)
			if len(records) == limit { // the query asks for one more than limit
				next = last
				return err
			}
			records, last = append(records, r), at
			return err
		})
	return records, next, err
}

// Cursor returns the position of a file in the lists, with its record.
func (d *DB) Cursor(ctx context.Context, id file.ID) (at file.Cursor, r file.Record, err error) {
	r, at, err = d.scanListed(func(into ...any) error {
		return d.row(ctx, "read record", `select `+listColumns+` from files where file_id = $1`, []any{id}, into...)
	})
	return at, r, missing(id, err)
}

// listColumns are those of a record, and its time as SQLite compares it: as a text, whose format depends on the
// program that wrote it.
const listColumns = recordColumns + `, cast(created_at as text) as created_text`

func (d *DB) scanListed(scan func(...any) error) (r file.Record, at file.Cursor, err error) {
	var raw string
	r, err = scanRecord(func(into ...any) error { return scan(append(into, &raw)...) })
	if d.Shared() { // PostgreSQL has a type for times
		raw = r.CreatedAt.Format("2006-01-02 15:04:05.999999999-07:00")
	}
	return r, file.Cursor{Created: raw, ID: r.ID}, err
}

// created returns a cursor's time in the form in which this database compares it.
func (d *DB) created(c file.Cursor) (any, error) {
	if d.Shared() {
		return c.Time()
	}
	return c.Created, nil
}

// Heal corrects the size of a file, in bytes, in a row written by another program.
func (d *DB) Heal(ctx context.Context, id file.ID, size int64) error {
	return d.tx(ctx, "heal record", func(tx *transaction) error {
		n, err := exec(ctx, tx, "heal record", `update files set size = $2 where file_id = $1 and etag is null`, id, size)
		if err != nil || n == 0 {
			return err
		}
		return d.countRecord(ctx, tx, id)
	})
}

// DeleteFile removes a record and leaves a deleted upload in its place, so that its object can be found and
// removed, at once or after a crash.
func (d *DB) DeleteFile(ctx context.Context, r file.Record) error {
	return d.tx(ctx, "delete file", func(tx *transaction) error {
		bytes, n, there, err := deleteRecord(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if !there {
			return file.NotFound(r.ID)
		}
		_, err = exec(ctx, tx, "delete file", d.text(`
			insert into uploads (id, creator_kind, user_id, account_id, fingerprint, bucket, object_key,
				name, type, metadata, size, deferred, part_size, state, created)
			values ($1, '', $2, $3, '', $4, $5, $6, $7, '', $8, $9, 0, 'deleted', {now})
			on conflict (id) do update set state = 'deleted', lease_epoch = uploads.lease_epoch + 1, lease_until = 0`),
			r.ID, r.UserID, r.AccountID, r.Location.Bucket, r.Location.Key, r.Name, r.Type, r.Size, false)
		if err != nil {
			return err
		}
		if err := d.emit(ctx, tx, file.EventDeleted, subject(r)); err != nil {
			return err
		}
		return d.count(ctx, tx, r.AccountID, -bytes, -n)
	})
}

// deleteRecord removes a record, if there is one, and returns what was counted for it: nothing for a record of
// another program that was not counted yet.
func deleteRecord(ctx context.Context, tx *transaction, id file.ID) (bytes, files int64, there bool, err error) {
	var counted sql.NullInt64
	err = row(ctx, tx, "delete record", `delete from files where file_id = $1 returning counted`, []any{id}, &counted)
	if isNotFound(err) {
		return 0, 0, false, nil
	}
	if counted.Valid {
		files = 1
	}
	return counted.Int64, files, true, err
}

// missing turns "no row" into an error that names the id.
func missing(id file.ID, err error) error {
	if err != nil && isNotFound(err) {
		return file.NotFound(id)
	}
	return err
}

func isNotFound(err error) bool { return errors.Is(err, file.ErrNotFound) }

// timestamp reads a point in time from the values of both drivers: SQLite has no such type and stores a text, in
// the format of current_timestamp or of Go's driver.
type timestamp struct{ time.Time }

func (t *timestamp) Scan(v any) (err error) {
	switch v := v.(type) {
	case time.Time:
		t.Time = v
		return nil
	case string:
		for _, layout := range []string{"2006-01-02 15:04:05.999999999-07:00", time.DateTime, time.RFC3339Nano} {
			if t.Time, err = time.Parse(layout, v); err == nil {
				return nil
			}
		}
		return err
	default:
		return fmt.Errorf("a %T is not a time", v)
	}
}
