package db

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"holdfast/file"
)

// Unhealed lists records of other programs, after the given id, whose objects were not read yet.
func (d *DB) Unhealed(ctx context.Context, after file.ID, limit int) (records []file.Record, err error) {
	err = d.rows(ctx, "list records to heal", `select `+recordColumns+` from files
		where sha256 is null and file_id > $1 order by file_id limit $2`, []any{after, limit},
		func(scan func(...any) error) error {
			r, err := scanRecord(scan)
			records = append(records, r)
			return err
		})
	return records, err
}

// CountUnhealed counts the records that Unhealed lists.
func (d *DB) CountUnhealed(ctx context.Context) (n int64, err error) {
	err = d.row(ctx, "count records to heal", `select count(*) from files where sha256 is null`, nil, &n)
	return n, err
}

// BeginImport records that source is to become a file of the account, and under which id. If the import was begun
// before, its id is returned; done says that it is a file already. The error is file.ErrConflict if the id belongs
// to another source.
func (d *DB) BeginImport(ctx context.Context, source string, accountID int64, id file.ID) (as file.ID, done bool,
	err error) {
	_, err = d.exec(ctx, "begin import",
		`insert into imports (source, account_id, file_id, updated) values ($1, $2, $3, {now})
		on conflict do nothing`, source, accountID, id)
	if err != nil {
		return "", false, err
	}
	var state string
	err = d.row(ctx, "begin import", `select file_id, state from imports where source = $1 and account_id = $2`,
		[]any{source, accountID}, &as, &state)
	if isNotFound(err) {
		return "", false, file.Refuse(file.ErrConflict, "the id %s is another source's", id)
	}
	return as, state == "done", err
}

// TryImport counts the attempts to write the object of an import that was begun. Each attempt writes to its own
// key: a write of an attempt that was cut short may arrive at any later time.
func (d *DB) TryImport(ctx context.Context, source string, accountID int64) (attempt int64, err error) {
	err = row(ctx, d.write, "try import", `update imports set attempts = attempts + 1 where source = $1 and account_id = $2
		returning attempts`, []any{source, accountID}, &attempt)
	return attempt, err
}

// FinishImport inserts the record of an imported source, or completes the record that another program has written
// already. The error is file.ErrConflict if this service has recorded a file of that id.
func (d *DB) FinishImport(ctx context.Context, source string, r file.Record) error {
	return d.tx(ctx, "finish import", func(tx *transaction) error {
		n, err := insertRecord(ctx, tx, r, nil,
			` on conflict (file_id) do update set size = excluded.size, content_type = excluded.content_type,
			object_bucket = excluded.object_bucket, object_key = excluded.object_key, etag = excluded.etag,
			sha256 = excluded.sha256
			where files.account_id = excluded.account_id and coalesce(files.etag, '') = ''`)
		if err == nil && n == 0 {
			err = file.Refuse(file.ErrConflict, "a file %s exists already", r.ID)
		}
		if err != nil {
			return err
		}
		if err := d.emit(ctx, tx, file.EventCreated, subject(r)); err != nil {
			return err
		}
		if err := d.countRecord(ctx, tx, r.ID); err != nil {
			return err
		}
		_, err = exec(ctx, tx, "finish import", d.text(`update imports set state = 'done', reason = '', updated = {now}
			where source = $1 and account_id = $2`), source, r.AccountID)
		return err
	})
}

// FailImport stores why this attempt to import source failed.
func (d *DB) FailImport(ctx context.Context, source string, accountID int64, reason string) error {
	_, err := d.exec(ctx, "note failed import", `update imports set state = 'failed', reason = $3, updated = {now}
		where source = $1 and account_id = $2 and state <> 'done'`, source, accountID, plain(reason))
	return err
}

// Importing reports whether the id was given to a source that is no file yet: its object in the store may be
// incomplete.
func (d *DB) Importing(ctx context.Context, id file.ID) (begun bool, err error) {
	var n int
	err = d.row(ctx, "read import", `select count(*) from imports where file_id = $1 and state <> 'done'`, []any{id}, &n)
	return n > 0, err
}

// DeletedSince reports whether the id was given to a source that became a file, and that file has been deleted.
func (d *DB) DeletedSince(ctx context.Context, id file.ID) (bool, error) {
	var n int
	err := d.row(ctx, "read import", `select count(*) from imports where file_id = $1 and state = 'done'
		and not exists (select 1 from files where files.file_id = imports.file_id)`, []any{id}, &n)
	return n > 0, err
}

// RepeatImport begins the import of a source again whose file has been deleted. The error is file.ErrConflict while
// the store may still hold objects of the deleted file: the cleanup would remove the new one with them.
func (d *DB) RepeatImport(ctx context.Context, source string, accountID int64, id file.ID) error {
	return d.tx(ctx, "repeat import", func(tx *transaction) error {
		if _, err := exec(ctx, tx, "repeat import",
			`delete from uploads where id = $1 and state = 'deleted' and emptied is not null`, id); err != nil {
			return err
		}
		n, err := exec(ctx, tx, "repeat import", d.text(`update imports set state = 'begun', updated = {now}
			where source = $1 and account_id = $2 and file_id = $3 and state = 'done'
				and not exists (select 1 from files where files.file_id = imports.file_id) and not exists (select 1 from uploads
				where id = $3)`),
			source, accountID, id)
		if err == nil && n == 0 {
			err = file.Refuse(file.ErrConflict, "the deleted file is still being removed: run the import again in a minute")
		}
		return err
	})
}

// Imported returns the ids of the files that these sources became, if the files still exist.
func (d *DB) Imported(ctx context.Context, sources []string) (ids map[string]file.ID, err error) {
	return d.idsBy(ctx,
		`select i.source, i.file_id from imports i join files f on f.file_id = i.file_id where i.state = 'done' and i.source
			in `, sources)
}

// Known returns those of the ids that are files.
func (d *DB) Known(ctx context.Context, ids []string) (map[string]file.ID, error) {
	return d.idsBy(ctx, `select file_id, file_id from files where file_id in `, ids)
}

func (d *DB) idsBy(ctx context.Context, query string, keys []string) (map[string]file.ID, error) {
	found := make(map[string]file.ID)
	if len(keys) == 0 {
		return found, nil
	}
	for len(keys)&(len(keys)-1) != 0 { // a power of two: few different queries, each of which is kept prepared
		keys = append(keys, keys[0])
	}
	args, marks := make([]any, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		args[i], marks[i] = k, "$"+strconv.Itoa(i+1)
	}
	err := d.rows(ctx, "look up links", query+`(`+strings.Join(marks, ", ")+`)`, args,
		func(scan func(...any) error) error {
			var key string
			var id file.ID
			err := scan(&key, &id)
			found[key] = id
			return err
		})
	return found, err
}

// insertRecord inserts a record. counted is the number of bytes counted for it, or nil if it is counted later;
// conflict is the SQL for an id that exists already.
func insertRecord(ctx context.Context, tx *transaction, r file.Record, counted any, conflict string) (int64, error) {
	return exec(ctx, tx, "record file", `
		insert into files (file_id, size, content_type, filename, user_id, account_id, created_at, object_bucket, object_key,
		etag, sha256, counted, uploader)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`+conflict,
		r.ID, r.Size, r.Type, r.Name, sql.NullInt64{Int64: r.UserID, Valid: r.UserID != 0}, r.AccountID, r.CreatedAt.UTC(),
		r.Location.Bucket, r.Location.Key, r.ETag, r.SHA256, counted,
		sql.NullString{String: r.Uploader, Valid: r.Uploader != ""})
}
