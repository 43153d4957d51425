package importer

import (
	"strings"
	"testing"

	"holdfast/file"
)

// What a database has no room for, and ids whose addresses are the service's own, are wrong lines. What is just within
// is right.
func TestLinesWithoutRoom(t *testing.T) {
	usage := func(id file.ID) bool { return id == "usage" }
	for _, c := range []struct{ columns, right, wrong, why string }{
		{"account,path", "2147483647,x", "2147483648,x", "account must be a number of at least 1 and at most 2147483647"},
		{"account,path,user", "1,x,2147483647", "1,x,3000000000", "user must be a number of at least 1 and at most 2147"},
		{"account,path,size", "1,x,5497558138880", "1,x,5497558138881", "size must be"},
		{"account,path", "1," + strings.Repeat("x", 2680), "1," + strings.Repeat("x", 2681), "the source has 2681 bytes"},
		{"account,path,id", "1,x,usages", "1,x,usage", "can't be an id: that address is one of the service's own"},
		{"account,path,id", "1,x,usage/a", "1,x,/usage", "can't be an id"},
		{"account,path,created", "1,x,0001-01-01T00:00:01Z", "1,x,0001-01-01T00:00:00Z", "created must be a time"},
		{"account,path,created", "1,x,0001-01-01T01:00:01+01:00", "1,x,0001-01-01T00:59:59+01:00", "created must be a time"},
		{"account,path,created", "1,x,9999-12-31T22:59:59-01:00", "1,x,9999-12-31T23:59:59-01:00", "created must be a time"},
	} {
		n := 0
		read := func(line string) error {
			text := strings.NewReader(c.columns + "\n" + line + "\n")
			return ReadManifest(text, usage, func(Item) error { n++; return nil })
		}
		if err := read(c.right); err != nil || n != 1 {
			t.Errorf("%.60q: %v, read: %d", c.right, err, n)
		}
		err := read(c.wrong)
		if _, ok := err.(Faults); !ok || n != 1 || !strings.Contains(err.Error(), "line 2: ") ||
			!strings.Contains(err.Error(), c.why) {
			t.Errorf("%.60q: %v, read: %d, want %q", c.wrong, err, n, c.why)
		}
	}
	invalid := strings.NewReader("{\"account\": 1, \"path\": \"a\xff\"}\n")
	if err := ReadManifest(invalid, free, func(Item) error { return nil }); err == nil {
		t.Error("JSON that is not UTF-8 is read as if it had other characters")
	}
}
