package db

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"holdfast/file"
)

// Lock order: the row of an account's usage is the last one that a transaction locks. A transaction that has it
// waits for no other lock.

// Limit sets the quota of accounts that have none of their own. Call it before the database is used.
func (d *DB) Limit(defaults file.Quota) { d.quota = defaults }

// LimitUnfinished sets how many unfinished uploads an identity may have; 0: any number. Call it before the database
// is used.
func (d *DB) LimitUnfinished(n int64) { d.unfinished = n }

// limits are the quotas of account $1, with the defaults as $4 and $5; 0 is unlimited.
const (
	maxBytes = `coalesce((select max_bytes from account_quotas q where q.account_id = $1), $4)`
	maxFiles = `coalesce((select max_files from account_quotas q where q.account_id = $1), $5)`
)

// count adds to an account's usage, or subtracts from it, without checking the quota.
func (d *DB) count(ctx context.Context, tx *transaction, accountID, bytes, files int64) error {
	if bytes == 0 && files == 0 {
		return nil
	}
	_, err := exec(ctx, tx, "count usage", `insert into account_usage (account_id, bytes, files) values ($1, $2, $3)
		on conflict (account_id) do update set bytes = account_usage.bytes + excluded.bytes, files = account_usage.files +
		excluded.files`,
		accountID, bytes, files)
	return err
}

// reserve is count with a check: the error is file.ErrQuota if the account's quota does not allow it. The quota of
// bytes is only checked if bytes are requested, and that of files likewise.
func (d *DB) reserve(ctx context.Context, tx *transaction, accountID, bytes, files int64) error {
	if bytes == 0 && files == 0 {
		return nil
	}
	for range 2 {
		// One statement: it waits for concurrent reservations, and checks the quota against their result.
		n, err := exec(ctx, tx, "reserve",
			`update account_usage set bytes = bytes + $2, files = files + $3 where account_id = $1
			and (cast($2 as bigint) = 0 or `+maxBytes+` = 0 or bytes + $2 <= `+maxBytes+`)
			and (cast($3 as bigint) = 0 or `+maxFiles+` = 0 or files + $3 <= `+maxFiles+`)`,
			accountID, bytes, files, d.quota.Bytes, d.quota.Files)
		if err != nil || n > 0 {
			return err
		}
		// The quota is exceeded, or the row does not exist. If another transaction is inserting it, this waits
		// for that.
		if _, err := exec(ctx, tx, "reserve", `insert into account_usage (account_id) values ($1) on conflict do nothing`,
			accountID); err != nil {
			return err
		}
	}
	return d.exceeded(ctx, tx, accountID, bytes)
}

// exceeded returns the error that names the exceeded quota.
func (d *DB) exceeded(ctx context.Context, tx *transaction, accountID, bytes int64) error {
	used, quota, err := d.usage(ctx, tx, accountID)
	if err != nil {
		return err
	}
	if quota.Bytes == 0 || bytes == 0 || quota.Files > 0 && used.Files >= quota.Files {
		return file.Refuse(file.ErrQuota, "Quota of %d files exceeded: account %d has %d files", quota.Files, accountID,
			used.Files)
	}
	return file.Refuse(file.ErrQuota, "Quota of %d bytes exceeded: account %d uses %d bytes, %d more are asked for",
		quota.Bytes, accountID, used.Bytes, bytes)
}

func (d *DB) usage(ctx context.Context, on rower, accountID int64) (u file.Usage, q file.Quota, err error) {
	err = row(ctx, on, "read usage", `select coalesce(sum(bytes), 0), coalesce(sum(files), 0),
		coalesce((select max_bytes from account_quotas where account_id = $1), $2),
		coalesce((select max_files from account_quotas where account_id = $1), $3)
		from account_usage where account_id = $1`, []any{accountID, d.quota.Bytes, d.quota.Files}, &u.Bytes, &u.Files,
		&q.Bytes, &q.Files)
	return u, q, err
}

// Usage returns what an account uses, including unfinished uploads, and its quota.
func (d *DB) Usage(ctx context.Context, accountID int64) (file.Usage, file.Quota, error) {
	return d.usage(ctx, d.sql, accountID)
}

// Usages lists accounts after the given one that use something or have a quota of their own.
func (d *DB) Usages(ctx context.Context, after int64, limit int) (all []file.AccountUse, err error) {
	err = d.rows(ctx, "list usage", `
		select i.id, coalesce(u.bytes, 0), coalesce(u.files, 0), coalesce(q.max_bytes, $3), coalesce(q.max_files, $4),
		q.account_id is not null
		from (select account_id as id from account_usage union select account_id from account_quotas) i
			left join account_usage u on u.account_id = i.id left join account_quotas q on q.account_id = i.id
		where i.id > $1 order by i.id limit $2`, []any{after, limit, d.quota.Bytes, d.quota.Files},
		func(scan func(...any) error) error {
			var a file.AccountUse
			err := scan(&a.ID, &a.Usage.Bytes, &a.Usage.Files, &a.Quota.Bytes, &a.Quota.Files, &a.Own)
			all = append(all, a)
			return err
		})
	return all, err
}

