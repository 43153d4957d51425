package e2e

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/jackc/pgx/v5"

	"holdfast/file"
)

// sql runs a statement in the database, past the program.
func (b backing) sql(t *testing.T, statement string, args ...any) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), b.pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// put stores an object past the program.
func (b backing) put(t *testing.T, bucket, key string, content []byte) {
	t.Helper()
	if _, err := b.store().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key,
		Body: bytes.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
}

func (b backing) remove(t *testing.T, key string) {
	t.Helper()
	if _, err := b.store().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket),
		Key: &key}); err != nil {
		t.Fatal(err)
	}
}

func (b backing) beginMultipart(t *testing.T, key string) {
	t.Helper()
	if _, err := b.store().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket),
		Key: &key}); err != nil {
		t.Fatal(err)
	}
}

// reconcile runs the command and returns what it found, as "kind id" with what was done, and
// whether it ended with status 0.
func (s *server) reconcile(t *testing.T, args ...string) (found map[string]string, clean bool) {
	t.Helper()
	cmd := s.command(append([]string{"reconcile", "--json"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	found = map[string]string{}
	for line := range bytes.Lines(out) {
		var f struct {
			Kind    string
			ID      string `json:"file_id"`
			Done    string
			Summary map[string]int64
		}
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if f.Summary != nil {
			t.Logf("reconcile %v: %v", args, f.Summary)
			return found, err == nil
		}
		if _, twice := found[f.Kind+" "+f.ID]; twice {
			t.Errorf("%s is found twice", line)
		}
		found[f.Kind+" "+f.ID] = f.Done
	}
	t.Fatalf("no summary: %v\n%s", err, &stderr)
	return nil, false
}

// Whatever can go wrong between database and store is planted once. reconcile finds each of
// them and nothing else, repairs what is safe, and removes what nobody knows only if it is
// told to, and not what is young.
func TestReconcile(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	s := start(t, servers(b.pg, b.s3)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	kept := map[string][]byte{}
	upload := func(n int) string {
		content := random(n)
		url, _ := s.upload(t, content)
		kept[path.Base(url)] = content
		return path.Base(url)
	}
	begin := func(n int) (id string) {
		a := s.do(t, "POST", "/files/tus/", random(n), "Upload-Length: "+strconv.Itoa(20*mebi), octets)
		if a.status != 201 {
			t.Fatal(a)
		}
		return path.Base(a.header.Get("Location"))
	}
	upload(0)
	good := upload(20 * mebi)
	missing, short, replaced, rotten, unrecorded := upload(1000), upload(2000), upload(3000), upload(4000), upload(5000)
	begin(9*mebi + 1000) // stays as it is
	withoutTail, withoutParts := begin(mebi), begin(8*mebi)
	if found, clean := s.reconcile(t, "--deep"); len(found) != 0 || !clean {
		t.Fatalf("nothing is wrong yet, found: %v", found)
	}

	unknown, stranger, foreign, young := string(file.NewID()), string(file.NewID()), "old 1ö.pdf", string(file.NewID())
	b.remove(t, missing)
	b.put(t, bucket, short, []byte("short"))
	b.put(t, bucket, replaced, bytes.Repeat([]byte("x"), 3000))
	rot, err := os.OpenFile(b.s3.Path(bucket, rotten), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	rot.WriteAt([]byte("rotten"), 17)
	rot.Close()
	b.sql(t, `delete from files where file_id = $1`, unrecorded)
	b.put(t, bucket, unknown, random(100))
	if _, err := b.store().CreateBucket(t.Context(),
		&s3.CreateBucketInput{Bucket: aws.String("pneumatic-dev-test-99")}); err != nil {
		t.Fatal(err)
	}
	b.put(t, "pneumatic-dev-test-99", stranger, random(100))
	kept[foreign] = random(700)
	b.put(t, bucket, foreign, kept[foreign])
	b.sql(t, `insert into files (file_id, size, content_type, filename, user_id, account_id) values ($1, 0,
		'application/pdf', 'old.pdf', 1, 1)`, foreign)
	b.put(t, bucket, "tails/"+good+"/1-5", random(5))
	b.put(t, bucket, "tails/"+unknown+"/1-5", random(5))
	b.put(t, bucket, "objects/"+good+"/7", random(5)) // a dead replica's, which landed after all
	b.beginMultipart(t, good)
	b.beginMultipart(t, unknown)
	for _, o := range b.objects(t) {
		if strings.HasPrefix(*o.Key, "tails/"+withoutTail) {
			b.remove(t, *o.Key)
		}
	}
	for _, m := range b.multiparts(t) {
		if *m.Key == withoutParts {
			if _, err := b.store().AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket),
				Key: m.Key, UploadId: m.UploadId}); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.s3.Age(t, 72*time.Hour)
	b.put(t, bucket, young, random(100))
	b.put(t, bucket, "tails/"+young+"/1-5", random(5))
	b.put(t, bucket, "tails/"+good+"/2-6", random(5))
	b.beginMultipart(t, young)

	want := map[string]string{
		"missing-object " + missing: "", "wrong-size " + short: "", "replaced-object " + replaced: "", "wrong-content " +
			rotten: "",
		"unhealed-record " + foreign: "", "unknown-object " + unknown: "", "unknown-object " + stranger: "",
		"unrecorded-object " + unrecorded: "",
		"left-object " + good:             "", "left-tail " + good: "", "unknown-tail " + unknown: "", "left-multipart " +
			good: "",
		"unknown-multipart " + unknown:       "",
		"upload-without-tail " + withoutTail: "", "upload-without-parts " + withoutParts: "",
		"wrong-usage ": "", // of the record that somebody deleted by hand
	}
	before := b.objects(t)
	compare := func(args ...string) {
		t.Helper()
		found, clean := s.reconcile(t, args...)
		if diff := cmp.Diff(want, found); diff != "" || clean {
			t.Errorf("reconcile %v, clean: %v:\n%s", args, clean, diff)
		}
	}
	compare("--deep", "--jobs", "2")
	if diff := cmp.Diff(len(before), len(b.objects(t))); diff != "" {
		t.Error("looking has changed the store: ", diff)
	}
	want["unhealed-record "+foreign], want["left-tail "+good], want["left-multipart "+good] = "healed", "removed",
		"removed"
	want["left-object "+good] = "removed"
	want["wrong-usage "] = "corrected"
	compare("--deep", "--fix")
	for _, repaired := range []string{"unhealed-record " + foreign, "left-object " + good, "left-tail " + good,
		"left-multipart " + good, "wrong-usage "} {
		delete(want, repaired)
	}
	compare("--deep")
	if n := b.number(t, `select count(*) from files where file_id = $1 and size = 700 and etag <> '' and length(sha256) =
		32`, foreign); n != 1 {
		t.Error("the record of the other program is not healed")
	}
	delete(want, "wrong-content "+rotten) // which is not seen without --deep
	gone := []string{"unknown-object " + unknown, "unknown-object " + stranger, "unrecorded-object " + unrecorded,
		"unknown-tail " + unknown, "unknown-multipart " + unknown}
	for _, f := range gone {
		want[f] = "removed"
	}
	compare("--delete-unknown")
	for _, f := range gone {
		delete(want, f)
	}
	compare()

	var keys []string
	for _, o := range b.objects(t) {
		keys = append(keys, *o.Key)
	}
	for _, key := range []string{young, "tails/" + young + "/1-5", "tails/" + good + "/2-6"} {
		if !slices.Contains(keys, key) {
			t.Errorf("%s was removed, and is young", key)
		}
	}
	if m := b.multiparts(t); !slices.ContainsFunc(m, func(m types.MultipartUpload) bool { return *m.Key == young }) {
		t.Error("a young multipart upload was aborted")
	}
	for _, id := range []string{missing, short, replaced, rotten, unrecorded} {
		delete(kept, id)
	}
	for id, content := range kept {
		s.holds(t, s.base+"/"+file.ID(id).Escaped(), content)
	}

	// The service itself removes what a row proves to be left over, and nothing else.
	b.s3.Age(t, 72*time.Hour)
	b.sweep(t)
	s.stop()
	s.restart()
	s.eventually("the left tail is removed", func() bool {
		return !slices.ContainsFunc(b.objects(t), func(o types.Object) bool { return *o.Key == "tails/"+good+"/2-6" })
	})
	if found, _ := s.reconcile(t); found["unknown-object "+young] != "" || found["unknown-tail "+young] != "" ||
		len(found) != len(want)+3 {
		t.Errorf("after the sweep: %v", found)
	}
}

// The embedded store is one process's: beside the service the command says so, and after it
// everything is in order.
func TestReconcileEmbedded(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(9 * mebi)
	url, _ := s.upload(t, content)
	cmd := s.command("reconcile")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "stop the service") {
		t.Errorf("beside the service: %v %s", err, out)
	}
	s.stop()
	if out := s.run("reconcile", "--deep"); !strings.HasPrefix(out,
		"1 records and 1 objects (9437184 bytes) were compared: 0 findings") {
		t.Error(out)
	}
	object := s.data + "/objects/" + bucket + "/" + path.Base(url)
	if err := os.Truncate(object, 1000); err != nil {
		t.Fatal(err)
	}
	if found, clean := s.reconcile(t); clean || len(found) != 1 || found["wrong-size "+path.Base(url)] != "" {
		t.Errorf("a cut object: %v", found)
	}
}
