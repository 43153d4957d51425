package db

import (
	"context"
	"time"

	"holdfast/file"
)

// Accounts lists the numbers of accounts that have a file or an upload, after the given one.
func (d *DB) Accounts(ctx context.Context, after int64, limit int) (ids []int64, err error) {
	err = d.rows(ctx, "list accounts", `
		select account_id from (select distinct account_id from files union select distinct account_id from uploads) a
		where account_id > $1 order by account_id limit $2`, []any{after, limit},
		appendTo(&ids))
	return ids, err
}

// AccountFiles lists an account's records after the given id, in the order in which S3 lists their objects: by the
// bytes of their ids.
func (d *DB) AccountFiles(ctx context.Context, accountID int64, after file.ID, limit int) (records []file.Record,
	err error) {
	err = d.rows(ctx, "list records", `select `+recordColumns+` from files
		where account_id = `+asBigint("$1")+` and file_id collate {bytes} > $2 order by file_id collate {bytes} limit $3`,
		[]any{accountID, after, limit}, func(scan func(...any) error) error {
			r, err := scanRecord(scan)
			records = append(records, r)
			return err
		})
	return records, err
}

// UploadTails reads the tails of an upload from its rows.
func (d *DB) UploadTails(ctx context.Context, id file.ID) ([]file.Tail, error) {
	return d.tails(ctx, d.sql, id)
}

// UnfinishedUploads lists an account's uploads after the given id that hold bytes and are no file yet.
func (d *DB) UnfinishedUploads(ctx context.Context, accountID int64, after file.ID, limit int) (ids []file.ID,
	err error) {
	err = d.rows(ctx, "list unfinished uploads", `select id from uploads
		where account_id = $1 and state in ('open', 'completing', 'stored') and committed_offset > 0 and id > $2
		order by id limit $3`,
		[]any{accountID, after, limit}, appendTo(&ids))
	return ids, err
}

// HealRecord completes a record that another program wrote, with what the store reports of its object, and with the
// SHA-256 if r has one; its ETag stays the store's. A record of this service is never changed: the error is
// file.ErrConflict.
func (d *DB) HealRecord(ctx context.Context, r file.Record) error {
	return d.tx(ctx, "heal record", func(tx *transaction) error {
		n, err := exec(ctx, tx, "heal record", `
			update files set size = $2, content_type = $3, created_at = $4, object_bucket = $5, object_key = $6, etag = $7,
				sha256 = coalesce($8, sha256), entity_tag = case when sha256 is null then $7 else entity_tag end
			where file_id = $1 and (etag is null or etag = '' or sha256 is null and etag = $7)`,
			r.ID, r.Size, r.Type, r.CreatedAt.UTC(), r.Location.Bucket, r.Location.Key, r.ETag, r.SHA256)
		if err == nil && n == 0 {
			err = file.ErrConflict
		}
		if err != nil {
			return err
		}
		return d.countRecord(ctx, tx, r.ID)
	})
}

// SetTag stores another tag for a file's object, if the recorded one is unchanged; the error is file.ErrConflict if
// it is not.
func (d *DB) SetTag(ctx context.Context, id file.ID, was, tag string) error {
	n, err := d.exec(ctx, "set tag", `update files set etag = $3 where file_id = $1 and etag = $2`, id, was, tag)
	if err == nil && n == 0 {
		err = file.ErrConflict
	}
	return err
}

// ChorePlace returns the position that a chore has reached; empty before its first step.
func (d *DB) ChorePlace(ctx context.Context, name string) (place string, err error) {
	err = d.row(ctx, "read chore", `select place from chores where name = $1`, []any{name}, &place)
	if isNotFound(err) {
		return "", nil
	}
	return place, err
}

// PlaceChore stores the position that a chore has reached. Only the chore's holder may: others get
// file.ErrConflict.
func (d *DB) PlaceChore(ctx context.Context, name, holder, place string, ttl time.Duration) error {
	n, err := d.exec(ctx, "note chore", `update chores set place = $3, until = {now} + $4 where name = $1 and holder = $2`,
		name, holder, place, ttl.Milliseconds())
	if err == nil && n == 0 {
		err = file.ErrConflict
	}
	return err
}
