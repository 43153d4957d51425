package db

import (
	"context"
	"database/sql"
	"strings"

	"holdfast/file"
)

// CreateToken stores a token under its hash.
func (d *DB) CreateToken(ctx context.Context, t file.Token) error {
	_, err := d.exec(ctx, "create token", `
		insert into tokens (id, hash, name, user_id, account_id, created, expires, groups) values ($1, $2, $3, $4, $5, {now},
		$6, $7)`,
		t.ID, t.Hash, t.Name, t.UserID, t.AccountID,
		sql.NullInt64{Int64: t.ExpiresAt.UnixMilli(), Valid: !t.ExpiresAt.IsZero()}, strings.Join(t.Groups, "\n"))
	return err
}

// Token finds a valid token by its hash.
func (d *DB) Token(ctx context.Context, hash []byte) (file.Token, error) {
	t := file.Token{Hash: hash}
	var expires sql.NullInt64
	var groups string
	err := d.row(ctx, "read token", `
		select id, name, user_id, account_id, expires, groups from tokens
		where hash = $1 and revoked is null and (expires is null or expires > {now})`, []any{hash},
		&t.ID, &t.Name, &t.UserID, &t.AccountID, &expires, &groups)
	t.ExpiresAt, t.Groups = fromMillis(expires), splitGroups(groups)
	return t, err
}

// Tokens lists all tokens, oldest first.
func (d *DB) Tokens(ctx context.Context) (tokens []file.Token, err error) {
	err = d.rows(ctx, "list tokens",
		`select id, name, user_id, account_id, created, expires, revoked, groups from tokens order by created, id`, nil,
		func(scan func(...any) error) error {
			var t file.Token
			var created, expires, revoked sql.NullInt64
			var groups string
			err := scan(&t.ID, &t.Name, &t.UserID, &t.AccountID, &created, &expires, &revoked, &groups)
			t.Groups = splitGroups(groups)
			t.CreatedAt, t.ExpiresAt, t.RevokedAt = fromMillis(created), fromMillis(expires), fromMillis(revoked)
			tokens = append(tokens, t)
			return err
		})
	return tokens, err
}

// RevokeToken ends a token; the error is file.ErrNotFound if there is no valid one with this id.
func (d *DB) RevokeToken(ctx context.Context, id string) error {
	n, err := d.exec(ctx, "revoke token", `update tokens set revoked = {now} where id = $1 and revoked is null`, id)
	if err == nil && n == 0 {
		err = file.Refuse(file.ErrNotFound, "no valid token %q", id)
	}
	return err
}

func splitGroups(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
