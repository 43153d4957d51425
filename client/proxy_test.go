package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// The service says so where a noted upload is another user's, and another one is begun. A proxy's 403 ends the command,
// and the upload stays noted.
func TestForbiddenByAProxy(t *testing.T) {
	tus := tusService(map[string]string{"POST": "Location: http://h/files/tus/1", "PATCH": "Upload-Offset: 60"})
	direct := directService(func(w http.ResponseWriter, r *http.Request) bool { return true })
	for _, c := range []struct {
		name, endpoint, url string // of the upload that is noted, under Base
		send                func(*Client, context.Context, string) (string, error)
		answers             http.HandlerFunc
		by                  string // the type of the refusal
		ends                bool
	}{
		{"tus, the service", "", "/tus/9", (*Client).Upload, tus, "application/json", false},
		{"tus, a proxy", "", "/tus/9", (*Client).Upload, tus, "text/html", true},
		{"direct, the service", "/direct", "/direct/9", (*Client).UploadDirect, direct, "application/json", false},
		{"direct, a proxy", "/direct", "/direct/9", (*Client).UploadDirect, direct, "text/html", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			creations := 0
			inBubble(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/9") {
					w.Header().Set("Content-Type", c.by)
					w.WriteHeader(http.StatusForbidden)
					return
				}
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/") {
					creations++
				}
				c.answers(w, r)
			}, func(t *testing.T, s *Client) {
				path, info := noted(t, s, s.Base+c.endpoint, s.Base+c.url)
				_, err := c.send(s, t.Context(), path)
				if c.ends {
					wantError(t, err, new(Refusal), "forbidden (403)")
				} else if err != nil || creations != 1 {
					t.Errorf("%v after %d creations", err, creations)
				}
				if got := s.URLs.find(s.Base+c.endpoint, path, info); (got != "") != c.ends {
					t.Errorf("%q is noted", got)
				}
			})
		})
	}
}

// noted makes a file of 60 bytes, an upload of which is noted.
func noted(t *testing.T, c *Client, endpoint, url string) (path string, info fs.FileInfo) {
	t.Helper()
	path = local(t, string(make([]byte, 60)))
	info, err := os.Stat(path)
	if err == nil {
		err = c.URLs.save(endpoint, path, info, url)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, info
}

// A proxy's 404 does not say that the service takes no direct uploads if one is noted.
func TestNoDirectUploadsByAProxy(t *testing.T) {
	direct := directService(func(w http.ResponseWriter, r *http.Request) bool { return true })
	for _, c := range []struct {
		name, by string
		noted    bool
		want     error
	}{
		{"a proxy", "text/html", true, nil},
		{"the service", "application/json", true, ErrNoDirect},
		{"a proxy, and nothing is noted", "text/html", false, ErrNoDirect},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32 // parts are sent side by side
			inBubble(t, func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) < 3 {
					w.Header().Set("Content-Type", c.by)
					w.WriteHeader(http.StatusNotFound)
					return
				}
				r.URL.Path = strings.Replace(r.URL.Path, "/9", "/1", 1)
				direct(w, r)
			}, func(t *testing.T, s *Client) {
				path, info := noted(t, s, s.Base+"/direct", s.Base+"/direct/9")
				if !c.noted {
					if err := s.URLs.remove(s.Base+"/direct", path, info); err != nil {
						t.Error(err)
					}
				}
				if _, err := s.UploadDirect(t.Context(), path); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
			})
		})
	}
}

// A proxy with a page of its own in the place of every 404 says "not found" in its own words of what is really gone.
func TestNotFoundByAProxyThatSeesTheService(t *testing.T) {
	for name, send := range map[string]func(*Client, string) (string, error){
		"tus":    func(c *Client, path string) (string, error) { return c.Upload(t.Context(), path) },
		"direct": func(c *Client, path string) (string, error) { return c.UploadDirect(t.Context(), path) },
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			c := service(t, func(w http.ResponseWriter, r *http.Request) {
				what := r.Method + " " + r.URL.Path
				asked = append(asked, what)
				switch what {
				case "OPTIONS /files/tus/":
					w.Header().Set("Tus-Version", "1.0.0")
				case "GET /files/direct/":
				case "POST /files/tus/", "POST /files/direct/":
					http.Error(w, "enough", http.StatusBadRequest)
				default:
					http.NotFound(w, r)
				}
			})
			path := local(t, "hello")
			info, err := os.Stat(path)
			if err == nil {
				err = c.URLs.save(c.Base, path, info, c.Base+"/tus/1")
			}
			if err == nil {
				err = c.URLs.save(c.Base+"/direct", path, info, c.Base+"/direct/1")
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = send(c, path)
			state := map[string]string{"tus": "HEAD /files/tus/1", "direct": "GET /files/direct/1"}[name]
			want := []string{state, "OPTIONS /files/tus/", state, "OPTIONS /files/tus/", "POST /files/" + name + "/"}
			if asked[0] == "GET /files/direct/" {
				asked = asked[1:]
			}
			if err == nil || !slices.Equal(asked, want) {
				t.Errorf("%v after %q", err, asked)
			}
		})
	}
}
