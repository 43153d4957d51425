package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// sql runs a statement in the database, without the service.
func (b backing) sql(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := b.rows.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// put stores an object, without the service.
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

// reconcile runs the command and returns what it found, as "kind id" (or key) with what was done, and
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
			Key     string
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
		name := f.Kind + " " + cmp.Or(f.ID, f.Key)
		if _, twice := found[name]; twice {
			t.Errorf("%s is found twice", line)
		}
		found[name] = f.Done
	}
	t.Fatalf("no summary: %v\n%s", err, &stderr)
	return nil, false
}

// comeAndGo makes and deletes files of one and of several parts until stop is closed.
func (s *server) comeAndGo(stop <-chan struct{}) error {
	large := random(6 * mebi)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		content := large[:1+i%2*(len(large)-1)]
		a, err := s.ask("POST", "/files/tus/", content, octets, "Upload-Length: "+strconv.Itoa(len(content)))
		if err != nil || a.status != 201 {
			return fmt.Errorf("upload: %v, %w", a, err)
		}
		if a, err = s.ask("DELETE", "/files/"+path.Base(a.header.Get("Location")), nil); err != nil || a.status != 204 {
			return fmt.Errorf("delete: %v, %w", a, err)
		}
	}
}

// reconcile reads the embedded store beside the service, in which files come and go. What changes the store wants the
// service stopped.
func TestReconcileEmbedded(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(9 * mebi)
	url, _ := s.upload(t, content)
	small, _ := s.upload(t, []byte("a small file"))
	for _, flag := range []string{"--fix", "--delete-unknown"} {
		out, err := s.command("reconcile", flag).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "stop the service") {
			t.Errorf("%s beside the service: %v %s", flag, err, out)
		}
	}
	stop, load := make(chan struct{}), new(errgroup.Group)
	for range 4 {
		load.Go(func() error { return s.comeAndGo(stop) })
	}
	for range 3 {
		if found, clean := s.reconcile(t, "--deep"); !clean {
			t.Errorf("beside the service: %v", found)
		}
	}
	close(stop)
	if err := load.Wait(); err != nil {
		t.Error(err)
	}
	s.holds(t, url, content)
	s.stop()
	inside := filepath.Join(s.data, "store/tmp/unfinished")
	if err := os.WriteFile(inside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.reconcile(t)
	if _, err := os.Stat(inside); err != nil {
		t.Errorf("the command has changed the store: %v", err)
	}
	if out := s.run("reconcile", "--deep"); !strings.HasPrefix(out,
		"2 records and 2 objects (9437196 bytes) were compared: 0 findings") {
		t.Error(out)
	}
	parts, err := filepath.Glob(filepath.Join(s.data, "store/buckets/*/parts/*/*"))
	if err != nil || len(parts) != 2 {
		t.Fatal(parts, err)
	}
	for what, damage := range map[string]func() error{
		"wrong-size " + path.Base(url):   func() error { return os.Remove(parts[1]) },
		"wrong-size " + path.Base(small): func() error { return os.Truncate(s.object(t, path.Base(small)), 5) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		found, clean := s.reconcile(t)
		if done, is := found[what]; clean || !is || done != "" {
			t.Errorf("%s: %v", what, found)
		}
	}
}
