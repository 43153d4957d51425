package e2e

import (
	"encoding/json"
	"io"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The store goes away in the middle of a form. The client gets an error, and when the store is back nothing of the
// file is there, neither in SQL nor in the store.
func TestFormWhileTheStoreGoesAway(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	s := start(t, servers(b.pg, b.s3)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	body, header := formOf(t, "a.bin", "", random(40<<20))
	in, out := io.Pipe()
	var got answer
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		got, failed = s.ask("POST", s.base+"/upload", in, header)
		in.Close()
	})
	out.Write(body[:30<<20])
	s.eventually("a part is stored", func() bool { return b.number(t, `select count(*) from upload_parts`) > 0 })
	b.s3.Stop(t)
	out.Write(body[30<<20:]) // it may be closed by now
	out.Close()
	wg.Wait()
	if want := `{"code":"STORAGE_002","message":"Failed to upload file to storage"}`; failed == nil &&
		(got.status != 503 || string(got.body) != want || got.header.Get("Retry-After") == "") {
		t.Errorf("%v, want %s", got, want)
	}
	if n := b.number(t, `select count(*) from files`); n != 0 {
		t.Errorf("%d files", n)
	}
	b.s3.Restart(t)
	s.eventually("nothing is left", func() bool { // the sweep comes every minute
		objects, err := b.store().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
		if err != nil {
			return false
		}
		parts, err := b.store().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
		return err == nil && len(objects.Contents) == 0 && len(parts.Uploads) == 0 &&
			b.number(t, `select count(*) from uploads where emptied is null`) == 0
	})
}

// The same form with the same key is sent to two replicas, many times at once: there is one file, and every client
// that is not told to wait gets it.
func TestIdempotencyKeyAcrossReplicas(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	first, second := start(t, servers(b.pg, b.s3)...), start(t, servers(b.pg, b.s3)...)
	first.token = first.run("token", "create", "--user", "1", "--account", "1")
	second.token = first.token
	body, header := formOf(t, "a.bin", "", random(1<<20))
	var mu sync.Mutex
	ids := map[string]int{}
	var wg sync.WaitGroup
	send := func(s *server) {
		a, err := s.ask("POST", s.base+"/upload", body, header, "Idempotency-Key: k")
		var got sent
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			t.Error(err)
		case a.status == 200 && json.Unmarshal(a.body, &got) == nil:
			ids[got.ID]++
		case a.status != 409 || a.code() != "UPLOAD_009":
			t.Errorf("%v", a)
		}
	}
	for range 8 {
		wg.Go(func() { send(first) })
		wg.Go(func() { send(second) })
	}
	wg.Wait()
	send(first)
	send(second)
	if n := b.number(t, `select count(*) from files`); n != 1 || len(ids) != 1 {
		t.Errorf("%d files, %v", n, ids)
	}
}
