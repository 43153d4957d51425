package storage

import (
	"strings"
	"testing"
)

func TestTraces(t *testing.T) {
	l := Layout{BucketPrefix: "x"}
	for bucket, want := range map[string]int64{"x-7": 7, "x-07": 0, "x-0": 0, "x--7": 0, "x-": 0, "xy-7": 0, "x-7a": 0,
		"y-7": 0, "x-+7": 0} {
		if id, ours := l.Account(bucket); ours != (want > 0) || ours && id != want {
			t.Errorf("%s: %d %v", bucket, id, ours)
		}
	}
	for key, want := range map[string]string{"a b": "a b", "a/b": "a/b", "tails/u/1-2": "u", TailKey("v", 1, 2): "v",
		FencedKey("v", 3): "v", FencedKey("a/b", 3): "a/b", "objects/v": "objects/v", "objects/v/03": "objects/v/03",
		"objects/v/x": "objects/v/x"} {
		if id, tail, err := Owner(key); err != nil || string(id) != want || tail != (key[0] == 't') {
			t.Errorf("%s: %s %v %v", key, id, tail, err)
		}
	}
	for _, key := range []string{"", "a/", "tails/", "tails//1-2", ".."} {
		if id, _, err := Owner(key); err == nil {
			t.Errorf("%q is %q's", key, id)
		}
	}
}

// What may be removed without a row is only what NewProbe made: ids of imported files may be any text.
func TestProbes(t *testing.T) {
	made := NewProbe("x-1")
	if made.Bucket != "x-1" || !IsProbe(made.Key) || made == NewProbe("x-1") {
		t.Errorf("made: %v", made)
	}
	id := made.Key[len(Probes):]
	for _, key := range []string{"", Probes, id, "tails/" + made.Key, Probes + "film.mp4", made.Key + "/1", made.Key + "0",
		Probes + strings.ToUpper(id), Probes + strings.ReplaceAll(id, "-", "")} {
		if IsProbe(key) {
			t.Errorf("%q is taken for a probe", key)
		}
	}
}
