package client

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
)

// A proxy that does not see the service for a while ends no upload with its 404.
func TestNotFoundByAProxy(t *testing.T) {
	for name, send := range map[string]func(*Client, string) (string, error){
		"tus":    func(c *Client, path string) (string, error) { return c.Upload(t.Context(), path) },
		"direct": func(c *Client, path string) (string, error) { return c.UploadDirect(t.Context(), path) },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			creations, hidden := 0, map[string]int{}
			var sent int64
			c := service(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				what := r.Method + " " + r.URL.Path
				if hidden[what]++; hidden[what] <= 2 && strings.Contains(what, "/1") && r.Method != http.MethodPut {
					http.NotFound(w, r)
					return
				}
				switch what {
				case "GET /files/direct/": // it takes such uploads
				case "POST /files/tus/", "POST /files/direct/":
					creations++
					w.Header().Set("Location", "/files/tus/1")
					w.WriteHeader(http.StatusCreated)
					io.WriteString(w, `{"id": "1"}`)
				case "PATCH /files/tus/1", "PUT /store/1":
					sent, _ = io.Copy(io.Discard, r.Body)
					w.Header().Set("Upload-Offset", fmt.Sprint(sent))
				case "HEAD /files/tus/1":
					w.Header().Set("Upload-Offset", fmt.Sprint(sent))
					w.Header().Set("Upload-Length", "5")
				case "GET /files/direct/1":
					fmt.Fprintf(w, `{"state": "open", "parts": 1, "part_size": 5, "sent": [{"number": 1, "size": %d}]}`, sent)
				case "POST /files/direct/1/parts":
					fmt.Fprintf(w, `{"parts": [{"number": 1, "url": "http://%s/store/1"}]}`, r.Host)
				case "POST /files/direct/1/complete":
					fmt.Fprintf(w, `{"public_url": "http://%s/files/1"}`, r.Host)
				}
			})
			url, err := send(c, local(t, "hello"))
			if err != nil || !strings.HasSuffix(url, "/files/1") || creations != 1 || sent != 5 {
				t.Errorf("%q %v: %d bytes in %d uploads, after %v", url, err, sent, creations, hidden)
			}
		})
	}
}

func TestNotFoundByAProxyDuringADownload(t *testing.T) {
	gets := 0
	c := service(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			switch gets++; gets {
			case 1:
				breakOff(w)
			case 2:
				http.NotFound(w, r)
				return
			}
		}
		serveTenBytes(w, r, `"a"`)
	})
	path, err := c.Download(t.Context(), c.Base+"/1", Target{Path: t.TempDir()})
	if got, _ := os.ReadFile(path); err != nil || string(got) != tenBytes || gets != 3 {
		t.Errorf("%q %v after %d requests", got, err, gets)
	}
}
