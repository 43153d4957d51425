package doctest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// The snippets of docs/CLIENTS.md run with CONFIG=Production, for a user who has reached the rate limit: each must be
// refused, wait, and succeed. web-example/test/limits.test.mjs does the same to those that run in a browser.
func TestClientsWaitForTheRateLimit(t *testing.T) {
	refused := &refusals{methods: map[string][]string{}}
	s := startInProduction(t, refused)
	content := randomContent(1_000_000)
	var oneWay []client // they download nothing
	for _, name := range []string{"form", "plain", "draft"} {
		oneWay = append(oneWay, client{name, func(t *testing.T, s service, dir, _ string) string {
			return shell(t, s, dir,
				name)
		}})
	}
	for i, c := range slices.Concat(uploaders(), downloaders(), oneWay) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each waits for its own user's limit
			if c.name == "python" {
				python(t) // the first installation takes longer than the limit lasts
			}
			s := s
			s.token = s.tokenFor(t, 100+i)
			want := []string{"POST", "GET"}
			switch c.name {
			case "wget", "aria2":
				want = want[1:]
			case "form", "draft":
				want = want[:1]
			case "plain":
				want = []string{"PUT"}
			}
			film, empty := s.create(t, content), s.create(t, nil)
			// On a busy machine a client may start so late that the limit has passed.
			for range 5 {
				dir := folder(t, content)
				for s.ask(t, "POST", s.url+"/tus/", nil).StatusCode != http.StatusTooManyRequests {
				}
				for s.ask(t, "GET", empty, nil).StatusCode != http.StatusTooManyRequests {
				}
				refused.forget(s.token)
				c.run(t, s, dir, film)
				if slices.Contains(want, "GET") {
					same(t, dir, content)
				}
				if refused.all(s.token, want) {
					return
				}
			}
			t.Error("the limit never refused it")
		})
	}
}

// startInProduction runs the service behind a proxy that records refusals. Uploads are refused for at most ten seconds
// and downloads for twenty: a client that uploads, and then downloads, meets both.
func startInProduction(t *testing.T, refused *refusals) service {
	t.Helper()
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	proxy.ModifyResponse = refused.count
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return start(t, port, front.URL+"/files", "CONFIG=Production", "RATE_LIMIT_UPLOAD_REQUESTS=2",
		"RATE_LIMIT_UPLOAD_WINDOW=20s",
		"RATE_LIMIT_DOWNLOAD_REQUESTS=1", "RATE_LIMIT_DOWNLOAD_WINDOW=20s")
}

// create uploads a file, as soon as the limit allows it, and returns its URL.
func (s service) create(t *testing.T, content []byte) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		switch res := s.ask(t, "POST", s.url+"/tus/", content); res.StatusCode {
		case http.StatusCreated:
			return s.url + "/" + path.Base(res.Header.Get("Location"))
		case http.StatusTooManyRequests:
			if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 20 {
				t.Fatalf("Retry-After: %q", res.Header.Get("Retry-After"))
			}
		default:
			t.Fatal(res.Status)
		}
	}
	t.Fatal("the limit never allows it")
	return ""
}

// ask sends a request with a tus client's headers, and reads the answer.
func (s service) ask(t *testing.T, method, url string, content []byte) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + s.token, "Tus-Resumable": "1.0.0",
		"Upload-Length": strconv.Itoa(len(content)), "Content-Type": "application/offset+octet-stream"} {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res
}

// refusals are, by token, the methods that were answered with 429.
type refusals struct {
	mu      sync.Mutex
	methods map[string][]string
}

func (r *refusals) count(res *http.Response) error {
	if res.StatusCode == http.StatusTooManyRequests {
		r.mu.Lock()
		defer r.mu.Unlock()
		token := strings.TrimPrefix(res.Request.Header.Get("Authorization"), "Bearer ")
		r.methods[token] = append(r.methods[token], res.Request.Method)
	}
	return nil
}

func (r *refusals) forget(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.methods, token)
}

// all reports whether each of these methods was refused.
func (r *refusals) all(token string, methods []string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(methods, func(m string) bool { return !slices.Contains(r.methods[token], m) })
}
