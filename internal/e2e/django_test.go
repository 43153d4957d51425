package e2e

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"holdfast/internal/test/redistest"
)

const djangoSecret = "django_secret_django_secret_django_secret"

// django simulates Django: it keeps tokens in a real Redis, and answers as the backend according to the contract.
type django struct {
	t     *testing.T
	redis *redistest.Server
	*backend
}

func startDjango(t *testing.T) *django {
	t.Helper()
	return &django{t: t, redis: redistest.Start(t), backend: newBackend(t)}
}

// tokens returns the settings for its tokens, all those for its permissions, too.
func (d *django) tokens() []string {
	return []string{"AUTH_REDIS_URL=" + d.redis.URL(), "DJANGO_SECRET_KEY=" + djangoSecret}
}

func (d *django) all() []string { return append(d.tokens(), "BACKEND_PRIVATE_URL="+d.backend.URL+"/") }

// user signs a user in, and returns the header with the token.
func (d *django) user(token string, user, account int) string {
	key, err := pbkdf2.Key(sha256.New, token, []byte(djangoSecret), 1, 32)
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(hex.EncodeToString(key), pickle("user_id", user, "account_id", account))
	return "Authorization: Bearer " + token
}

// public makes the token of a public form, or of an embedded one.
func (d *django) public(token string, account int) string {
	d.put(token, pickle("account_id", account))
	return "X-Public-Authorization: Token " + token
}

func (d *django) put(key string, value []byte) {
	d.t.Helper()
	d.redis.Do(d.t, "SET", ":1:"+key, value)
}

// guest creates a guest's token and returns its header.
func (d *django) guest(user, account int) string {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"token_type": "Guest",
		"exp":     time.Now().Add(time.Hour).Unix(),
		"user_id": user, "account_id": account}).SignedString([]byte(djangoSecret))
	if err != nil {
		d.t.Fatal(err)
	}
	return "X-Guest-Authorization: " + token
}

// pickle returns Python's pickle of a dict of names and numbers (protocol 2).
func pickle(pairs ...any) []byte {
	b := []byte("\x80\x02}(")
	for _, v := range pairs {
		switch v := v.(type) {
		case string:
			b = append(append(b, 'X', byte(len(v)), 0, 0, 0), v...)
		case int:
			b = append(b, 'J', byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
		}
	}
	return append(b, "u."...)
}

// backend answers whether a caller may read a file: 204 for those that allow has named, otherwise 403.
type backend struct {
	*httptest.Server
	mu      sync.Mutex
	allowed map[string]bool // "header: value file"
	asked   int
	status  int           // of every answer, if it is not 0
	delay   time.Duration // before every answer
}

func newBackend(t *testing.T) *backend {
	b := &backend{allowed: map[string]bool{}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, err := url.ParseQuery(string(body))
		credential := identityHeaders(r)
		if r.Method != "POST" || r.URL.Path != "/attachments/check-permission" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" ||
			err != nil || len(form) != 1 || len(form["file_id"]) != 1 || len(credential) != 1 || r.Header.Get("Cookie") != "" {
			t.Errorf("the backend was asked in another way than the contract says: %s %s %v %q", r.Method, r.URL, r.Header, body)
		}
		b.mu.Lock()
		b.asked++
		status, delay, allowed := b.status, b.delay, b.allowed[credential[0]+" "+form.Get("file_id")] || b.allowed["*"]
		b.mu.Unlock()
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "sessionid", Value: "somebody's", Path: "/"})
		switch {
		case status != 0:
			w.WriteHeader(status)
		case allowed:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func identityHeaders(r *http.Request) (all []string) {
	for _, name := range []string{"Authorization", "X-Guest-Authorization", "X-Public-Authorization"} {
		for _, value := range r.Header.Values(name) {
			all = append(all, name+": "+value)
		}
	}
	return all
}

// allow lets a caller read a file; "*" stands for every caller and every file.
func (b *backend) allow(header, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed[header+" "+id] = true
	if header == "*" {
		b.allowed["*"] = true
	}
}

// answer makes every answer this one, after a delay.
func (b *backend) answer(status int, delay time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status, b.delay = status, delay
}

func (b *backend) questions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// caller sends requests as another caller than the server's own user.
type caller struct {
	*server
	name   string
	header string // with the token; empty: anonymous
}

func (s *server) as(name, header string) caller { return caller{s, name, header} }

func (c caller) do(method, path string, body any, headers ...string) answer {
	c.t.Helper()
	headers = append([]string{}, headers...)
	if c.header != "" {
		headers = append(headers, c.header)
	}
	if len(c.header) < 13 || c.header[:13] != "Authorization" {
		headers = append(headers, "Authorization: -")
	}
	return c.server.do(c.t, method, path, body, headers...)
}

// begin begins an upload and sends the first half of the content, or all of it.
func (c caller) begin(content string, all bool) (location string) {
	c.t.Helper()
	a := c.do("POST", "/files/tus/", nil, fmt.Sprintf("Upload-Length: %d", len(content)),
		"Upload-Metadata: filename YS50eHQ=")
	if a.status != http.StatusCreated {
		c.t.Fatalf("%s begins an upload: %v", c.name, a)
	}
	location = a.header.Get("Location")
	part := content[:len(content)/2]
	if all {
		part = content
	}
	if a := c.do("PATCH", location, part, octets, "Upload-Offset: 0"); a.status != http.StatusNoContent {
		c.t.Fatalf("%s uploads: %v", c.name, a)
	}
	return location
}

// brings uploads a file and returns its id.
func (c caller) brings(content string) (id string) {
	c.t.Helper()
	location := c.begin(content, true)
	return location[len(c.base+"/tus/"):]
}

// sees checks the answer to GET of a file.
func (c caller) sees(id string, want string) {
	c.t.Helper()
	if a := c.do("GET", "/files/"+id, nil); a.status != http.StatusOK || string(a.body) != want {
		c.t.Errorf("%s reads %s: %v", c.name, id, a)
	}
}

// gets checks status and body, byte by byte.
func (c caller) gets(method, path string, status int, body string, headers ...string) {
	c.t.Helper()
	a := c.do(method, path, nil, headers...)
	if a.status != status || method != "HEAD" && !bytes.Equal(a.body, []byte(body)) {
		c.t.Errorf("%s: %s %s:\n got %d %s\nwant %d %s", c.name, method, path, a.status, a.body, status, body)
	}
}
