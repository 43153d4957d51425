package reconcile

import (
	"encoding/json"
	"fmt"
	"io"
)

// Table reports findings as lines for people.
func Table(w io.Writer) func(Finding) error {
	head := false
	return func(f Finding) error {
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

// JSON reports findings as lines of JSON for programs.
func JSON(w io.Writer) func(Finding) error {
	e := json.NewEncoder(w)
	return func(f Finding) error {
		return e.Encode(struct {
			Finding
			Bucket string `json:"bucket"`
			Key    string `json:"key"`
		}{f, f.At.Bucket, f.At.Key})
	}
}

// String is the summary in one sentence.
func (s Summary) String() string {
	return fmt.Sprintf("%d records and %d objects (%d bytes) were compared: %d findings, %d of them repaired; %d objects are too young to be judged.",
		s.Records, s.Objects, s.Bytes, s.Found, s.Fixed, s.Young)
}

// Clean reports whether nothing is left to do.
func (s Summary) Clean() bool { return s.Found == s.Fixed }
