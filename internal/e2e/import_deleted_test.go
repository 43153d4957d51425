package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that was imported and deleted since stays deleted, and both commands say so; it is imported again, under its
// id, only if that is requested.
func TestImportOfADeletedFile(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	all := servers(b.pg, b.s3)
	var sqlite []string
	for _, e := range all {
		if !strings.HasPrefix(e, "POSTGRES_") {
			sqlite = append(sqlite, e)
		}
	}
	fill(t, b.s3, "old", map[string][]byte{"a.pdf": []byte("content")})
	for name, env := range map[string][]string{"PostgreSQL": append(all, "BUCKET_PREFIX=with-pg"),
		"SQLite": append(sqlite, "BUCKET_PREFIX=with-sqlite")} {
		t.Run(name, func(t *testing.T) {
			s := start(t, env...)
			s.token = s.run("token", "create", "--user", "12", "--account", "7")
			manifest := filepath.Join(s.folder, "m.csv")
			if err := os.WriteFile(manifest, []byte("account,user,bucket,key,id\n7,12,old,a.pdf,one\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			const old = "https://storage.googleapis.com/old/a.pdf"
			links := func(want ...string) {
				t.Helper()
				status, out := s.attempt(t, old, "import", "links")
				for _, w := range want {
					if status != 0 || !strings.Contains(out, w) {
						t.Errorf("import links: %d %s, want %s", status, out, w)
					}
				}
			}
			s.importing(t, 0, "copied: 1", "--manifest", manifest)
			links(s.base + "/one")
			if a := s.do(t, "DELETE", s.base+"/one", nil); a.status != 204 {
				t.Fatal(a)
			}
			links(old, "left: 1 links, which name no file", "  1  "+old)
			for _, args := range [][]string{{}, {"--dry-run"}} {
				out := s.importing(t, 0, "deleted since: 1; 0 bytes", append(args, "--manifest", manifest)...)
				if !strings.Contains(out, "deleted since: s3://old/a.pdf (one); --again brings it back") ||
					strings.Contains(out, "already there") {
					t.Errorf("import %v: %s", args, out)
				}
			}
			s.check(t, []line{{"GET", "/files/one", "", "", 404, "FILE_001", ""}})
			s.importing(t, 0, "would be done: 1", "--manifest", manifest, "--dry-run", "--again")
			s.importing(t, 0, "copied: 1", "--manifest", manifest, "--again")
			s.holds(t, s.base+"/one", []byte("content"))
			links(s.base + "/one")
			s.importing(t, 0, "already there: 1", "--manifest", manifest, "--again")
			s.stop()
			token := s.token
			s.restart() // sweeps: nothing that is left of the first import removes the second one
			s.eventually("there was a sweep", func() bool { return s.metric(`holdfast_sweeps_total{result="ok"}`) > 0 })
			s.token = token
			s.holds(t, s.base+"/one", []byte("content"))
			s.stop()
		})
	}
}
