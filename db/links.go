package db

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"holdfast/file"
)

// expiredAtOnce is how many expired links are removed when one is created. It is more than one, so that the table
// does not keep growing with expired links.
const expiredAtOnce = 100

// CreateLink inserts a link; the error is file.ErrNotFound if its file does not exist.
func (d *DB) CreateLink(ctx context.Context, l file.Link) error {
	if _, err := d.exec(ctx, "remove expired links",
		`delete from links where id in (select id from links where expires <= {now} order by expires, id limit $1)`,
		expiredAtOnce); err != nil {
		return err
	}
	m := l.Maker
	n, err := d.exec(ctx, "create link",
		`insert into links (id, file_id, kind, user_id, account_id, fingerprint, groups, sealed, created, expires)
		select cast($1 as varchar), file_id, cast($3 as varchar), cast($4 as bigint), cast($5 as bigint), cast($6 as varchar),
		cast($7 as varchar), cast($8 as varchar), {now}, cast($9 as bigint)
		from files where file_id = $2`,
		l.ID, l.File, string(m.Kind), m.UserID, m.AccountID, m.Fingerprint, strings.Join(m.Groups,
			"\n"), base64.StdEncoding.EncodeToString(l.Sealed), l.ExpiresAt.UnixMilli())
	if err == nil && n == 0 {
		return file.NotFound(l.File)
	}
	return err
}

const linkColumns = `id, file_id, kind, user_id, account_id, fingerprint, groups, sealed, created, expires`

func scanLink(scan func(...any) error) (l file.Link, err error) {
	var groups, kind, sealed string
	var created, expires int64
	err = scan(&l.ID, &l.File, &kind, &l.Maker.UserID, &l.Maker.AccountID, &l.Maker.Fingerprint, &groups, &sealed,
		&created, &expires)
	if err == nil {
		l.Sealed, err = base64.StdEncoding.DecodeString(sealed)
	}
	l.Maker.Kind, l.Maker.Groups = file.Kind(kind), splitGroups(groups)
	l.CreatedAt, l.ExpiresAt = time.UnixMilli(created).UTC(), time.UnixMilli(expires).UTC()
	return l, err
}

// Link reads a valid link; the error is file.ErrNotFound for one that was ended or has expired.
func (d *DB) Link(ctx context.Context, id string) (file.Link, error) {
	return scanLink(func(into ...any) error {
		return d.row(ctx, "read link", `select `+linkColumns+` from links where id = $1 and expires > {now}`, []any{id},
			into...)
	})
}

// Links lists at most limit of a file's valid links, oldest first: those after the link after, or with its zero value
// from the first one on.
func (d *DB) Links(ctx context.Context, id file.ID, after file.Link, limit int) (some []file.Link, err error) {
	err = d.rows(ctx, "list links", `select `+linkColumns+` from links where file_id = $1 and expires > {now}
			and (created, id) > ($2, $3) order by created, id limit $4`,
		[]any{id, after.CreatedAt.UnixMilli(), after.ID, limit},
		func(scan func(...any) error) error {
			l, err := scanLink(scan)
			some = append(some, l)
			return err
		})
	return some, err
}

// linkIDs lists the ids of a file's valid links.
func (d *DB) linkIDs(ctx context.Context, id file.ID) (ids []string, err error) {
	err = d.rows(ctx, "list links", `select id from links where file_id = $1 and expires > {now}`, []any{id},
		appendTo(&ids))
	return ids, err
}

// LinkCounts counts a file's valid links by their makers. A user's tokens are one maker.
func (d *DB) LinkCounts(ctx context.Context, id file.ID) (all []file.LinkCount, err error) {
	err = d.rows(ctx, "count links", `select kind, user_id, account_id, case when user_id = 0 then fingerprint else '' end,
		count(*) from links where file_id = $1 and expires > {now} group by 1, 2, 3, 4`, []any{id},
		func(scan func(...any) error) error {
			var c file.LinkCount
			m := &c.Maker
			err := scan(&m.Kind, &m.UserID, &m.AccountID, &m.Fingerprint, &c.Links)
			all = append(all, c)
			return err
		})
	return all, err
}

// EndLink ends a link of a file; the error is file.ErrNotFound if there is no such valid link.
func (d *DB) EndLink(ctx context.Context, id file.ID, link string) error {
	n, err := d.exec(ctx, "end link", `delete from links where id = $1 and file_id = $2`, link, id)
	if err == nil && n == 0 {
		err = file.Refuse(file.ErrNotFound, "no valid link %q", link)
	}
	return err
}

// EndLinks ends all links of a file, including those without a row.
func (d *DB) EndLinks(ctx context.Context, id file.ID) error {
	return d.tx(ctx, "end links", func(tx *transaction) error {
		if _, err := exec(ctx, tx, "end links", `delete from links where file_id = $1`, id); err != nil {
			return err
		}
		_, err := exec(ctx, tx, "end links",
			d.text(`insert into links_ended (file_id, ended) values ($1, {now}) on conflict (file_id) do nothing`), id)
		return err
	})
}

// EndLinksOf ends all valid links of one maker, to whichever files, and returns their ids. Links without a row stay:
// their maker is unknown.
func (d *DB) EndLinksOf(ctx context.Context, m file.LinkMaker) (ids []string, err error) {
	err = d.tx(ctx, "end links of a maker", func(tx *transaction) error {
		ids = nil // of a try before
		return rows(ctx, tx, "end links of a maker", d.text(`delete from links where account_id = $1 and user_id = $2
			and ($2 <> 0 or kind = $3 and ($4 = '' or fingerprint = $4)) returning id`),
			[]any{m.AccountID, m.UserID, string(m.Kind), m.Fingerprint}, appendTo(&ids))
	})
	return ids, err
}

// LinksEnded reports whether those links of a file that have no row were ended.
func (d *DB) LinksEnded(ctx context.Context, id file.ID) (bool, error) {
	var n int
	err := d.row(ctx, "read ended links", `select count(*) from links_ended where file_id = $1`, []any{id}, &n)
	return n > 0, err
}
