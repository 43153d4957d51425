package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

// disorder is a service whose database and store differ in every known way.
type disorder struct {
	*server
	backing
	kept map[string][]byte // files that are in order, by id
	want map[string]string // the findings, and what a run should do about each

	good                                         string // a file in order, with objects beside it
	missing, short, replaced, rotten, unrecorded string // files whose object or record is wrong
	withoutTail, withoutParts                    string // uploads that lost bytes
	unknown, stranger, foreign, young            string // objects without a record, or with another program's
}

func newDisorder(t *testing.T) *disorder {
	t.Helper()
	b := startBacking(t)
	d := &disorder{server: start(t, servers(b.pg, b.s3)...), backing: b, kept: map[string][]byte{}}
	d.token = d.run("token", "create", "--user", "1", "--account", "1")
	keep := func(n int) string {
		content := random(n)
		url, _ := d.upload(t, content)
		d.kept[path.Base(url)] = content
		return path.Base(url)
	}
	begin := func(n int) (id string) {
		a := d.do(t, "POST", "/files/tus/", random(n), "Upload-Length: "+strconv.Itoa(20*mebi), octets)
		if a.status != 201 {
			t.Fatal(a)
		}
		return path.Base(a.header.Get("Location"))
	}
	keep(0)
	d.good = keep(20 * mebi)
	d.missing, d.short, d.replaced, d.rotten, d.unrecorded = keep(1000), keep(2000), keep(3000), keep(4000), keep(5000)
	begin(9*mebi + 1000) // stays as it is
	d.withoutTail, d.withoutParts = begin(mebi), begin(8*mebi)
	if found, clean := d.reconcile(t, "--deep"); len(found) != 0 || !clean {
		t.Fatalf("nothing is wrong yet, found: %v", found)
	}
	d.unknown, d.stranger, d.young = string(file.NewID()), string(file.NewID()), string(file.NewID())
	d.foreign = "old 1ö.pdf"
	d.damageFiles(t)
	d.damageUploads(t)
	d.leaveObjects(t)
	return d
}

