package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"holdfast/file"
)

// Texts is a column of texts in a PostgreSQL database of another program.
type Texts struct {
	conn               *pgx.Conn
	table, column, key string // quoted
	keyType, textType  string
}

// OpenTexts opens the column of a table ("table" or "schema.table"), which must have a primary
// key of one column.
func OpenTexts(ctx context.Context, dsn, table, column string) (_ *Texts, err error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		// The driver's error may contain the URL with its password.
		return nil, fmt.Errorf("open the texts' database: %w", file.ErrDatabase)
	}
	defer func() {
		if err != nil {
			conn.Close(context.WithoutCancel(ctx))
		}
	}()
	t := &Texts{conn: conn, table: pgx.Identifier(strings.Split(table, ".")).Sanitize(),
		column: pgx.Identifier{column}.Sanitize()}
	var keys int
	err = conn.QueryRow(ctx, `select count(*), min(a.attname), min(format_type(a.atttypid, a.atttypmod)) from pg_index i
		join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
		where i.indrelid = $1::regclass and i.indisprimary`, t.table).Scan(&keys, &nullable{&t.key}, &nullable{&t.keyType})
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", table, err)
	}
	if keys != 1 {
		return nil, fmt.Errorf("table %s needs a primary key of one column, it has %d", table, keys)
	}
	t.key = pgx.Identifier{t.key}.Sanitize()
	err = conn.QueryRow(ctx, `select format_type(atttypid, atttypmod) from pg_attribute
		where attrelid = $1::regclass and attname = $2 and not attisdropped`, t.table, column).Scan(&t.textType)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("table %s has no column %s", table, column)
	}
	return t, err
}

// nullable scans a text that may be null; null leaves the text empty.
type nullable struct{ s *string }

func (n *nullable) Scan(v any) error {
	if v != nil {
		*n.s = fmt.Sprint(v)
	}
	return nil
}

// Close ends the connection.
func (t *Texts) Close(ctx context.Context) error { return t.conn.Close(ctx) }

// textPage is how many texts are read at a time.
const textPage = 200

// foundText is a text, the primary key of its row, and the account of the row (0 if that was not asked for).
type foundText struct {
	Key, Text string
	Account   int64
}

// walk calls each for every text that contains one of these words, in the order of the primary keys. account is an
// expression for the row's account; rows where it is null are left out.
func (t *Texts) walk(ctx context.Context, account string, words []string, each func(foundText) error) error {
	after := (*string)(nil)
	for {
		rows, err := t.conn.Query(ctx, `select `+t.key+`::text as a_key, `+t.column+`::text as a_text, `+account+`::bigint
			from `+t.table+`
			where ($1::text is null or `+t.key+` > $1::text::`+t.keyType+`) and `+account+` is not null
				and exists (select from unnest($2::text[]) w where position(w in `+t.column+`::text) > 0)
			order by `+t.key+` limit $3`, after, words, textPage)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[foundText])
		if err != nil {
			return err
		}
		for _, f := range found {
			if err := each(f); err != nil {
				return err
			}
			after = &f.Key
		}
		if len(found) < textPage {
			return nil
		}
	}
}

// Read calls each for every text that contains one of these words, with the account that the column of this name has.
func (t *Texts) Read(ctx context.Context, account string, words []string,
	each func(text string, account int64) error) error {
	err := t.walk(ctx, pgx.Identifier{account}.Sanitize(), words, func(f foundText) error {
		return each(f.Text, f.Account)
	})
	if err != nil {
		return fmt.Errorf("read texts of %s: %w", t.table, err)
	}
	return nil
}

// Rewrite calls each for every text that contains one of these words, and replaces the text by the result, unless
// the text was changed meanwhile. If each returns the text unchanged, nothing is written.
func (t *Texts) Rewrite(ctx context.Context, words []string, each func(key, text string) (string, error)) error {
	return t.walk(ctx, "0", words, func(f foundText) error {
		text, err := each(f.Key, f.Text)
		if err != nil || text == f.Text {
			return err
		}
		if _, err := t.conn.Exec(ctx, `update `+t.table+` set `+t.column+` = $2::text::`+t.textType+`
			where `+t.key+` = $1::text::`+t.keyType+` and `+t.column+`::text = $3`, f.Key, text, f.Text); err != nil {
			return fmt.Errorf("write %s %s: %w", t.table, f.Key, err)
		}
		return nil
	})
}
