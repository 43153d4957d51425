package cli

import (
	"fmt"

	"holdfast/edge"
)

type versionCommand struct{}

// Run prints the version. It reads no settings.
func (versionCommand) Run(p *program) error {
	version, revision, goVersion := edge.Version()
	_, err := fmt.Fprintf(p.stdout, "holdfast %s (commit %s, %s)\n", version, revision, goVersion)
	return err
}
