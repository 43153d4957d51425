package db

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"holdfast/file"
)

// Kinds of rows in the table of grants.
const (
	grantPublic  = "public"
	grantAccount = "account"
	grantUser    = "user"
	grantGroup   = "group"
	grantToken   = "token"
)

// Grant reads a file's grant. A file without one is private.
func (d *DB) Grant(ctx context.Context, id file.ID) (file.Grant, error) {
	g := file.Grant{Access: file.Private}
	err := d.rows(ctx, "read grant", `select kind, name from grants where file_id = $1`, []any{id},
		func(scan func(...any) error) error {
			var kind, name string
			if err := scan(&kind, &name); err != nil {
				return err
			}
			return addGrant(&g, kind, name)
		})
	if err != nil {
		return file.Grant{}, err
	}
	// Sorted in Go, not in SQL: databases compare texts differently, and users are numbers.
	slices.Sort(g.Users)
	slices.Sort(g.Groups)
	slices.Sort(g.Tokens)
	return g, nil
}

func addGrant(g *file.Grant, kind, name string) error {
	g.Access = file.Restricted
	switch kind {
	case grantPublic:
		g.Access = file.Public
	case grantAccount:
		g.Access = file.Account
	case grantUser:
		user, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return err
		}
		g.Users = append(g.Users, user)
	case grantGroup:
		g.Groups = append(g.Groups, name)
	case grantToken:
		g.Tokens = append(g.Tokens, name)
	default: // of a newer version; ignoring it could grant more than was meant
		return fmt.Errorf("a grant of kind %q", kind)
	}
	return nil
}

// SetGrant replaces a file's grant. The error is file.ErrNotFound if there is no such file.
func (d *DB) SetGrant(ctx context.Context, id file.ID, g file.Grant) error {
	return d.tx(ctx, "set grant", func(tx *transaction) error {
		// Locks the row: concurrent SetGrants run one after the other, and the file can't be deleted meanwhile.
		n, err := exec(ctx, tx, "lock record", `update files set file_id = file_id where file_id = $1`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return file.NotFound(id)
		}
		if _, err := exec(ctx, tx, "clear grant", `delete from grants where file_id = $1`, id); err != nil {
			return err
		}
		for _, row := range grantRows(g) {
			if _, err := exec(ctx, tx, "set grant", `insert into grants (file_id, kind, name) values ($1, $2, $3)`, id, row.kind,
				row.name); err != nil {
				return err
			}
		}
		return nil
	})
}

type grantRow struct{ kind, name string }

func grantRows(g file.Grant) (rows []grantRow) {
	switch g.Access {
	case file.Public:
		return []grantRow{{grantPublic, ""}}
	case file.Account:
		return []grantRow{{grantAccount, ""}}
	}
	for _, user := range g.Users {
		rows = append(rows, grantRow{grantUser, strconv.FormatInt(user, 10)})
	}
	for _, name := range g.Groups {
		rows = append(rows, grantRow{grantGroup, name})
	}
	for _, fingerprint := range g.Tokens {
		rows = append(rows, grantRow{grantToken, fingerprint})
	}
	return rows
}
