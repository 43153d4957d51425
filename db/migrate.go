package db

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"

	"holdfast/internal/filelock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is not goose's default, so that another program may use goose in the same database.
const versionTable = "holdfast_migrations"

// migratePostgres holds an advisory lock while it migrates, so that of several replicas that start at the same time
// only one does the work. The others try to get the lock every second, for an hour.
func migratePostgres(ctx context.Context, conn *sql.DB) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 3600))
	if err != nil {
		return err
	}
	return migrate(ctx, conn, database.DialectPostgres, `"C"`, goose.WithSessionLocker(locker))
}

// migrateSQLite holds a file lock while it migrates: the service and a command such as "token create" may start at
// the same time on one data folder.
func migrateSQLite(ctx context.Context, conn *sql.DB, path string) error {
	unlock, err := filelock.Wait(ctx, path+".migrate.lock")
	if err != nil {
		return err
	}
	defer unlock()
	return migrate(ctx, conn, database.DialectSQLite3, "binary")
}

// migrateMemory takes no lock: nobody else has the database.
func migrateMemory(ctx context.Context, conn *sql.DB) error {
	return migrate(ctx, conn, database.DialectSQLite3, "binary")
}

// migrate brings the tables up to date. byBytes is the database's name for the collation that compares bytes, as S3
// does.
func migrate(ctx context.Context, conn *sql.DB, dialect database.Dialect, byBytes string,
	options ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	store, err := database.NewStore(dialect, versionTable)
	if err != nil {
		return err
	}
	options = append(options, goose.WithStore(store), goose.WithGoMigrations(filesInOrder(byBytes)))
	p, err := goose.NewProvider("", conn, files, options...)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// filesInOrder is the index for reading an account's files in the order in which S3 lists their objects. It is the
// only SQL of the migrations that differs between the databases.
func filesInOrder(byBytes string) *goose.Migration {
	return goose.NewGoMigration(40, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `create index files_in_order on files (account_id, file_id collate `+byBytes+`)`)
		return err
	}}, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `drop index files_in_order`)
		return err
	}})
}
