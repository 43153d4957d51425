package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/s3test"
)

// realStore is the service on a store that people run.
type realStore struct {
	*server
	program s3test.Program
	store   *s3test.Server
}

// Everything that the service does, on every store whose program is on this machine. `make stores` installs them, and
// notes the results for docs/STORES.md.
func TestStores(t *testing.T) {
	for _, p := range s3test.Programs() {
		t.Run(p.Name, func(t *testing.T) {
			if _, missing := p.Find(); missing != "" {
				t.Skipf("%s is not here (%s): `make stores` installs it", p.Name, missing)
			}
			if p.Kind == "versitygw" && os.Getenv(s3test.ResultsFile) == "" {
				t.Skip("most tests use versitygw")
			}
			store := p.Start(t)
			s := realStore{newServer(t, append(objectStore(store), "S3_KIND="+p.Kind)...), p, store}
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			s.launch()
			for _, c := range []testing.InternalTest{
				{Name: "uploads", F: s.uploads}, {Name: "deferred length", F: s.deferred},
				{Name: "concatenation", F: s.parallel}, {Name: "termination", F: s.terminated},
				{Name: "ranges", F: s.readsRanges}, {Name: "forms", F: s.forms}, {Name: "signed links", F: s.links},
				{Name: "delete beside a download", F: s.deletedWhileRead},
				{Name: "redirects", F: s.redirects}, {Name: "direct uploads", F: s.direct},
				{Name: "kill -9", F: s.killed}, {Name: "import", F: s.imports}, {Name: "reconcile", F: s.reconciled},
			} {
				t.Run(c.Name, func(t *testing.T) {
					t.Cleanup(func() {
						if t.Skipped() {
							p.NoteRefused(t, c.Name)
						} else {
							p.Note(t, c.Name, !t.Failed())
						}
					})
					c.F(t)
				})
			}
		})
	}
}

// with restarts the service with more settings.
func (s realStore) with(t *testing.T, env ...string) realStore {
	t.Helper()
	s.stop()
	s.env = append(s.env, env...)
	s.restart()
	return s
}

func (s realStore) uploads(t *testing.T) {
	for _, size := range []int{0, 1, 5*mebi - 1, 5 * mebi, 8*mebi + 1, 20*mebi + 777, 99 * mebi} {
		content := random(size)
		for name, chunk := range map[string]int{"1 MiB": mebi, "5 MiB": 5 * mebi, "8 MiB": 8 * mebi, "whole": max(size, 1)} {
			at := s.create(t, size)
			for from := 0; from < size; from += chunk {
				if a := s.patch(t, at, from, content[from:min(from+chunk, size)]); a.status != 204 {
					t.Fatalf("%d bytes, %s, at %d: %v", size, name, from, a)
				}
			}
			s.holds(t, "/files/"+path.Base(at), content)
			if a := s.do(t, "DELETE", "/files/"+path.Base(at), nil); size > 20*mebi && a.status != 204 {
				t.Fatal(a)
			}
		}
	}
}

func (s realStore) deferred(t *testing.T) {
	content := random(13*mebi + 5)
	at := s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1").header.Get("Location")
	for from := 0; from < len(content); from += 3 * mebi {
		to := min(from+3*mebi, len(content))
		var length []string
		if to == len(content) {
			length = []string{"Upload-Length: " + strconv.Itoa(to)}
		}
		if a := s.patch(t, at, from, content[from:to], length...); a.status != 204 {
			t.Fatal(a)
		}
	}
	s.holds(t, "/files/"+path.Base(at), content)
}

func (s realStore) parallel(t *testing.T) {
	for _, sizes := range [][]int{{6 * mebi, 11*mebi + 1, 5*mebi + 2}, {300000, 1, 0, 70000}, {9 * mebi, 20, 6*mebi + 3}} {
		var partials []string
		var all []byte
		for _, size := range sizes {
			content := random(size)
			partials, all = append(partials, s.partial(t, content)), append(all, content...)
		}
		a := s.final(t, partials...)
		if a.status != 201 {
			t.Fatal(a)
		}
		s.holds(t, "/files/"+path.Base(a.header.Get("Location")), all)
	}
}

func (s realStore) terminated(t *testing.T) {
	at := s.create(t, 20*mebi)
	if a := s.patch(t, at, 0, random(9*mebi)); a.status != 204 {
		t.Fatal(a)
	}
	if a := s.do(t, "DELETE", at, nil); a.status != 204 {
		t.Fatal(a)
	}
	if a := s.do(t, "HEAD", at, nil); a.status != 404 {
		t.Fatal(a)
	}
}

func (s realStore) readsRanges(t *testing.T) {
	content := random(12*mebi + 3)
	url, _ := s.upload(t, content)
	for header, want := range map[string][]byte{
		"0-0": content[:1], "5-9": content[5:10], "-7": content[len(content)-7:],
		fmt.Sprintf("%d-", 8*mebi-3): content[8*mebi-3:], fmt.Sprintf("%d-%d", 8*mebi-1,
			8*mebi): content[8*mebi-1 : 8*mebi+1],
	} {
		if a := s.do(t, "GET", url, nil, "Range: bytes="+header); a.status != 206 || !bytes.Equal(a.body, want) {
			t.Errorf("%s: %d, %d bytes", header, a.status, len(a.body))
		}
	}
	if a := s.do(t, "GET", url, nil, fmt.Sprintf("Range: bytes=%d-", len(content))); a.status != 416 {
		t.Error(a)
	}
	tag := s.do(t, "HEAD", url, nil).header.Get("ETag")
	if a := s.do(t, "GET", url, nil, "If-None-Match: "+tag); tag == "" || a.status != 304 {
		t.Errorf("%q: %v", tag, a)
	}
}

