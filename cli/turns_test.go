package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// serveNames serves files that are all called x, or x.part. With late, the first one begins when another has begun.
func serveNames(t *testing.T, late bool) string {
	var once sync.Once
	others := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, content := "x", strings.TrimPrefix(r.URL.Path, "/")
		if content == "part" {
			name = "x.part"
		}
		if content != "first" {
			once.Do(func() { close(others) })
		} else if late {
			<-others
		}
		w.Header().Set("Content-Disposition", "attachment; filename="+name)
		w.Header().Set("ETag", `"`+content+`"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// Files of one name come one after the other, in the order in which they are given, however many are fetched at the
// same time.
func TestDownloadsOfOneName(t *testing.T) {
	for _, c := range []struct {
		force, urls string
		status      int
		out, says   string
		holds       string // x, and x.part
	}{
		{"", "first second third", failed, "x\n", "exists already", "first "},
		{"-f", "first second third", ok, "x\nx\nx\n", "", "third "},
		{"", "first part", ok, "x\nx.part\n", "", "first part"},
		{"", "part second", failed, "x.part\n", "not a partial download", " part"},
	} {
		for _, parallel := range []string{"1", "3"} {
			dir, service := t.TempDir(), serveNames(t, parallel == "3")
			args := []string{"download", "-q", "-j", parallel, "-o", dir}
			if c.force != "" {
				args = append(args, c.force)
			}
			for url := range strings.FieldsSeq(c.urls) {
				args = append(args, service+url)
			}
			var out, errs bytes.Buffer
			status := Run(t.Context(), args, func(string) string { return "" }, strings.NewReader(""), &out, &errs)
			got := strings.ReplaceAll(out.String(), dir+string(filepath.Separator), "")
			if status != c.status || got != c.out || !strings.Contains(errs.String(), c.says) {
				t.Errorf("-j%s %s %s: %d %q %s", parallel, c.force, c.urls, status, got, &errs)
			}
			if holds := content(dir, "x") + " " + content(dir, "x.part"); holds != c.holds {
				t.Errorf("-j%s %s %s: %q, want %q", parallel, c.force, c.urls, holds, c.holds)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*.etag")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		}
	}
}

// content is what a file holds; nothing if there is none.
func content(dir, name string) string {
	b, _ := os.ReadFile(filepath.Join(dir, name))
	return string(b)
}