// SetQuota sets an account's own quota. nil leaves that value unchanged; 0 is unlimited.
func (d *DB) SetQuota(ctx context.Context, accountID int64, bytes, files *int64) error {
	_, err := d.exec(ctx, "set quota", `insert into account_quotas (account_id, max_bytes, max_files) values ($1, $2, $3)
		on conflict (account_id) do update set max_bytes = coalesce(excluded.max_bytes, account_quotas.max_bytes),
			max_files = coalesce(excluded.max_files, account_quotas.max_files)`, accountID, bytes, files)
	return err
}

// ClearQuota removes an account's own quota: the default applies again.
func (d *DB) ClearQuota(ctx context.Context, accountID int64) error {
	_, err := d.exec(ctx, "clear quota", `delete from account_quotas where account_id = $1`, accountID)
	return err
}

// countRecord counts a record whose size was changed.
func (d *DB) countRecord(ctx context.Context, tx *transaction, id file.ID) error {
	var account, size int64
	var counted sql.NullInt64
	err := row(ctx, tx, "count record", `select account_id, size, counted from files where file_id = $1`, []any{id},
		&account, &size, &counted)
	if err != nil {
		return err
	}
	if _, err := exec(ctx, tx, "count record", `update files set counted = size where file_id = $1`, id); err != nil {
		return err
	}
	if counted.Valid {
		return d.count(ctx, tx, account, size-counted.Int64, 0)
	}
	return d.count(ctx, tx, account, size, 1)
}

// CountNew counts the account's records that another program has inserted and that were not counted yet.
func (d *DB) CountNew(ctx context.Context, accountID int64) error {
	return d.tx(ctx, "count new records", func(tx *transaction) error { return d.countNew(ctx, tx, accountID) })
}

func (d *DB) countNew(ctx context.Context, tx *transaction, accountID int64) error {
	var bytes, files int64
	err := rows(ctx, tx, "count new records",
		`update files set counted = size where account_id = `+asBigint("$1")+` and counted is null returning counted`,
		[]any{accountID}, func(scan func(...any) error) error {
			var n int64
			err := scan(&n)
			bytes, files = bytes+n, files+1
			return err
		})
	if err != nil {
		return err
	}
	return d.count(ctx, tx, accountID, bytes, files)
}

// errNothingToChange rolls back a transaction that only reads.
var errNothingToChange = errors.New("nothing to change")

// Recount adds up what an account uses: used. counted is the usage that was stored; with fix it is corrected. Neither
// can change meanwhile.
func (d *DB) Recount(ctx context.Context, accountID int64, fix bool) (counted, used file.Usage, err error) {
	err = d.tx(ctx, "recount", func(tx *transaction) error {
		if err := d.countNew(ctx, tx, accountID); err != nil {
			return err
		}
		// The lock comes first: a transaction that had it has written everything that it counts.
		if _, err := exec(ctx, tx, "recount", `insert into account_usage (account_id) values ($1)
			on conflict (account_id) do update set files = account_usage.files`, accountID); err != nil {
			return err
		}
		if counted, _, err = d.usage(ctx, tx, accountID); err != nil {
			return err
		}
		err := row(ctx, tx, "recount", `select coalesce(sum(bytes), 0), coalesce(sum(files), 0) from (
			select counted as bytes, 1 as files from files where account_id = `+asBigint("$1")+`
			union all select reserved, slots from uploads where account_id = $1 and state in ('open', 'completing',
			'stored')) a`,
			[]any{accountID}, &used.Bytes, &used.Files)
		if err != nil {
			return err
		}
		if !fix {
			return errNothingToChange
		}
		_, err = exec(ctx, tx, "recount", `update account_usage set bytes = $2, files = $3 where account_id = $1`, accountID,
			used.Bytes, used.Files)
		return err
	})
	if errors.Is(err, errNothingToChange) {
		err = nil
	}
	return counted, used, err
}

// lockUploads locks the rows of uploads, for a transaction that will change several. All statements that lock several
// lock them in the order of their ids (here and RenewLeases): otherwise PostgreSQL would end one of two as a deadlock.
func (d *DB) lockUploads(ctx context.Context, tx *transaction, ids []file.ID) error {
	args, these := among(ids)
	var locked []file.ID
	return rows(ctx, tx, "lock uploads", d.text(`select id from uploads`+these+` order by id{lock}`), args,
		appendTo(&locked))
}

// among is the condition that an id is one of these.
func among(ids []file.ID) (args []any, condition string) {
	places := make([]string, len(ids))
	for i, id := range ids {
		args, places[i] = append(args, id), "$"+strconv.Itoa(i+1)
	}
	return args, ` where id in (` + strings.Join(places, ", ") + `)`
}

// giveUp takes away what the sources of a final upload have reserved of their account's quota: the file counts from
// now on, and the same bytes must not count twice until the sources are removed. The caller has locked their rows: a
// concurrent removal of a source gives back its reservation too.
func giveUp(ctx context.Context, tx *transaction, sources []file.ID) (bytes, slots int64, err error) {
	if len(sources) == 0 {
		return 0, 0, nil
	}
	args, these := among(sources)
	err = row(ctx, tx, "read reservations",
		`select coalesce(sum(reserved), 0), coalesce(sum(slots), 0) from uploads`+these, args, &bytes, &slots)
	if err != nil {
		return 0, 0, err
	}
	_, err = exec(ctx, tx, "give up reservations", `update uploads set reserved = 0, slots = 0`+these, args...)
	return bytes, slots, err
}
