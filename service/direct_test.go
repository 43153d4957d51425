package service

import (
	"testing"

	"holdfast/storage"
)

// The store is asked in a bucket of ours, never in one whose name only begins like ours.
func TestProbeIsInABucketOfOurs(t *testing.T) {
	l := storage.Layout{BucketPrefix: "files"}
	for _, test := range []struct {
		buckets []string
		want    string
	}{
		{nil, "files-0"},
		{[]string{"files-7"}, "files-7"},
		{[]string{"files-07", "files-12", "files-3"}, "files-12"},
		{[]string{"files-backup", "files-x-1"}, "files-0"},
	} {
		if got := firstOurs(l, test.buckets, "files-0"); got != test.want {
			t.Errorf("%v: %s, not %s", test.buckets, got, test.want)
		}
	}
}
