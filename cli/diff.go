//go:build unix

package cli

import (
	"fmt"
	"io"
	"strings"
)

// printDiff prints the lines that differ between two texts which have the same number of them.
func printDiff(w io.Writer, name, old, now string) error {
	if old == now {
		return nil
	}
	if name == "" {
		name = "standard input"
	}
	before, after := strings.Split(old, "\n"), strings.Split(now, "\n")
	for i := range before {
		if before[i] != after[i] {
			if _, err := fmt.Fprintf(w, "%s:%d\n-%s\n+%s\n", name, i+1, before[i], after[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
