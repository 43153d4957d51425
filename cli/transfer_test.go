package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files are uploaded also where nothing can be written down about them. That is said once.
func TestUploadsWithoutAStateFolder(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/tus/1")
		w.Header().Set("Upload-Offset", "5")
		w.WriteHeader(map[string]int{"POST": 201, "PATCH": 204, "HEAD": 200}[r.Method])
	}))
	defer service.Close()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, path := range []string{a, b} {
		if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	getenv := func(name string) string {
		return map[string]string{"HOME": a, "HOLDFAST_URL": service.URL}[name] // HOME is no folder
	}
	var out, errs bytes.Buffer
	status := Run(t.Context(), []string{"upload", "-q", a, b}, getenv, strings.NewReader(""), &out, &errs)
	if status != ok || out.String() != strings.Repeat(service.URL+"/1\n", 2) ||
		strings.Count(errs.String(), "can't be resumed") != 1 || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("%d %s%s", status, &out, &errs)
	}
}
