package db

import "context"

// storeIdentity is the name under which the identity of the store is kept.
const storeIdentity = "store identity"

// StoreIdentity returns the identity of the store that this database belongs to; empty if none was stored yet. used
// reports whether there are files, or uploads with bytes.
func (d *DB) StoreIdentity(ctx context.Context) (identity string, used bool, err error) {
	var value []byte
	err = d.row(ctx, "read store identity", `select value from secrets where name = $1`, []any{storeIdentity}, &value)
	if err != nil && !isNotFound(err) {
		return "", false, err
	}
	err = d.row(ctx, "look for files", `select exists (select 1 from files)
		or exists (select 1 from uploads where committed_offset > 0 and state <> 'deleted')`, nil, &used)
	return string(value), used, err
}

// NoteStore stores the identity of the store that this database belongs to, if there is none yet.
func (d *DB) NoteStore(ctx context.Context, identity string) error {
	_, err := d.Secret(ctx, storeIdentity, []byte(identity))
	return err
}

// Writable returns an error if the database is read-only, as a standby is. It changes nothing.
func (d *DB) Writable(ctx context.Context) error {
	_, err := d.exec(ctx, "write", `update chores set place = place where name = ''`)
	return err
}
