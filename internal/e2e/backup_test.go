package e2e

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/testproc"
)

// documented runs a code block of docs/OPERATIONS.md, with the server's settings.
func (s *server) documented(t *testing.T, name string, env ...string) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", snippet(t, "OPERATIONS.md", name, "sh"))
	cmd.Dir = s.folder
	cmd.Env = append(append([]string{}, s.env...), env...)
	for i, e := range cmd.Env {
		if path, ours := strings.CutPrefix(e, "PATH="); ours {
			cmd.Env[i] = "PATH=" + filepath.Dir(binary) + ":" + path
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// A backup of the embedded store is made while files are uploaded and deleted. Restored elsewhere, it has every file
// that existed before, and an unfinished upload can be continued.
func TestBackupOfTheDefault(t *testing.T) {
	s := start(t)
	kept := s.keepsFiles(t)
	unfinished := random(20 * mebi)
	at := s.create(t, len(unfinished))
	const came = 9*mebi + 100 // a part and a tail
	s.patch(t, at, 0, unfinished[:came])

	var over atomic.Bool
	var busy sync.WaitGroup
	var done atomic.Int64
	for range 3 {
		busy.Go(func() {
			for !over.Load() && !t.Failed() {
				url, _ := s.upload(t, random(9*mebi))
				if a := s.do(t, "DELETE", url, nil); a.status != 204 {
					t.Errorf("DELETE: %v", a)
				}
				done.Add(1)
			}
		})
	}
	s.eventually("clients are busy", func() bool { return t.Failed() || done.Load() > 2 })
	backup := testproc.TempFolder(t, "holdfast-backup")
	s.documented(t, "backup", "BACKUP="+backup)
	began := done.Load()
	s.eventually("clients get on", func() bool { return t.Failed() || done.Load() > began })
	over.Store(true)
	busy.Wait()
	s.stop()

	// The old data is lost.
	if err := os.RemoveAll(s.data); err != nil {
		t.Fatal(err)
	}
	r := newServer(t)
	r.documented(t, "restore", "BACKUP="+backup)
	if found, clean := r.reconcile(t, "--deep"); !clean {
		t.Errorf("found in the copy: %v", found)
	}
	r.token = s.token
	r.opens(t, kept)
	r.goesOn(t, strings.Replace(at, s.base, r.base, 1), came, unfinished)
}

// opens starts a restored server and checks that it has every file.
func (s *server) opens(t *testing.T, kept map[string]string) {
	t.Helper()
	token := s.token
	s.token = "" // a fresh one is made for this folder
	s.launch()
	s.token = token
	for id, sum := range kept {
		if got := s.sum(t, s.base+"/"+id); got != sum {
			t.Errorf("%s has SHA-256 %s, want %s", id, got, sum)
		}
	}
}

// The backup command refuses if it could only copy a part of the data.
func TestBackupRefuses(t *testing.T) {
	s := start(t)
	if status, out := s.attempt(t, "", "backup", s.data); status != 2 || !strings.Contains(out, "is there already") {
		t.Errorf("%d %s", status, out)
	}
	empty := newServer(t)
	if status, out := empty.attempt(t, "", "backup", filepath.Join(empty.folder, "b")); status != 1 ||
		!strings.Contains(out, "there is no database") {
		t.Errorf("%d %s", status, out)
	}
	servers := newServer(t, "POSTGRES_HOST=127.0.0.1", "POSTGRES_USER=u", "POSTGRES_DB=d")
	if status, out := servers.attempt(t, "", "backup", filepath.Join(servers.folder, "b")); status != 2 ||
		!strings.Contains(out, "OPERATIONS.md") {
		t.Errorf("%d %s", status, out)
	}
}

// keepsFiles uploads files of several sizes; their SHA-256 are returned by id.
func (s *server) keepsFiles(t *testing.T) (kept map[string]string) {
	t.Helper()
	kept = map[string]string{}
	for _, size := range []int{0, 1, mebi, 20*mebi + 1} {
		content := random(size)
		url, _ := s.upload(t, content)
		kept[path.Base(url)] = digest(content)
	}
	return kept
}

// Database and buckets are copied to new servers by the documented commands. The new service
// has every file, and an unfinished upload goes on.
func TestBackupOfServers(t *testing.T) {
	old, fresh := startBacking(t), startBacking(t)
	s := start(t, servers(old.pg, old.s3)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	kept := s.keepsFiles(t)
	unfinished := random(20 * mebi)
	tail, parts := s.create(t, len(unfinished)), s.create(t, len(unfinished))
	s.patch(t, tail, 0, unfinished[:3*mebi])
	s.patch(t, parts, 0, unfinished[:9*mebi])

	// The service keeps running. Files that are uploaded after the first copy are in the second, and a file that is
	// deleted after the dump is in the dump and in the copy.
	copyBuckets := func() { s.documented(t, "copy", remotes(old, fresh)...) }
	copyBuckets()
	content := random(9 * mebi)
	url, _ := s.upload(t, content)
	gone, _ := s.upload(t, content)
	kept[path.Base(url)], kept[path.Base(gone)] = digest(content), digest(content)
	copyBuckets()
	backup := testproc.TempFolder(t, "holdfast-backup")
	programs := func(pg *pgtest.Server) []string {
		return []string{"BACKUP=" + backup, "DATABASE=" + pg.DSN(), "PATH=" + pg.Programs() + ":" + os.Getenv("PATH")}
	}
	s.documented(t, "dump", programs(old.pg)...)
	if a := s.do(t, "DELETE", gone, nil); a.status != 204 {
		t.Fatal(a)
	}
	copyBuckets()
	s.stop()
	old.pg.Stop(t)
	old.s3.Stop(t)

	r := newServer(t, servers(fresh.pg, fresh.s3)...)
	r.documented(t, "load", programs(fresh.pg)...)
	r.reconcilesCopy(t, path.Base(parts))
	r.token = s.token
	r.opens(t, kept)
	r.goesOn(t, strings.Replace(tail, s.base, r.base, 1), 3*mebi, unfinished)
}

// reconcilesCopy corrects the tags of copied objects. An upload without its parts is ended: they are no objects, and
// are not copied, as the documents say.
func (s *server) reconcilesCopy(t *testing.T, withoutParts string) {
	t.Helper()
	lost := "upload-without-parts " + withoutParts
	found, _ := s.reconcile(t, "--deep", "--fix")
	copied := 0
	for f, done := range found {
		if strings.HasPrefix(f, "copied-object ") && done == "tag corrected" {
			copied++
			delete(found, f)
		}
	}
	if done, is := found[lost]; len(found) != 1 || !is || done != "upload ended" || copied == 0 {
		t.Errorf("found: %v, %d tags were corrected", found, copied)
	}
	if found, _ := s.reconcile(t, "--deep"); len(found) != 0 {
		t.Errorf("still found: %v", found)
	}
}

// remotes are the settings of rclone for two stores, old and new.
func remotes(old, fresh backing) (env []string) {
	for name, b := range map[string]backing{"OLD": old, "NEW": fresh} {
		for key, value := range map[string]string{"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": b.s3.Endpoint,
			"REGION":        b.s3.Region,
			"ACCESS_KEY_ID": b.s3.AccessKey, "SECRET_ACCESS_KEY": b.s3.SecretKey} {
			env = append(env, "RCLONE_CONFIG_"+name+"_"+key+"="+value)
		}
	}
	return env
}
