package e2e

import (
	"encoding/json"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// uses checks the answer of GET {base}/usage.
func (s *server) uses(t *testing.T, bytes, files int) {
	t.Helper()
	a := s.do(t, "GET", "/files/usage", nil)
	var u struct{ Bytes, Files int }
	if err := json.Unmarshal(a.body, &u); err != nil || a.status != 200 || u.Bytes != bytes || u.Files != files {
		t.Errorf("%v, want %d bytes and %d files", a, bytes, files)
	}
}

// refused checks that an answer names a quota.
func refused(t *testing.T, a answer, quota string) {
	t.Helper()
	if a.status != 413 || a.code() != "QUOTA_001" || !strings.Contains(string(a.body), "Quota of "+quota+" exceeded") {
		t.Errorf("%v, want 413 for the quota of %s", a, quota)
	}
}

// The quota is reserved when an upload begins, or as its bytes come. It is released when the upload ends without a
// file, and when the file is deleted.
func TestQuota(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	for name, env := range map[string][]string{"SQLite and embedded store": nil,
		"PostgreSQL and S3": servers(b.pg, b.s3)} {
		t.Run(name, func(t *testing.T) {
			s := start(t, append(env, "QUOTA_BYTES="+strconv.Itoa(10*mebi), "QUOTA_FILES=4")...)
			if env != nil {
				s.token = s.run("token", "create", "--user", "1", "--account", "1")
			}
			a := s.do(t, "GET", "/usage", nil)
			if want := `{"account_id":1,"bytes":0,"max_bytes":10485760,"files":0,"max_files":4}` + "\n"; string(a.body) != want {
				t.Errorf("%v, want %s", a, want)
			}
			url, _ := s.upload(t, random(6*mebi))
			s.uses(t, 6*mebi, 1)
			refused(t, s.do(t, "POST", "/files/tus/", nil, "Upload-Length: "+strconv.Itoa(5*mebi)), "10485760 bytes")
			s.uses(t, 6*mebi, 1)
			s.reservesAsBytesCome(t)
			s.needsNoRoomForFinal(t)
			for range 2 {
				s.create(t, 0)
			}
			refused(t, s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 0"), "4 files")
			s.deletes(t, url)
			s.uses(t, 4*mebi, 3)
			s.givesBack(t, func() {
				if env != nil {
					b.sweep(t)
				}
			})
			s.hasOwnQuota(t)
			s.check(t, []line{
				{"GET", "/files/usage", "Authorization: -", "", 401, "AUTH_001", ""},
				{"POST", "/files/usage", "", "", 405, "VAL_006", ""},
			})
		})
	}
}

func (s *server) deletes(t *testing.T, url string) {
	t.Helper()
	if a := s.do(t, "DELETE", url, nil); a.status != 204 {
		t.Errorf("DELETE: %v", a)
	}
}

// reservesAsBytesCome uploads and deletes a file beside 6 MiB. Its length is unknown at first: its bytes are reserved
// as they come, and the rest when the length is declared.
func (s *server) reservesAsBytesCome(t *testing.T) {
	t.Helper()
	deferred := s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1").header.Get("Location")
	if a := s.patch(t, deferred, 0, random(3*mebi)); a.status != 204 {
		t.Fatal(a)
	}
	s.uses(t, 9*mebi, 2)
	refused(t, s.patch(t, deferred, 3*mebi, random(2*mebi)), "10485760 bytes")
	refused(t, s.patch(t, deferred, 3*mebi, nil, "Upload-Length: "+strconv.Itoa(5*mebi)), "10485760 bytes")
	s.uses(t, 9*mebi, 2)
	if a := s.patch(t, deferred, 3*mebi, random(1000), "Upload-Length: "+strconv.Itoa(3*mebi+1000)); a.status != 204 ||
		a.header.Get("Content-Location") == "" {
		t.Errorf("the rest of it: %v", a)
	}
	s.uses(t, 9*mebi+1000, 2)
	s.deletes(t, deferred)
}

// needsNoRoomForFinal makes a file of two partial uploads, which fill the quota beside 6 MiB. The file replaces them.
func (s *server) needsNoRoomForFinal(t *testing.T) {
	t.Helper()
	first, second := s.partial(t, random(2*mebi)), s.partial(t, random(2*mebi))
	s.uses(t, 10*mebi, 3)
	if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Concat: final;"+first+" "+second); a.status != 201 {
		t.Errorf("final: %v", a)
	}
	s.uses(t, 10*mebi, 2)
	refused(t, s.do(t, "POST", "/files/tus/", "x", "Upload-Length: 1", octets), "10485760 bytes")
}

// givesBack begins uploads of 6 MiB beside 4 MiB: one that is deleted, and one that expires. allowSweep lets the next
// process sweep, even if another one has just done so.
func (s *server) givesBack(t *testing.T, allowSweep func()) {
	t.Helper()
	unfinished := s.create(t, 6*mebi)
	s.uses(t, 10*mebi, 4)
	s.stop()
	s.env = append(s.env, "UPLOAD_TTL=1s")
	s.restart()
	s.deletes(t, unfinished)
	s.create(t, 6*mebi) // in its place
	s.eventually("it expires, and the sweep gives its bytes back", func() bool {
		u := s.do(t, "GET", "/files/usage", nil)
		if strings.Contains(string(u.body), `"bytes":4194304`) {
			return true
		}
		s.stop()
		allowSweep()
		s.restart()
		return false
	})
	s.uses(t, 4*mebi, 3)
}

// hasOwnQuota gives the account a quota of its own by the command, beside 3 files of 4 MiB.
func (s *server) hasOwnQuota(t *testing.T) {
	t.Helper()
	if status, out := s.attempt(t, "", "quota", "set", "--account", "1", "--bytes", "0", "--files", "3"); status != 0 {
		t.Error(out)
	}
	refused(t, s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 0"), "3 files")
	s.run("quota", "set", "--account", "1", "--files", "5")
	s.create(t, 50*mebi)
	if out := s.run("quota", "list"); !strings.Contains(out, "1        56623104  no limit  4      5   own") {
		t.Error(out)
	}
	s.run("quota", "clear", "--account", "1")
	if out := s.run("quota", "show", "--account", "1"); !strings.Contains(out, "10485760") {
		t.Error(out)
	}
	for _, args := range [][]string{{"set", "--account", "1"}, {"set", "--account", "0", "--bytes", "1"},
		{"set", "--account", "1", "--bytes", "-1"}, {"show", "--account", "-1"}} {
		if status, out := s.attempt(t, "", append([]string{"quota"}, args...)...); status != 2 {
			t.Errorf("%v: %d %s", args, status, out)
		}
	}
}

// Many uploads begin at two replicas at the same time: as many as fit into the quota, and no more.
func TestQuotaOfReplicas(t *testing.T) {
	t.Parallel()
	p := startPair(t, "QUOTA_BYTES=1000")
	var wg sync.WaitGroup
	var mu sync.Mutex
	var begun []string
	for i := range 60 {
		s := []*server{p.a, p.b}[i%2]
		wg.Go(func() {
			begin := func() answer { return s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 100") }
			a := begin()
			// On a busy machine 30 connections to the database at once may take too long.
			for end := time.Now().Add(patience); a.code() == "DB_001" && time.Now().Before(end); {
				a = begin()
			}
			switch a.status {
			case 201:
				mu.Lock()
				begun = append(begun, path.Base(a.header.Get("Location")))
				mu.Unlock()
			default:
				refused(t, a, "1000 bytes")
			}
		})
	}
	wg.Wait()
	if len(begun) != 10 {
		t.Errorf("%d uploads of 100 bytes were begun", len(begun))
	}
	for i, id := range begun {
		s := []*server{p.b, p.a}[i%2]
		wg.Go(func() { s.do(t, "DELETE", "/files/tus/"+id, nil) })
	}
	wg.Wait()
	p.a.uses(t, 0, 0)
}

// The bytes of failed requests do not stay in the store outside the quota, and partial uploads
// without a byte are limited in number.
func TestQuotaOfWhatFails(t *testing.T) {
	t.Parallel()
	s := start(t, "QUOTA_BYTES="+strconv.Itoa(20*mebi), "QUOTA_FILES=9", "MAX_UNFINISHED_UPLOADS=2")
	stored := func() (n int64) {
		err := filepath.WalkDir(filepath.Join(s.data, "store"), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // it may have been removed meanwhile
			}
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	body := random(17 * mebi)
	url := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: "+strconv.Itoa(len(body))).header.Get("Location")
	for range 3 {
		if a := s.patch(t, url, 0, body, "Upload-Checksum: sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA="); a.status != 460 {
			t.Fatal(a)
		}
		s.eventually("what was sent is gone", func() bool { return stored() < mebi })
	}
	s.uses(t, len(body), 1)
	if a := s.patch(t, url, 0, body); a.status != 204 {
		t.Fatal(a)
	}
	deferred := s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1").header.Get("Location")
	for range 3 {
		refused(t, s.patch(t, deferred, 0, random(12*mebi)), strconv.Itoa(20*mebi)+" bytes")
		s.eventually("what was sent is gone", func() bool { return stored() < int64(len(body))+mebi })
	}
	for range 2 {
		if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 0", "Upload-Concat: partial"); a.status != 201 {
			break
		}
	}
	refused(t, s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 0", "Upload-Concat: partial"), "2 unfinished uploads")
}
