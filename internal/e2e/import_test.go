package e2e

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

// attempt runs a command and returns its exit status and what it printed.
func (s *server) attempt(t *testing.T, stdin string, args ...string) (status int, out string) {
	t.Helper()
	cmd := s.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(b)
}

// importing runs an import and checks its status and the last line before its error.
func (s *server) importing(t *testing.T, status int, report string, args ...string) string {
	t.Helper()
	got, out := s.attempt(t, "", append([]string{"import"}, args...)...)
	if got != status || !strings.Contains(out, report) {
		t.Fatalf("import %v: status %d, want %d and %q:\n%s", args, got, status, report, out)
	}
	return out
}

func from(other *s3test.Server) []string {
	return []string{"IMPORT_S3_ENDPOINT=" + other.Endpoint, "IMPORT_S3_ACCESS_KEY=" + other.AccessKey,
		"IMPORT_S3_SECRET_KEY=" + other.SecretKey}
}

// fill makes a bucket with objects.
func fill(t *testing.T, on *s3test.Server, bucket string, objects map[string][]byte) {
	t.Helper()
	b := backing{s3: on}
	if _, err := b.store().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	for key, content := range objects {
		if _, err := b.store().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key,
			Body:        bytes.NewReader(content),
			ContentType: aws.String("image/png")}); err != nil {
			t.Fatal(err)
		}
	}
}

// Django's migration wrote rows with a size of 0, a guessed type and the day of the migration, for
// objects whose keys are right. The import corrects the rows.
func TestImportHeals(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	s := start(t, servers(b.pg, b.s3)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	objects := map[string][]byte{"old 1ö.png": random(700), "b.png": random(9 * mebi), "empty": {}}
	fill(t, b.s3, bucket, objects)
	b.s3.Age(t, 1000*time.Hour)
	for key := range objects {
		b.sql(t, `insert into files (file_id, size, content_type, filename, user_id, account_id) values ($1, 0,
			'application/pdf', 'old.png', 1, 1)`, key)
	}
	b.sql(t, `insert into files (file_id, size, content_type, filename, user_id, account_id) values ('lost', 0,
		'application/pdf', 'lost', 1, 1)`)
	own, _ := s.upload(t, random(100))

	s.importing(t, 1, "would be done: 3, failed: 1", "--dry-run")
	if n := b.number(t, `select count(*) from files where sha256 is not null`); n != 1 {
		t.Errorf("a dry run has healed %d", n-1)
	}
	out := s.importing(t, 1, "healed: 3, failed: 1; "+fmt.Sprint(9*mebi+700)+" bytes")
	if !strings.Contains(out, "failed: "+bucket+"/lost (lost): ") || !strings.Contains(out, "object missing") {
		t.Error(out)
	}
	for key, content := range objects {
		sum := sha256.Sum256(content)
		if n := b.number(t, `select count(*) from files where file_id = $1 and size = $2 and sha256 = $3 and etag <> '' and
			content_type = 'image/png'
			and created_at < now() - interval '900 hours' and object_bucket = $4 and object_key = $1`, key, len(content), sum[:],
			bucket); n != 1 {
			t.Errorf("%s is not healed", key)
		}
		a := s.do(t, "GET", "/files/"+file.ID(key).Escaped(), nil)
		if a.status != 200 || !bytes.Equal(a.body, content) {
			t.Errorf("%s: %v", key, a)
		}
	}
	s.importing(t, 1, "failed: 1; 0 bytes")
	b.sql(t, `delete from files where file_id = 'lost'`)
	s.importing(t, 0, "nothing to do")
	if found, clean := s.reconcile(t, "--deep"); !clean {
		t.Error(found)
	}
	s.holds(t, own, random(100))
}

// The embedded store and SQLite take files from a folder, while the service is stopped.
func TestImportEmbedded(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.stop()
	folder := filepath.Join(s.folder, "old")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	content := random(9 * mebi)
	manifest := filepath.Join(s.folder, "manifest.csv")
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "a b.png"), content, 0o600),
		os.WriteFile(manifest, []byte("account,user,path,id\n1,1,a b.png,a-b\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s.importing(t, 0, "copied: 1", "--manifest", manifest, "--folder", folder)
	s.importing(t, 0, "already there: 1", "--manifest", manifest, "--folder", folder)
	s.restart()
	s.holds(t, s.base+"/a-b", content)
}
