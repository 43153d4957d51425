//go:build unix

package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"holdfast/reconcile"
)

// reportTable reports findings as lines for people.
func reportTable(w io.Writer) func(reconcile.Finding) error {
	head := false
	return func(f reconcile.Finding) error {
		const columns = "%-20s  %-8v  %-36s  %-10s  %s\n"
		if !head {
			head = true
			fmt.Fprintf(w, columns, "KIND", "ACCOUNT", "FILE", "DONE", "DETAIL")
		}
		done := f.Done
		if done == "" {
			done = "-"
		}
		_, err := fmt.Fprintf(w, columns, f.Kind, f.Account, f.ID, done, f.Detail)
		return err
	}
}

// reportJSON reports findings as lines of JSON for programs.
func reportJSON(w io.Writer) func(reconcile.Finding) error {
	e := json.NewEncoder(w)
	return func(f reconcile.Finding) error {
		return e.Encode(struct {
			reconcile.Finding
			Bucket string `json:"bucket"`
			Key    string `json:"key"`
		}{f, f.At.Bucket, f.At.Key})
	}
}
