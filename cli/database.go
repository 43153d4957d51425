//go:build unix

package cli

import (
	"errors"

	"holdfast/config"
	"holdfast/db"
	"holdfast/service"
)

// withDatabase opens the service's database for a command that runs beside the service, calls do, and closes it.
// arguments is the error in the command's arguments, if any; errors in the settings are reported first.
func (p *program) withDatabase(arguments error, do func(*db.DB) error) (err error) {
	c, err := p.settings()
	if err == nil {
		err = arguments
	}
	if err != nil {
		return err
	}
	rows, err := p.database(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return do(rows)
}

func (p *program) database(c config.Config) (*db.DB, error) { return service.OpenDatabase(p.ctx, c) }
