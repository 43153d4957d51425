//go:build unix

package cli

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/config"
)

func newSettings(p *program) *cobra.Command {
	var asFile bool
	c := &cobra.Command{
		Use:   "settings",
		Short: "List all settings, their defaults and what they mean.",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			if asFile {
				return writeEnvFile(p.stdout, config.Settings())
			}
			return listSettings(p.stdout, config.Settings())
		},
	}
	c.Flags().BoolVar(&asFile, "env-file", false,
		"Print a file for EnvironmentFile or --env-file, with every setting commented out.")
	return c
}

// plainText returns Markdown as a terminal shows it: a link is its text, followed by its page if that has another name.
func plainText(markdown string) string {
	return regexp.MustCompile(`\[([^\]]*)\]\(([^)]*)\)`).ReplaceAllStringFunc(strings.ReplaceAll(markdown, "`", ""),
		func(link string) string {
			text, to, _ := strings.Cut(strings.Trim(link, "[)"), "](")
			switch {
			case strings.HasPrefix(to, "#"):
				return text + " in docs/OPERATIONS.md"
			case text == to:
				return "docs/" + to
			}
			return text + " in docs/" + to
		})
}

// listSettings prints all that can be set, not what is set.
func listSettings(w io.Writer, settings []config.Setting) error {
	t := newTable(w)
	group := ""
	for _, s := range settings {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(t.w, "\n%s\n", group)
		}
		t.row("  "+s.Name, s.Default, plainText(s.Meaning))
	}
	return t.flush()
}

// writeEnvFile prints each setting with its default, as a comment: the file changes nothing until a line's # is
// removed.
func writeEnvFile(w io.Writer, settings []config.Setting) error {
	var b strings.Builder
	b.WriteString("# Settings of Holdfast: NAME=value, one a line. What is commented out shows the default.\n")
	group := ""
	for _, s := range settings {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n##### %s #####\n", group)
		}
		b.WriteByte('\n')
		wrapped(&b, plainText(s.Meaning))
		fmt.Fprintf(&b, "#%s=%s\n", s.Name, s.Default)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrapped writes a text as lines of comments, of 100 characters at most where its words allow it.
func wrapped(b *strings.Builder, text string) {
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 100 && line != "#" {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
