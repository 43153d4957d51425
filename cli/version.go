package cli

import (
	"encoding/json"
	"fmt"

	"holdfast/internal/version"
)

type versionCommand struct {
	JSON bool `name:"json" help:"Print one line of JSON."`
}

// Run prints the version. It reads no settings.
func (c versionCommand) Run(p *program) error {
	b := version.Of()
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(b)
	}
	modified := ""
	if b.Modified {
		modified = ", modified"
	}
	_, err := fmt.Fprintf(p.stdout, "holdfast %s (commit %s%s, %s, %s)\n", b.Version, b.Commit, modified, b.Go, b.Platform)
	return err
}
