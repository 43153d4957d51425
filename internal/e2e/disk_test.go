package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/test/pgtest"
)

// onDisk prepares a server whose data is on a disk of a given size, such as "48m", and returns the path at which the
// test sees that disk.
func onDisk(t *testing.T, size string, env ...string) (s *server, seen string) {
	t.Helper()
	s = newServer(t, env...)
	disk := filepath.Join(s.folder, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	// In a mount namespace of its own: the mount ends with the process, however that ends.
	flags := "-m"
	if os.Geteuid() != 0 {
		flags = "-rm"
	}
	s.data = filepath.Join(disk, "data")
	s.env = append(s.env, "DATA_DIR="+s.data)
	s.within = []string{"unshare", flags, "sh", "-c", `mount -t tmpfs -o size=` + size + ` tmpfs "$0" && exec "$1"`, disk}
	s.launch()
	return s, fmt.Sprintf("/proc/%d/root%s", s.process.Pid(), disk)
}

// Clients can't fill the disk of the embedded store: uploads are refused while there is still space for deletions. If
// something else has filled the disk, files can be deleted nevertheless.
func TestUploadsEndBeforeTheDisk(t *testing.T) {
	t.Parallel()
	s, seen := onDisk(t, "48m")
	free := func() int64 {
		var st unix.Statfs_t
		if err := unix.Statfs(seen, &st); err != nil {
			t.Fatal(err)
		}
		return int64(st.Bavail) * st.Bsize
	}
	s.says(t, "ok\n", `{"status":"ok"}`)
	content := random(5 * mebi)
	kept, _ := s.upload(t, content)
	second, _ := s.upload(t, content)
	if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 41943040"); a.status != 507 || a.code() != "STORAGE_004" {
		t.Errorf("a length that there is no room for: %v", a)
	}
	open := s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1").header.Get("Location")
	if a := s.patch(t, open, 0, random(40*mebi)); a.status != 507 || a.code() != "STORAGE_004" ||
		a.header.Get("Retry-After") == "" {
		t.Errorf("more than there is room for: %v", a)
	}
	const reserve = 48 * mebi / 10
	if n := free(); n < reserve {
		t.Errorf("%d bytes are free, the reserve is %d", n, reserve)
	}
	s.holds(t, kept, content)
	// Fill the last bytes, with smaller and smaller files.
	for size := 4 * mebi; size >= 1<<10; size /= 2 {
		for s.do(t, "POST", "/files/tus/", random(size), "Upload-Length: "+strconv.Itoa(size), octets).status == 201 {
		}
	}
	if n := free(); n < reserve-64<<10 { // the rest is for rows and metadata
		t.Errorf("%d bytes are free, the reserve is %d", n, reserve)
	}

	// Something else fills the rest.
	f, err := os.Create(filepath.Join(seen, "other"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4<<10))
	}
	f.Close()
	s.refusesUploads(t)
	s.holds(t, kept, content)
	for _, gone := range []string{open, second} {
		if a := s.do(t, "DELETE", gone, nil); a.status != 204 {
			t.Errorf("DELETE on a full disk: %v", a)
		}
	}
	if err := os.Remove(filepath.Join(seen, "other")); err != nil {
		t.Fatal(err)
	}
	s.says(t, "ok\n", `{"status":"ok"}`)
	url, _ := s.upload(t, content)
	s.holds(t, url, content)
	s.stop()
}

// says checks the answer of /readyz, as text and as JSON.
func (s *server) says(t *testing.T, text, json string) {
	t.Helper()
	s.eventually("/readyz says "+text, func() bool {
		a := s.do(t, "GET", "/readyz", nil)
		return a.status == 200 &&
			string(a.body) == text
	})
	if a := s.do(t, "GET", "/readyz", nil, "Accept: application/json"); a.status != 200 || string(a.body) != json {
		t.Errorf("/readyz: %v, want %s", a, json)
	}
}

// refusesUploads checks that uploads are refused for want of space, and that everything else works.
func (s *server) refusesUploads(t *testing.T) {
	t.Helper()
	body, header := formOf(t, "a.txt", "text/plain", []byte("abc"))
	for name, a := range map[string]answer{
		"an upload":            s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 3"),
		"one with its bytes":   s.do(t, "POST", "/files/tus/", "abc", "Upload-Length: 3", octets),
		"one without a length": s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1"),
		"a form":               s.do(t, "POST", "/files/upload", body, header),
	} {
		if a.status != 507 || a.code() != "STORAGE_004" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %v", name, a)
		}
	}
	s.says(t, "ok, but no uploads: no space left\n", `{"status":"ok","uploads":"no space left"}`)
	for _, name := range []string{"holdfast_disk_free_bytes", "holdfast_disk_reserve_bytes"} {
		if s.scrape(t)[name] == nil {
			t.Errorf("%s is not in a scrape", name)
		}
	}
	if n := s.metric("holdfast_disk_uploads_stopped"); n != 1 {
		t.Errorf("the metric says %v", n)
	}
	if a := s.do(t, "GET", "/files/", nil); a.status != 200 {
		t.Errorf("the list: %v", a)
	}
}

// restartWith stops the server, and starts it with more settings.
func (s *server) restartWith(settings ...string) {
	token := s.token
	s.stop()
	s.env = append(s.env, settings...)
	s.restart()
	s.token = token
}

// hugeFile is more than a disk of a test has, in bytes.
const hugeFile = "5497558138880"

// There is a reserve for what is stored in DATA_DIR: the database, the objects, or both. If neither is, there is none.
func TestMinFreeSpace(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	all := servers(b.pg, b.s3)
	own := servers(pgtest.Start(t), b.s3) // another database: one belongs to one store
	only := func(prefixes ...string) (env []string) {
		for _, e := range own {
			for _, p := range prefixes {
				if strings.HasPrefix(e, p) {
					env = append(env, e)
				}
			}
		}
		return env
	}
	for name, c := range map[string]struct {
		env     []string
		reserve bool
	}{
		"SQLite, embedded":     {nil, true},
		"SQLite, S3":           {only("STORAGE_", "S3_"), true},
		"PostgreSQL, embedded": {append(only("POSTGRES_"), "STORAGE_TYPE=embedded"), true},
		"PostgreSQL, S3":       {append(all, "BUCKET_PREFIX=another"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.env...)
			if s.token == "" {
				s.token = s.run("token", "create", "--user", "1", "--account", "1")
			}
			content := random(9 * mebi)
			url, _ := s.upload(t, content)
			open, gone := s.create(t, len(content)), s.create(t, 3)
			s.patch(t, open, 0, content[:mebi])
			s.restartWith("MIN_FREE_SPACE=" + strconv.Itoa(1<<50))
			if !c.reserve {
				s.goesOn(t, open, mebi, content)
				return
			}
			s.refusesUploads(t)
			if a := s.patch(t, open, mebi, content[mebi:]); a.status != 507 || a.code() != "STORAGE_004" {
				t.Errorf("more bytes: %v", a)
			}
			s.holds(t, url, content)
			for _, u := range []string{gone, url} {
				if a := s.do(t, "DELETE", u, nil); a.status != 204 {
					t.Errorf("DELETE: %v", a)
				}
			}
			s.restartWith("MIN_FREE_SPACE=0", "MAX_FILE_SIZE="+hugeFile, "MEMORY_BUDGET=2147483648")
			s.goesOn(t, open, mebi, content)
			a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: "+hugeFile)
			if refused := a.status == 507; refused != strings.Contains(name, "embedded") {
				t.Errorf("more than the disk has: %v", a)
			}
		})
	}
}
