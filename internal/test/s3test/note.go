package s3test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"
)

// ResultsFile is the variable of the environment with the file in which Note writes. `make stores` sets it.
const ResultsFile = "STORES_RESULTS"

// Result is what a run has shown of one store. The results of all stores are a JSON object, by the store's name.
type Result struct {
	Version string            `json:"version"`
	Date    string            `json:"date"` // of the last run, yyyy-mm-dd
	Tests   map[string]string `json:"tests"`
}

// What a test of a store can have come to.
const (
	Passed  = "yes"
	Failed  = "FAILED"
	Refused = "refused" // the service does not start with it
)

// Note writes down how a test of this store has ended, if there is a file for results.
func (p Program) Note(t testing.TB, test string, ok bool) {
	if ok {
		p.note(t, test, Passed)
	} else {
		p.note(t, test, Failed)
	}
}

// NoteRefused writes down that the service does not start with this store and these settings.
func (p Program) NoteRefused(t testing.TB, test string) { p.note(t, test, Refused) }

// note reads the file and writes it anew: tests of stores run one after the other.
func (p Program) note(t testing.TB, test, how string) {
	path := os.Getenv(ResultsFile)
	if path == "" {
		return
	}
	version, err := p.Version()
	if err != nil {
		t.Error("s3test: ", err)
		return
	}
	all, err := ReadResults(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error("s3test: ", err)
		return
	}
	if all == nil {
		all = map[string]Result{}
	}
	r := all[p.Name]
	if r.Version != version || r.Tests == nil {
		r.Tests = map[string]string{}
	}
	r.Version, r.Date, r.Tests[test] = version, time.Now().UTC().Format(time.DateOnly), how
	all[p.Name] = r
	b, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Error("s3test: ", err)
	}
}

// ReadResults reads the results of all stores.
func ReadResults(path string) (all map[string]Result, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(b, &all)
}
