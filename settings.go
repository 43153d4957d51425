package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"holdfast/config"
)

// printSettings is what `holdfast settings` says: all that can be set, not what is set.
func printSettings(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	group := ""
	for _, s := range config.Settings() {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(t, "\n%s\n", group)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Name, s.Default, strings.ReplaceAll(s.Meaning, "`", ""))
	}
	return t.Flush()
}
