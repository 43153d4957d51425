package s3

import (
	"testing"

	"holdfast/internal/test/s3test"
	"holdfast/storage/storagetest"
)

// allowed are deviations from the contract of storage.Store that Holdfast never meets, or that it bears. docs/STORES.md
// has each with its reason.
var allowed = map[string][]storagetest.Quirk{
	"SeaweedFS": {storagetest.PlainKeys, storagetest.OddUploads, storagetest.EmptyWhenCut},
	"MinIO":     {storagetest.PlainKeys, storagetest.OddUploads, storagetest.WaitsForReaders},
	"versitygw": {storagetest.PlainKeys, storagetest.CompletesUnknown},
	"S3Mock":    {storagetest.PlainKeys, storagetest.OddUploads},
	"moto":      {storagetest.PlainKeys, storagetest.OddUploads},
}

// without are the tests that a mock fails. It is no store for files, but for the tests of programs.
var without = map[string]map[string]string{
	"S3Mock": {
		"reading/replaced": "an object that is replaced is read as a mixture",
		"multipart/order":  "the last part must have the highest of all numbers that were stored",
		"multipart/late":   "a completion that comes late is 500",
		"multipart/abort":  "the end of a multipart upload removes the object under its key",
		"copy":             "a copy keeps the media type of its source",
		"copy_parts":       "a source that is too short is copied as far as it goes",
	},
	"moto": {
		"sizes":           "checksums are not compared",
		"listing/begun":   "multipart uploads were begun in 2010",
		"multipart/late":  "a part for an upload that is not there is 500",
		"multipart/abort": "a part for an upload that is not there is 500",
		"multipart/list":  "a list of parts has no second page",
		"copy":            "conditions of a copy are not looked at",
		"copy_parts":      "conditions of a copy are not looked at",
	},
}

// The contract holds for every store whose program is on this machine. `make stores` installs them.
func TestStores(t *testing.T) {
	for _, p := range s3test.Programs() {
		t.Run(p.Name, func(t *testing.T) {
			if _, missing := p.Find(); missing != "" {
				t.Skipf("%s is not here (%s): `make stores` installs it", p.Name, missing)
			}
			quirks, known := Kind(p.Kind).Quirks()
			if !known {
				t.Fatalf("no quirks of the kind %q", p.Kind)
			}
			s := p.Start(t)
			c := New(Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
				Quirks: quirks})
			t.Cleanup(c.Close)
			t.Cleanup(func() { p.Note(t, "suite", !t.Failed()) })
			storagetest.RunWithout(t, c, without[p.Name], allowed[p.Name]...)
		})
	}
}
