package db

import "context"

// Secret reads the secret of this name. The first call stores fresh; later calls return the stored one, so all
// replicas get the same secret.
func (d *DB) Secret(ctx context.Context, name string, fresh []byte) (value []byte, err error) {
	if _, err := d.exec(ctx, "keep secret", `insert into secrets (name, value, created) values ($1, $2, {now})
		on conflict (name) do nothing`, name, fresh); err != nil {
		return nil, err
	}
	err = d.row(ctx, "read secret", `select value from secrets where name = $1`, []any{name}, &value)
	return value, err
}
