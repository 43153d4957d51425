//go:build unix

package cli

import (
	"fmt"

	"holdfast/config"
	"holdfast/service"
)

const acceptHelp = "Take the embedded store that is in DATA_DIR, or an empty one, for the store of this database. " +
	"Otherwise the service refuses to start with it."

type storeCommands struct {
	Accept acceptStoreCommand `cmd:"" help:"${accept_help}"`
	CORS   corsCommand        `cmd:"" name:"cors" help:"Show from which pages parts may be sent to the store, or set it."`
}

type acceptStoreCommand struct{}

// Run accepts the store in the data folder as the database's.
func (*acceptStoreCommand) Run(p *program) error {
	c, err := p.settings()
	if err != nil {
		return err
	}
	if c.Storage.Type != config.Embedded {
		return wrongArguments("store accept is for the embedded store")
	}
	if err := service.AcceptStore(p.ctx, c); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "the store in %s is the database's now; holdfast reconcile lists what it lacks\n",
		c.DataDir)
	return err
}
