package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/s3test"
)

// put uploads content under a name and a type, and returns its URL.
func (s *server) put(t *testing.T, name, mediaType string, content []byte) string {
	t.Helper()
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	url, _ := s.upload(t, content, "Upload-Metadata: filename "+encode(name)+",filetype "+encode(mediaType))
	return url
}

// link makes a link to the file at address and returns it.
func (s *server) link(t *testing.T, address, body string) string {
	t.Helper()
	a := s.do(t, "POST", address+"/links", body)
	var l struct {
		URL       string    `json:"url"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal(a.body, &l); a.status != 201 || err != nil || !strings.HasPrefix(l.URL, address+"?") ||
		time.Until(l.ExpiresAt) < 0 {
		t.Fatalf("a link: %v %v", a, err)
	}
	if body == "" && time.Until(l.ExpiresAt) > time.Hour {
		t.Errorf("a link that nobody gave an end expires at %s", l.ExpiresAt)
	}
	return l.URL
}

const anonymous = "Authorization: -"

func TestLinks(t *testing.T) {
	t.Parallel()
	s := start(t, "LINK_MAX_TTL=2h")
	file, second := s.put(t, "a.txt", "text/plain", []byte("0123456789")), s.put(t, "b.txt", "text/plain", []byte("b"))
	other := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	plain, inline := s.link(t, file, ""), s.link(t, file, `{"expires_in": 7200, "disposition": "inline"}`)
	short := s.link(t, file, `{"expires_in": 3}`)
	s.eventually("the short one has expired", func() bool { return s.do(t, "GET", short, nil, anonymous).status == 410 })
	s.check(t, []line{
		{"GET", plain, anonymous, "", 200, "", "0123456789"},
		{"GET", plain, anonymous, "", 200, "", "Content-Disposition: attachment; "},
		{"GET", plain, anonymous + "|Range: bytes=2-4", "", 206, "", "\r\n234"},
		{"HEAD", plain, anonymous, "", 200, "", "Content-Length: 10"},
		{"GET", inline, anonymous, "", 200, "", "Content-Disposition: inline; "},
		{"GET", plain, other, "", 200, "", "0123456789"},
		{"GET", short, anonymous, "", 410, "LINK_002", ""},
		{"HEAD", short, anonymous, "", 410, "", ""},
		{"GET", short, "", "", 410, "LINK_002", ""}, // the link is used, even if a token is sent with it
		{"GET", changed(plain, "disposition", "inline"), anonymous, "", 403, "LINK_001", ""},
		{"GET", changed(plain, "expires", "99999999999"), anonymous, "", 403, "LINK_001", ""},
		{"GET", changed(short, "expires", "99999999999"), anonymous, "", 403, "LINK_001", ""},
		{"GET", changed(plain, "signature", "x"), anonymous, "", 403, "LINK_001", ""},
		{"GET", changed(plain, "signature", ""), anonymous, "", 403, "LINK_001", ""},
		{"GET", second + plain[strings.Index(plain, "?"):], anonymous, "", 403, "LINK_001", ""},
		{"GET", file, anonymous, "", 401, "AUTH_001", ""},
		// It opens the file for reading, and nothing else.
		{"DELETE", plain, anonymous, "", 401, "AUTH_001", ""},
		{"POST", strings.Replace(plain, "?", "/links?", 1), anonymous, "", 401, "AUTH_001", ""},
		{"GET", strings.Replace(plain, path.Base(file), "", 1), anonymous, "", 401, "AUTH_001", ""},
		{"GET", strings.Replace(plain, "/files/", "/files/tus/", 1), anonymous, "", 401, "AUTH_001", ""},
	})
	s.stop()
	s.restart() // without LINK_KEYS the key is made by the service, and kept
	s.check(t, []line{
		{"GET", plain, anonymous, "", 200, "", "0123456789"},
		{"DELETE", file, "", "", 204, "", ""},
		{"GET", plain, anonymous, "", 404, "FILE_001", ""},
	})
}

// changed returns a link with another value of a parameter.
func changed(link, name, value string) string {
	u, _ := url.Parse(link)
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// Only callers that may read a file can make a link to it, and only within the limits.
func TestMakingLinks(t *testing.T) {
	t.Parallel()
	s := start(t, "LINK_MAX_TTL=2h")
	file := s.put(t, "a.txt", "text/plain", []byte("0123456789"))
	other := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	links := file + "/links"
	s.check(t, []line{
		{"POST", links, anonymous, "", 401, "AUTH_001", ""},
		{"POST", links, anonymous + "|Cookie: token=" + s.token, "", 401, "AUTH_001", ""},
		{"POST", links, other, "", 403, "FILE_002", ""},
		{"POST", "/files/unknown/links", "", "", 404, "FILE_001", ""},
		{"PUT", links, "", "", 405, "VAL_006", "Allow: DELETE, GET, HEAD, POST"},
		{"POST", links, "", `{"expires_in": 7201}`, 400, "VAL_003", "1 to 7200"},
		{"POST", links, "", `{"expires_in": 0}`, 400, "VAL_003", "expires_in"},
		{"POST", links, "", `{"expires_in": -1}`, 400, "VAL_003", "expires_in"},
		{"POST", links, "", `{"expires_in": 1e30}`, 400, "VAL_003", "expires_in"},
		{"POST", links, "", `{"expires_in": "3600"}`, 400, "VAL_003", "expires_in"},
		{"POST", links, "", `{"disposition": "x"}`, 400, "VAL_003", "disposition"},
		{"POST", links, "", `{"ttl": 5}`, 400, "VAL_003", "expires_in"},
		{"POST", links, "", `[`, 400, "VAL_003", "JSON"},
		{"POST", links, "", `{"expires_in": 60} {"expires_in": 70}`, 400, "VAL_003", "nothing behind it"},
		{"POST", links, "", `{} x`, 400, "VAL_003", "nothing behind it"},
		{"POST", links, "", `{"disposition": "` + strings.Repeat("x", 5000) + `"}`, 400, "VAL_003", "JSON"},
	})
}

func TestLinkKeys(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 32), strings.Repeat("b", 32)
	s := start(t, "LINK_KEYS="+a)
	file := s.put(t, "a.txt", "text/plain", []byte("0123456789"))
	old := s.link(t, file, "")
	for _, c := range []struct {
		keys   string
		status int
	}{{b + "," + a, 200}, {b, 403}, {a, 200}} {
		s.stop()
		s.env = append(s.env, "LINK_KEYS="+c.keys)
		s.restart()
		if got := s.do(t, "GET", old, nil, anonymous); got.status != c.status {
			t.Errorf("with the keys %s: %v, want %d", c.keys, got, c.status)
		}
	}
}

func TestInline(t *testing.T) {
	t.Parallel()
	s := start(t, "PDF_FRAME_OPTIONS=SAMEORIGIN", "DOWNLOAD_CACHE_CONTROL=private, max-age=60")
	for _, c := range []struct{ mediaType, disposition, policy, frames string }{
		{"image/png", "inline", "sandbox allow-same-origin; ", "DENY"},
		{"image/svg+xml", "inline", "sandbox; default-src 'none'; style-src 'unsafe-inline'", "DENY"},
		{"audio/mpeg", "inline", "sandbox allow-same-origin; ", "DENY"},
		{"video/webm", "inline", "sandbox allow-same-origin; ", "DENY"},
		{"text/plain", "inline", "sandbox; ", "DENY"},
		{"application/pdf", "inline", "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors " +
			"'self'", "SAMEORIGIN"},
		{"application/json", "attachment", "sandbox; ", "DENY"},
		{"application/xml", "attachment", "sandbox; ", "DENY"},
		{"text/html", "attachment", "sandbox; ", "DENY"}, // it is kept as application/octet-stream
		{"text/markdown", "attachment", "sandbox; ", "DENY"},
	} {
		file := s.put(t, "x", c.mediaType, []byte("0123456789"))
		for query, disposition := range map[string]string{"": "attachment", "?disposition=attachment": "attachment",
			"?disposition=x":      "attachment",
			"?disposition=inline": c.disposition} {
			a := s.do(t, "GET", file+query, nil)
			policy, frames := c.policy, c.frames
			if disposition == "attachment" {
				policy, frames = "sandbox; default-src 'none'; style-src 'unsafe-inline'", "DENY"
			}
			if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Disposition"), disposition+"; filename=") ||
				!strings.HasPrefix(a.header.Get("Content-Security-Policy"), policy) || a.header.Get("X-Frame-Options") != frames ||
				a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "private, max-age=60" {
				t.Errorf("%s%s: %v", c.mediaType, query, a)
			}
		}
	}
}

// A deleted file is gone at once at the replica that deleted it. At others its bytes are gone at once, too; its cached
// record and decisions expire a moment later.
func TestDeletedInOneReplica(t *testing.T) {
	t.Parallel()
	env := append(objectStore(s3test.Start(t)), postgres(pgtest.Start(t))...)
	env = append(env, "PERMISSION_CACHE_TTL=2s")
	a := start(t, env...)
	a.token = a.run("token", "create", "--user", "1", "--account", "1")
	b := newServer(t, env...)
	b.token = a.token
	b.launch()
	there := func(address string) string { return strings.Replace(address, a.base, b.base, 1) }

	for what, address := range map[string]func(file, tus string) string{
		"the file":   func(file, _ string) string { return file },
		"the upload": func(_, tus string) string { return tus },
	} {
		file, tus := a.upload(t, []byte("0123456789"))
		link := b.link(t, there(file), "")
		for _, s := range []*server{a, b} {
			s.holds(t, strings.Replace(file, a.base, s.base, 1), []byte("0123456789"))
		}
		if got := a.do(t, "DELETE", address(file, tus), nil); got.status != 204 {
			t.Fatalf("DELETE %s: %v", what, got)
		}
		gone := []line{{"GET", file, "", "", 404, "FILE_001", ""}, {"HEAD", file, "", "", 404, "", ""},
			{"GET", link, anonymous, "", 404, "FILE_001", ""}}
		a.check(t, gone[:2])
		// A missing object raises no alarm if its file was deleted.
		b.check(t, []line{{"GET", there(file), "", "", 404, "FILE_001", ""}, gone[2]})
		b.eventually("HEAD forgets "+what, func() bool { return b.do(t, "HEAD", there(file), nil).status == 404 })
	}
	if n := b.metric(`holdfast_download_object_faults_total{fault="missing"}`); n != 0 {
		t.Errorf("%v objects are missing", n)
	}
}

// A revoked token changes nothing from then on, and reads only for a while: auth/cache_test.go tests for how long,
// with a clock of its own.
func TestRevokedTokenInUse(t *testing.T) {
	t.Parallel()
	s := start(t, "AUTH_CACHE_TTL=2s")
	file := s.put(t, "a.txt", "text/plain", []byte("0123456789"))
	mine := "Authorization: Bearer " + s.run("token", "create", "--user", "1", "--account", "1", "--name", "lost")
	s.check(t, []line{{"GET", file, mine, "", 200, "", ""}})
	for row := range strings.Lines(s.run("token", "list")) {
		if f := strings.Fields(row); f[1] == "lost" {
			s.run("token", "revoke", f[0])
		}
	}
	s.check(t, []line{
		{"DELETE", file, mine, "", 401, "AUTH_001", ""},
		{"POST", file + "/links", mine, "", 401, "AUTH_001", ""},
		{"POST", "/files/tus/", mine + "|Upload-Length: 1", "", 401, "AUTH_001", ""},
	})
	s.eventually("it can't read any more", func() bool { return s.do(t, "GET", file, nil, mine).status == 401 })
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	outside := strings.Replace(s3.Endpoint, "127.0.0.1", "localhost", 1)
	s := start(t, append(objectStore(s3), "DOWNLOAD_MODE=redirect", "DOWNLOAD_REDIRECT_MIN=1000",
		"DOWNLOAD_REDIRECT_ENDPOINT="+outside)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	other := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	content := random(2000)
	small, large := s.put(t, "s.bin", "", content[:1000]), s.put(t, "öff.png", "image/png", content)
	link := s.link(t, large, `{"disposition": "inline"}`)
	s.check(t, []line{
		{"GET", small, "", "", 200, "", ""},
		{"GET", large, anonymous, "", 401, "AUTH_001", ""},
		{"GET", large, other, "", 403, "FILE_002", ""},
		{"GET", large, "", "", 302, "", "Cache-Control: no-store"},
	})
	for _, c := range []struct{ method, address, header, disposition string }{
		{"GET", large, "Authorization: Bearer " + s.token, "attachment"},
		{"HEAD", large, "Authorization: Bearer " + s.token, "attachment"},
		{"GET", link, anonymous, "inline"},
	} {
		a := s.do(t, c.method, c.address, nil, c.header)
		to := a.header.Get("Location")
		if a.status != 302 || !strings.HasPrefix(to, outside+"/") {
			t.Errorf("%s %s: %v", c.method, c.address, a)
			continue
		}
		got := s.do(t, c.method, to, nil, anonymous, "Tus-Resumable: -")
		if got.status != 200 || c.method == "GET" && !bytes.Equal(got.body, content) ||
			got.header.Get("Content-Type") != "image/png" ||
			got.header.Get("Content-Disposition") != c.disposition+`; filename="off.png"; filename*=utf-8''%C3%B6ff.png` {
			t.Errorf("%s at the store: %v", c.method, got)
		}
		if c.method == "HEAD" {
			continue
		}
		if got := s.do(t, "GET", to, nil, anonymous, "Tus-Resumable: -", "Range: bytes=5-9"); got.status != 206 ||
			!bytes.Equal(got.body, content[5:10]) {
			t.Errorf("a range at the store: %v", got)
		}
		for _, no := range []string{"HEAD", "PUT", "DELETE"} {
			if got := s.do(t, no, to, nil, anonymous, "Tus-Resumable: -"); got.status != 403 {
				t.Errorf("%s with an address for %s: %v", no, c.method, got)
			}
		}
	}
}

// RESOURCE_POLICY is the header of files only; all other answers are same-origin.
func TestResourcePolicy(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"same-origin", "cross-origin"} {
		s := start(t, "RESOURCE_POLICY="+policy)
		file := s.put(t, "a.png", "image/png", []byte("no picture"))
		link := s.link(t, file, `{"disposition": "inline"}`)
		for at, want := range map[string]string{file: policy, link: policy, file + "x": "same-origin",
			"/files/": "same-origin", "/files/healthz": "same-origin"} {
			if a := s.do(t, "GET", at, nil); a.header.Get("Cross-Origin-Resource-Policy") != want {
				t.Errorf("%s: %v, want %s", at, a, want)
			}
		}
		if a := s.do(t, "GET", link, nil, "Range: bytes=99-"); a.status != 416 ||
			a.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Error(a)
		}
	}
}
