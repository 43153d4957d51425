package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"holdfast/internal/version"
)

func newVersion(p *program) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit and how it was built.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return printVersion(p.stdout, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "Print one line of JSON.")
	return c
}

// printVersion reads no settings.
func printVersion(w io.Writer, asJSON bool) error {
	b := version.Of()
	if asJSON {
		return json.NewEncoder(w).Encode(b)
	}
	modified := ""
	if b.Modified {
		modified = ", modified"
	}
	_, err := fmt.Fprintf(w, "holdfast %s (commit %s%s, %s, %s)\n", b.Version, b.Commit, modified, b.Go, b.Platform)
	return err
}