func (s realStore) forms(t *testing.T) {
	for _, size := range []int{1, 8 * mebi, 17*mebi + 1} {
		content := random(size)
		sent, a := s.sendForm(t, "ö "+strconv.Itoa(size)+".bin", "image/png", content)
		if a.status != 200 {
			t.Fatal(a)
		}
		s.holds(t, "/files/"+sent.ID, content)
	}
}

func (s realStore) links(t *testing.T) {
	content := random(6 * mebi)
	link := s.link(t, s.put(t, "öff.png", "image/png", content), `{"disposition": "inline"}`)
	a := s.do(t, "GET", link, nil, anonymous)
	if a.status != 200 || !bytes.Equal(a.body, content) || a.header.Get("Content-Type") != "image/png" {
		t.Errorf("%d, %d bytes, %v", a.status, len(a.body), a.header)
	}
}

// deletedWhileRead deletes a file while a client reads it: DELETE does not wait for the client.
func (s realStore) deletedWhileRead(t *testing.T) {
	url, _ := s.upload(t, random(30*mebi))
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if a := s.do(t, "DELETE", url, nil); a.status != 204 {
		t.Error(a)
	}
	if a := s.do(t, "GET", url, nil); a.status != 404 {
		t.Error(a)
	}
}

func (s realStore) redirects(t *testing.T) {
	on := s.with(t, "DOWNLOAD_MODE=redirect", "DOWNLOAD_REDIRECT_MIN=1000")
	defer on.with(t, "DOWNLOAD_MODE=proxy")
	content := random(9*mebi + 1)
	url := s.put(t, "öff.png", "image/png", content)
	a := s.do(t, "GET", url, nil)
	to := a.header.Get("Location")
	if a.status != 302 || !strings.HasPrefix(to, s.store.Endpoint+"/") {
		t.Fatal(a)
	}
	got := s.do(t, "GET", to, nil, anonymous, "Tus-Resumable: -", "Range: bytes=5-9")
	if got.status != 206 || !bytes.Equal(got.body, content[5:10]) {
		t.Errorf("a range: %v", got)
	}
	got = s.do(t, "GET", to, nil, anonymous, "Tus-Resumable: -")
	if got.status != 200 || !bytes.Equal(got.body, content) || got.header.Get("Content-Type") != "image/png" ||
		got.header.Get("Content-Disposition") != `attachment; filename="off.png"; filename*=utf-8''%C3%B6ff.png` {
		t.Errorf("%d, %d bytes, %v", got.status, len(got.body), got.header)
	}
}

// direct has clients send parts past the service. A store that does not keep to what was signed ends the start.
func (s realStore) direct(t *testing.T) {
	s.stop()
	env := s.env
	defer func() {
		s.process.Stop(syscall.SIGTERM, patience)
		s.env = env
		s.restart()
	}()
	s.env = append(s.env, "UPLOAD_DIRECT=on")
	s.begin()
	s.eventually("it serves, or has ended", func() bool {
		select {
		case <-s.process.Done():
			return true
		default:
			res, err := client.Get(s.base + "/healthz")
			if err == nil {
				res.Body.Close()
			}
			return err == nil
		}
	})
	if log, _ := os.ReadFile(s.log); bytes.Contains(log, []byte("UPLOAD_DIRECT=on: ")) {
		_, why, _ := bytes.Cut(log, []byte("UPLOAD_DIRECT=on: "))
		t.Skipf("%s", why)
	}
	content := random(20 * mebi)
	at := s.beginDirect(t, len(content), "")
	s.sendDirect(t, at, content)
	if a := s.do(t, "POST", at+"/complete", nil); a.status != 201 {
		t.Fatal(a)
	}
	s.holds(t, "/files/"+path.Base(at), content)
	if a := s.do(t, "DELETE", s.beginDirect(t, len(content), ""), nil); a.status != 204 {
		t.Error(a)
	}
}

func (s realStore) killed(t *testing.T) {
	crash{server: s.server, kills: 3, longest: 3 * time.Second, later: true}.run(t)
	s.restart()
}

func (s realStore) imports(t *testing.T) {
	big := random(20*mebi + 5)
	fill(t, s.store, "elsewhere", map[string][]byte{"dir/my file.png": random(300), "big": big, "empty": {}})
	manifest := filepath.Join(s.folder, "manifest.csv")
	if err := os.WriteFile(manifest, []byte("account,user,source,id\n1,1,s3://elsewhere/big,big\n"+
		"1,1,s3://elsewhere/dir/my file.png,small\n1,1,s3://elsewhere/empty,empty\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := s.env
	s.env = append(s.env, from(s.store)...)
	s.importing(t, 0, "copied: 3", "--manifest", manifest)
	s.importing(t, 0, "already there: 3", "--manifest", manifest)
	s.env = env
	s.holds(t, "/files/big", big)
	s.holds(t, "/files/empty", nil)
}

// reconciled compares the database with the store, byte by byte.
func (s realStore) reconciled(t *testing.T) {
	s.eventually("nothing is left of what was deleted", func() bool {
		found, clean := s.reconcile(t, "--deep")
		b, _ := json.Marshal(found)
		t.Logf("%s", b)
		return clean && len(found) == 0
	})
}