// damageFiles removes, replaces and changes objects, and removes a record.
func (d *disorder) damageFiles(t *testing.T) {
	t.Helper()
	d.remove(t, d.missing)
	d.backing.put(t, bucket, d.short, []byte("short"))
	d.backing.put(t, bucket, d.replaced, bytes.Repeat([]byte("x"), 3000))
	rot, err := os.OpenFile(d.s3.Path(bucket, d.rotten), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	rot.WriteAt([]byte("rotten"), 17)
	rot.Close()
	d.sql(t, `delete from files where file_id = $1`, d.unrecorded)
	for _, id := range []string{d.missing, d.short, d.replaced, d.rotten, d.unrecorded} {
		delete(d.kept, id)
	}
}

// damageUploads removes the bytes of unfinished uploads.
func (d *disorder) damageUploads(t *testing.T) {
	t.Helper()
	for _, o := range d.objects(t) {
		if strings.HasPrefix(*o.Key, "tails/"+d.withoutTail) {
			d.remove(t, *o.Key)
		}
	}
	for _, m := range d.multiparts(t) {
		if *m.Key == d.withoutParts {
			if _, err := d.backing.store().AbortMultipartUpload(t.Context(),
				&s3.AbortMultipartUploadInput{Bucket: aws.String(bucket),
					Key: m.Key, UploadId: m.UploadId}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// leaveObjects stores objects, tails and multipart uploads that no row names. All but the last are old.
func (d *disorder) leaveObjects(t *testing.T) {
	t.Helper()
	const otherBucket = "pneumatic-dev-test-99"
	for _, b := range []string{otherBucket, noAccounts} {
		if _, err := d.backing.store().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b}); err != nil {
			t.Fatal(err)
		}
	}
	d.backing.put(t, bucket, d.unknown, random(100))
	d.backing.put(t, otherBucket, d.stranger, random(100))
	d.kept[d.foreign] = random(700)
	d.backing.put(t, bucket, d.foreign, d.kept[d.foreign])
	d.sql(t, `insert into files (file_id, size, content_type, filename, user_id, account_id) values ($1, 0,
		'application/pdf', 'old.pdf', 1, 1)`, d.foreign)
	d.backing.put(t, bucket, "tails/"+d.good+"/1-5", random(5))
	d.backing.put(t, bucket, "tails/"+d.unknown+"/1-5", random(5))
	d.backing.put(t, bucket, "objects/"+d.good+"/7", random(5)) // a late write of a replica that died
	d.beginMultipart(t, d.good)
	d.beginMultipart(t, d.unknown)
	d.leaveProbes(t)
	d.s3.Age(t, 72*time.Hour)
	d.backing.put(t, bucket, d.young, random(100))
	d.backing.put(t, bucket, "tails/"+d.young+"/1-5", random(5))
	d.backing.put(t, bucket, "tails/"+d.good+"/2-6", random(5))
	d.beginMultipart(t, d.young)
	d.backing.put(t, bucket, "probes/"+d.young, random(5))
}

// noAccounts is the bucket in which probes are made while there is no account's.
const noAccounts = "pneumatic-dev-test-0"

// leaveProbes stores what processes have left that were killed while they looked at what the store can do: two objects
// and a multipart upload. Beside them another program's files have keys that are alike.
func (d *disorder) leaveProbes(t *testing.T) {
	t.Helper()
	d.backing.put(t, bucket, "probes/"+d.good, random(5))
	d.backing.put(t, noAccounts, "probes/"+d.stranger, random(5))
	d.beginMultipart(t, "probes/"+d.missing)
	d.backing.put(t, bucket, "probes/notes.txt", random(5))
	for _, key := range []string{"probes/" + d.unknown, "probes/film.mp4"} {
		d.kept[key] = random(700)
		d.backing.put(t, bucket, key, d.kept[key])
		d.sql(t, `insert into files (file_id, size, content_type, filename, user_id, account_id) values ($1, 700, 'video/mp4',
			'film.mp4', 1, 1)`, key)
	}
}

// probes lists the keys of the probes that are left, with their buckets.
func (d *disorder) probes(t *testing.T) (keys []string) {
	t.Helper()
	for _, b := range []string{bucket, noAccounts} {
		out, err := d.backing.store().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &b,
			Prefix: aws.String("probes/")})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Contents {
			keys = append(keys, b+"/"+*o.Key)
		}
	}
	for _, m := range d.multiparts(t) {
		if strings.HasPrefix(*m.Key, "probes/") {
			keys = append(keys, *m.Key+" (parts)")
		}
	}
	return keys
}

// findings are what reconcile should find.
func (d *disorder) findings() map[string]string {
	found := map[string]string{"wrong-usage ": ""} // of the record that was deleted by hand
	for kind, ids := range map[string][]string{
		"missing-object": {d.missing}, "wrong-size": {d.short}, "replaced-object": {d.replaced}, "wrong-content": {d.rotten},
		"unhealed-record": {d.foreign, "probes/" + d.unknown, "probes/film.mp4"},
		"left-probe":      {"probes/" + d.good, "probes/" + d.stranger, "probes/" + d.missing},
		"unknown-object":  {d.unknown, d.stranger, "probes/notes.txt"}, "unrecorded-object": {d.unrecorded},
		"left-object": {d.good}, "left-tail": {d.good}, "unknown-tail": {d.unknown}, "left-multipart": {d.good},
		"unknown-multipart": {d.unknown}, "upload-without-tail": {d.withoutTail}, "upload-without-parts": {d.withoutParts},
	} {
		for _, id := range ids {
			found[kind+" "+id] = ""
		}
	}
	return found
}

// finds runs reconcile and compares the findings.
func (d *disorder) finds(t *testing.T, args ...string) {
	t.Helper()
	found, clean := d.reconcile(t, args...)
	if diff := cmp.Diff(d.want, found); diff != "" || clean {
		t.Errorf("reconcile %v, clean: %v:\n%s", args, clean, diff)
	}
}

// repairs runs reconcile, which should repair these findings. Afterwards they are gone.
func (d *disorder) repairs(t *testing.T, done map[string]string, args ...string) {
	t.Helper()
	maps.Copy(d.want, done)
	d.finds(t, args...)
	for finding := range done {
		delete(d.want, finding)
	}
}

// Every difference between database and store is created once. reconcile finds each of them and nothing else, and
// repairs what is safe. It removes unknown objects only if it is told to, and never young ones.
func TestReconcile(t *testing.T) {
	t.Parallel()
	d := newDisorder(t)
	d.want = d.findings()
	before := len(d.objects(t))
	d.countsOnce(t, before+2) // one each in the two other buckets
	d.finds(t, "--deep", "--jobs", "2")
	if n := len(d.objects(t)); n != before {
		t.Errorf("looking has changed the store: %d objects, %d before", n, before)
	}
	d.repairs(t, map[string]string{"unhealed-record " + d.foreign: "healed", "left-object " + d.good: "removed",
		"left-tail " + d.good: "removed", "left-multipart " + d.good: "removed", "wrong-usage ": "corrected",
		"unhealed-record probes/" + d.unknown: "healed", "unhealed-record probes/film.mp4": "healed",
		"left-probe probes/" + d.good:     "removed",
		"left-probe probes/" + d.stranger: "removed", "left-probe probes/" + d.missing: "removed",
		"upload-without-tail " + d.withoutTail: "upload ended", "upload-without-parts " + d.withoutParts: "upload ended"},
		"--deep", "--fix")
	d.finds(t, "--deep")
	if n := d.number(t, `select count(*) from files where file_id = $1 and size = 700 and etag <> '' and length(sha256) =
		32`, d.foreign); n != 1 {
		t.Error("the record of the other program is not healed")
	}
	delete(d.want, "wrong-content "+d.rotten) // is only seen with --deep
	d.repairs(t, map[string]string{"unknown-object " + d.unknown: "removed", "unknown-object " + d.stranger: "removed",
		"unrecorded-object " + d.unrecorded: "removed", "unknown-tail " + d.unknown: "removed",
		"unknown-object probes/notes.txt": "removed",
		"unknown-multipart " + d.unknown:  "removed"}, "--delete-unknown")
	d.finds(t)
	d.keepsTheYoung(t)
	if left := d.probes(t); len(left) != 3 {
		t.Errorf("of the probes the young one is left, and two files of another program; the store has %q", left)
	}
	for id, content := range d.kept {
		d.holds(t, d.base+"/"+file.ID(id).Escaped(), content)
	}
	d.sweepsLeftovers(t)
}

// countsOnce checks that each object is counted once, whoever looks at it.
func (d *disorder) countsOnce(t *testing.T, objects int) {
	t.Helper()
	out, _ := d.command("reconcile", "--json").Output() // its status says that something was found
	var last struct {
		Summary struct{ Objects int }
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil || last.Summary.Objects != objects {
		t.Errorf("%d objects were counted, there are %d: %v", last.Summary.Objects, objects, err)
	}
}

func (d *disorder) keepsTheYoung(t *testing.T) {
	t.Helper()
	var keys []string
	for _, o := range d.objects(t) {
		keys = append(keys, *o.Key)
	}
	for _, key := range []string{d.young, "probes/" + d.young, "tails/" + d.young + "/1-5", "tails/" + d.good + "/2-6"} {
		if !slices.Contains(keys, key) {
			t.Errorf("%s was removed, and is young", key)
		}
	}
	if m := d.multiparts(t); !slices.ContainsFunc(m, func(m types.MultipartUpload) bool { return *m.Key == d.young }) {
		t.Error("a young multipart upload was aborted")
	}
}

// sweepsLeftovers waits for the service's own sweep: it removes a tail whose row proves that it is left over, and
// probes, and nothing else.
func (d *disorder) sweepsLeftovers(t *testing.T) {
	t.Helper()
	d.backing.put(t, noAccounts, "probes/"+d.good, random(5))
	d.s3.Age(t, 72*time.Hour)
	d.sweep(t)
	d.stop()
	d.restart()
	d.eventually("the left tail is removed", func() bool {
		return !slices.ContainsFunc(d.objects(t), func(o types.Object) bool { return *o.Key == "tails/"+d.good+"/2-6" }) &&
			len(d.probes(t)) == 2
	})
	if found, _ := d.reconcile(t); found["unknown-object "+d.young] != "" || found["unknown-tail "+d.young] != "" ||
		len(found) != len(d.want)+3 {
		t.Errorf("after the sweep: %v", found)
	}
}
