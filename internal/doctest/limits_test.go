package doctest

import (
	"bytes"
	"context"
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
	refused := &refusals{expected: map[string]*visit{}}
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
			// On a busy machine the limit may have passed before a request arrives.
			for range 5 {
				dir := folder(t, content)
				refused.expect(s, path.Base(empty), want)
				c.run(t, s, dir, film)
				if slices.Contains(want, "GET") {
					same(t, dir, content)
				}
				if refused.all(s.token) {
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
	behind := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.ModifyResponse = refused.count
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused.reachLimit(behind.String()+"/files", r)
		proxy.ServeHTTP(w, r)
	}))
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
	res, err := s.try(t.Context(), method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// try is ask without a test.
func (s service) try(ctx context.Context, method, url string, content []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + s.token, "Tus-Resumable": "1.0.0",
		"Upload-Length": strconv.Itoa(len(content)), "Content-Type": "application/offset+octet-stream"} {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res, err
}

// refusals are which requests of which tokens are to be refused, and were.
type refusals struct {
	mu       sync.Mutex
	expected map[string]*visit // by token
}

// visit is what one client does.
type visit struct {
	service service
	empty   string          // the id of a file
	left    map[string]bool // methods that were not refused yet; true: whose limit is reached
}

// expect begins a visit: the first requests of these methods are to be refused.
func (r *refusals) expect(s service, empty string, methods []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := map[string]bool{}
	for _, m := range methods {
		left[m] = false
	}
	r.expected[s.token] = &visit{s, empty, left}
}

func tokenOf(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// reachLimit uses up the limit of a client that comes with its first request of a method.
func (r *refusals) reachLimit(base string, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.expected[tokenOf(req)]
	if v == nil {
		return
	}
	if reached, expected := v.left[req.Method]; reached || !expected {
		return
	}
	v.left[req.Method] = true
	method, url := "POST", base+"/tus/"
	if req.Method == "GET" {
		method, url = "GET", base+"/"+v.empty
	}
	for range 100 { // far beyond the limit; without it nothing is refused, and the test fails
		res, err := v.service.try(req.Context(), method, url, nil)
		if err != nil || res.StatusCode == http.StatusTooManyRequests {
			return
		}
	}
}

// count records a refusal.
func (r *refusals) count(res *http.Response) error {
	if res.StatusCode == http.StatusTooManyRequests {
		r.mu.Lock()
		defer r.mu.Unlock()
		if v := r.expected[tokenOf(res.Request)]; v != nil {
			delete(v.left, res.Request.Method)
		}
	}
	return nil
}

// all reports whether each of the methods was refused.
func (r *refusals) all(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.expected[token].left) == 0
}
