//go:build unix

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/config"
	"holdfast/service"
)

func newStore(p *program) *cobra.Command {
	return parent("store", "Accept another embedded store; CORS rules of an S3 store.", newAccept(p), newCORS(p))
}

func newAccept(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "accept",
		Short: "Accept the embedded store that is there.",
		Long: `Take the embedded store that is in DATA_DIR, or an empty one, for the store of
this database. Otherwise the service refuses to start with it.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return acceptStore(p) },
	}
}

// acceptStore accepts the store in the data folder as the database's.
func acceptStore(p *program) error {
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
