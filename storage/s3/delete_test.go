package s3

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

// deleting is a client with objects to delete.
type deleting struct {
	*Client
	proxy  *faultyProxy
	bucket string
	keys   []string
}

func newDeleting(t *testing.T, objects int, change ...func(*Options)) *deleting {
	t.Helper()
	s := s3test.Start(t)
	d := &deleting{proxy: newFaultyProxy(t, s, false), bucket: "deleting-1"}
	d.Client = d.proxy.client(t, s, change...)
	for i := range objects {
		d.keys = append(d.keys, fmt.Sprintf("tails/%03d", i))
	}
	return d
}

// deletes puts the objects, deletes all of them while the store does this with calls for several, and returns the
// methods of its calls.
func (d *deleting) deletes(t *testing.T, f fault) (methods string, err error) {
	t.Helper()
	for _, key := range d.keys {
		at := file.Location{Bucket: d.bucket, Key: key}
		if _, err := d.Put(t.Context(), at, "x/y", bytes.NewReader(nil), 0); err != nil {
			t.Fatal(err)
		}
	}
	times := 0
	if f != nil {
		times = 100
	}
	d.proxy.harm(http.MethodPost, "delete", times, f)
	err = d.DeleteAll(t.Context(), d.bucket, d.keys)
	for _, r := range d.proxy.requests() {
		methods += " " + r.Method
		if r.Method == http.MethodPost && (r.Header.Get("Content-Md5") == "" || r.Header.Get("X-Amz-Checksum-Crc32") == "") {
			t.Errorf("without a sum: %v", r.Header)
		}
	}
	left, failed := d.List(t.Context(), d.bucket, "", "")
	if failed != nil {
		t.Fatal(failed)
	}
	if len(left) > 0 && err == nil {
		t.Errorf("%d are left, and nothing was said", len(left))
	}
	return strings.TrimSpace(methods), err
}

// Several objects are one call.
func TestDeleteObjects(t *testing.T) {
	d := newDeleting(t, 3)
	if methods, err := d.deletes(t, nil); methods != "POST" || err != nil {
		t.Error(methods, err)
	}
	d.keys = d.keys[:1]
	if methods, err := d.deletes(t, nil); methods != "DELETE" || err != nil {
		t.Error(methods, err)
	}
}

// A store that does not delete several objects in one call deletes them one by one, in whatever form it refuses, and
// is not asked again.
func TestDeleteObjectsRefused(t *testing.T) {
	for name, f := range map[string]fault{
		"501": answers(501, "NotImplemented"), "405": answers(405, "MethodNotAllowed"), "403": answers(403, "AccessDenied"),
		"400": answers(400, "MissingContentMD5"), "another server's 404": answers(404, ""),
		"says nothing": func(_ *faultyProxy, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			fmt.Fprint(w, `<DeleteResult></DeleteResult>`)
		},
		"an empty 200": func(*faultyProxy, http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDeleting(t, 3)
			if methods, err := d.deletes(t, f); methods != "POST DELETE DELETE DELETE" || err != nil {
				t.Error(methods, err)
			}
			if methods, err := d.deletes(t, f); methods != "DELETE DELETE DELETE" || err != nil {
				t.Error("the second time:", methods, err)
			}
		})
	}
	q, _ := Google.Quirks()
	d := newDeleting(t, 2, func(o *Options) { o.Quirks.NoDeleteObjects = q.NoDeleteObjects })
	if methods, err := d.deletes(t, answers(500, "InternalError")); methods != "DELETE DELETE" || err != nil {
		t.Error("a store that is known not to do it:", methods, err)
	}
}

// A fault that may pass is met by another attempt. One that stays is an error, and says nothing about what the store
// can do.
func TestDeleteObjectsFails(t *testing.T) {
	d := newDeleting(t, 3)
	tries := strings.TrimSpace(strings.Repeat("POST ", maxTries))
	if methods, err := d.deletes(t, answers(503, "SlowDown")); methods != tries || err == nil {
		t.Error(methods, err)
	}
	if methods, err := d.deletes(t, nil); methods != "POST" || err != nil {
		t.Error("afterwards:", methods, err)
	}
	said := func(_ *faultyProxy, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprintf(w, `<DeleteResult><Deleted><Key>%s</Key></Deleted><Error><Key>%s</Key><Code>NoSuchKey</Code></Error>`+
			`<Error><Key>%s</Key><Code>InternalError</Code><Message>worn out</Message></Error></DeleteResult>`,
			d.keys[0], d.keys[1], d.keys[2])
	}
	methods, err := d.deletes(t, said)
	if methods != "POST" || err == nil || !strings.Contains(err.Error(), d.keys[2]) ||
		strings.Contains(err.Error(), d.keys[1]) {
		t.Error("one of them fails:", methods, err)
	}
}
