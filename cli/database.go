package cli

import (
	"holdfast/config"
	"holdfast/db"
	"holdfast/service"
)

// openDatabase reads the settings and opens the service's database, for a command that runs
// beside the service and waits for nothing.
func (p *program) openDatabase() (*db.DB, error) {
	c, err := p.settings()
	if err != nil {
		return nil, err
	}
	return p.database(c)
}

func (p *program) database(c config.Config) (*db.DB, error) { return service.OpenDatabase(p.ctx, c) }
