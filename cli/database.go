//go:build unix

package cli

import (
	"context"
	"errors"

	"holdfast/config"
	"holdfast/db"
	"holdfast/service"
)

// opener is service.OpenDatabase or service.CreateDatabase.
type opener = func(context.Context, config.Config) (*db.DB, error)

// withDatabase opens the service's database for a command that runs beside the service, calls do, and closes it.
// arguments is the error in the command's arguments, if any; errors in the settings are reported first.
func (p *program) withDatabase(arguments error, do func(*db.DB) error) error {
	return p.using(service.OpenDatabase, arguments, do)
}

// withNewDatabase is withDatabase for a command that may run before the service has made the database: it makes one.
func (p *program) withNewDatabase(arguments error, do func(*db.DB) error) error {
	return p.using(service.CreateDatabase, arguments, do)
}

func (p *program) using(open opener, arguments error, do func(*db.DB) error) (err error) {
	c, err := p.settings()
	if err == nil {
		err = arguments
	}
	if err != nil {
		return err
	}
	rows, err := open(p.ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return do(rows)
}
