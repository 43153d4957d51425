package client

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// An answer that is lost once: the request is sent again, and what it did the first time is no error.
func TestAnswersThatAreLost(t *testing.T) {
	tries := 0
	c := service(t, func(w http.ResponseWriter, r *http.Request) {
		switch tries++; {
		case tries == 1:
			panic(http.ErrAbortHandler)
		case r.Method == http.MethodDelete:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"id": "1", "url": "http://h/files/1?link=1", "expires_at": "2030-01-02T03:04:05Z"}`)
		default:
			fmt.Fprint(w, `{"files": [{"id": "1", "name": "a", "size": 5}], "next": null}`)
		}
	})
	if err := c.Delete(t.Context(), c.Base+"/1"); err != nil || tries != 2 {
		t.Errorf("delete: %v after %d requests", err, tries)
	}
	tries = 0
	link, err := c.Link(t.Context(), c.Base+"/1", LinkOptions{})
	if err != nil || link.ID != "1" || link.ExpiresAt.Year() != 2030 || tries != 2 {
		t.Errorf("link: %+v %v after %d requests", link, err, tries)
	}
	tries = 0
	for f, err := range c.List(t.Context()) {
		if err != nil || f.Size != 5 || tries != 2 {
			t.Errorf("list: %+v %v after %d requests", f, err, tries)
		}
	}
	tries = 1 // nothing is lost: it was not there before
	if err := c.Delete(t.Context(), c.Base+"/1"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// An answer that never ends is given up, and asked for again.
func TestAnswersThatStall(t *testing.T) {
	for what, ask := range map[string]func(*Client) error{
		"any JSON":        func(c *Client) error { return c.call(t.Context(), "GET", c.Base, nil, new(any)) },
		"a direct upload": func(c *Client) error { _, err := c.UploadDirect(t.Context(), local(t, "hello")); return err },
	} {
		t.Run(what, func(t *testing.T) {
			var asked atomic.Int32
			c := service(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/files/direct/" { // which takes them, and has begun one
					io.WriteString(w, `{"id": "x"}`)
					return
				}
				asked.Add(1)
				io.WriteString(w, `{"id":`)
				http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			c.StallTimeout = 50 * time.Millisecond
			if err := ask(c); !errors.Is(err, ErrUnreachable) || asked.Load() < 2 {
				t.Errorf("%v after %d requests", err, asked.Load())
			}
		})
	}
}

// All pages are read, in their order; a service that repeats itself does not keep the list going.
func TestPagesOfAList(t *testing.T) {
	pages := map[string]string{
		"":   `{"files": [{"id": "1"}, {"id": "2"}], "next": "b&"}`,
		"b&": `{"files": [{"id": "3"}], "next": null}`,
	}
	c := service(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, pages[r.FormValue("after")]) })
	var ids []string
	for f, err := range c.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, f.ID)
	}
	if !slices.Equal(ids, []string{"1", "2", "3"}) {
		t.Errorf("%q", ids)
	}
	for name, again := range map[string]string{
		"the same page":  `{"files": [{"id": "3"}], "next": "b&"}`,
		"an empty page":  `{"files": [], "next": "c"}`,
		"no JSON":        `<html>`,
		"another answer": `[]`,
	} {
		pages["b&"] = again
		var last error
		n := 0
		for _, err := range c.List(t.Context()) {
			if last = err; n > 3 {
				t.Fatalf("%s: the list has no end", name)
			}
			n++
		}
		if last == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestKindsOfRefusals(t *testing.T) {
	for status, want := range map[int]error{401: fs.ErrPermission, 403: fs.ErrPermission, 404: fs.ErrNotExist,
		410: fs.ErrNotExist, 400: nil, 413: nil} {
		c := service(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, `{"code": "X_001", "message": "No", "details": {"reason": "because"}}`)
		})
		_, err := c.Link(t.Context(), c.Base+"/1", LinkOptions{ExpiresIn: time.Hour})
		var no *Refusal
		if !errors.As(err, &no) || no.Code != "X_001" || no.Reason != "because" || no.Status != status {
			t.Errorf("%d: %v", status, err)
		}
		for _, kind := range []error{fs.ErrPermission, fs.ErrNotExist} {
			if errors.Is(err, kind) != (kind == want) {
				t.Errorf("%d: is it %v?", status, kind)
			}
		}
	}
}

// The codes are those of the service's description.
func TestCodes(t *testing.T) {
	description, err := os.ReadFile(filepath.Join("..", "openapi", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("client.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`(?m)^\tCode\w+ += "(\w+)"`).FindAllSubmatch(source, -1)
	for _, m := range codes {
		if !strings.Contains(string(description), "`"+string(m[1])+"`") {
			t.Errorf("no service answers with %s", m[1])
		}
	}
	if len(codes) < 8 {
		t.Errorf("%d codes", len(codes))
	}
}

// Whoever imports the package gets three small libraries with it, and nothing of the service.
func TestWhatTheImportBrings(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}",
		".").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"github.com/cenkalti/backoff/v5", "github.com/dunglas/httpsfv", "golang.org/x/sync/errgroup",
		"holdfast/internal/filelock", "holdfast/internal/regular", "holdfast/client"}
	if got := strings.Fields(string(out)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
