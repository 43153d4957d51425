package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"holdfast/config"
)

type settingsCommand struct{}

// Run prints all that can be set, not what is set.
func (settingsCommand) Run(p *program) error {
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
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
