package e2e

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const jsonPolicy = "default-src 'none'; frame-ancestors 'none'"

// securityHeaders are the headers of every answer in production. Pages of the same site may show an answer that is a
// file.
func securityHeaders(policy string, isFile bool) map[string]string {
	return map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Security-Policy": policy,
		"Cross-Origin-Resource-Policy": map[bool]string{true: "same-site", false: "same-origin"}[isFile],
		"Referrer-Policy":              "strict-origin-when-cross-origin",
		"Permissions-Policy":           "camera=(), microphone=(), geolocation=()",
		"Strict-Transport-Security":    "max-age=31536000; includeSubDomains",
		"Access-Control-Allow-Origin":  "https://app.example.org", "Access-Control-Allow-Credentials": "true",
	}
}

// Every answer, even to a wrong request, has the headers that protect browsers, and those that let the front end read
// it.
func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, "CONFIG=Production", "FRONTEND_URL=https://app.example.org/", "MAX_FILE_SIZE=1000",
		"RATE_LIMIT_UPLOAD_REQUESTS=8", "RATE_LIMIT_UPLOAD_WINDOW=1h")
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	replace := strings.NewReplacer(s.fixture(t)...)
	form, header := formOf(t, "a", "", random(2000))
	for _, c := range []struct {
		method, path, headers string
		body                  any
		status                int
		policy                string
	}{
		{"GET", "/files/healthz", "", nil, 200, jsonPolicy},
		{"GET", "/files/", "", nil, 200, jsonPolicy},
		{"GET", "/files/{file}", "", nil, 200, "sandbox; default-src 'none'; style-src 'unsafe-inline'"},
		{"GET", "/files/{file}", "Range: bytes=50-", nil, 416, jsonPolicy},
		{"GET", "/files/{file}", "If-Match: \"x\"", nil, 412, jsonPolicy},
		{"HEAD", "/files/tus/{open}", "", nil, 200, jsonPolicy},
		{"POST", "/files/tus/", "Upload-Length: 5", nil, 201, jsonPolicy},
		{"POST", "/files/tus/", "Upload-Length: 5000", nil, 413, jsonPolicy},
		{"POST", "/files/upload", header, form, 413, jsonPolicy},
		{"GET", "/files/", "Authorization: Bearer no", nil, 401, jsonPolicy},
		{"GET", "/files/nothing", "", nil, 404, jsonPolicy},
		{"GET", "/files/a/b/c", "", nil, 404, jsonPolicy},
		{"DELETE", "/files/", "", nil, 405, jsonPolicy},
		{"POST", "/files/tus/", "Upload-Length: 5", nil, 201, jsonPolicy},
		{"POST", "/files/tus/", "Upload-Length: 5", nil, 201, jsonPolicy},
		{"POST", "/files/tus/", "Upload-Length: 5", nil, 201, jsonPolicy},
		{"POST", "/files/tus/", "Upload-Length: 5", nil, 429, jsonPolicy},
		{"POST", "/files/upload", header, form[:500], 429, jsonPolicy},
		{"OPTIONS", "/files/tus/", "", nil, 204, jsonPolicy},
	} {
		a := s.do(t, c.method, replace.Replace(c.path), c.body, append(strings.Split(cmp.Or(c.headers, "Accept: */*"), "|"),
			"Origin: https://app.example.org")...)
		for name, value := range securityHeaders(c.policy, c.path == "/files/{file}" && c.status == 200) {
			if got := a.header[name]; len(got) != 1 || got[0] != value {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.path, name, got, value)
			}
		}
		if a.status != c.status || a.header.Get("X-Request-ID") == "" ||
			!strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Upload-Offset") {
			t.Errorf("%s %s: %v, want %d", c.method, c.path, a, c.status)
		}
	}
}

// Outside production there is no HSTS, and another site may read nothing.
func TestHeadersOutsideProduction(t *testing.T) {
	t.Parallel()
	s := start(t)
	h := s.do(t, "GET", "/files/", nil, "Origin: https://evil.example.org").header
	if h.Get("Strict-Transport-Security") != "" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", h)
	}
}

// The answer to a preflight request allows each of these headers and methods.
func TestPreflight(t *testing.T) {
	t.Parallel()
	s := start(t, "ALLOWED_ORIGINS=https://app.example.org")
	for _, header := range []string{"authorization", "content-type", "x-guest-authorization", "x-public-authorization",
		"tus-resumable", "upload-length",
		"upload-offset", "upload-metadata", "upload-defer-length", "upload-concat", "upload-checksum",
		"x-http-method-override", "x-request-id", "idempotency-key"} {
		for _, method := range []string{"POST", "PATCH", "HEAD", "GET", "DELETE"} {
			a := s.do(t, "OPTIONS", "/files/tus/x", nil, "Origin: https://app.example.org",
				"Access-Control-Request-Method: "+method,
				"Access-Control-Request-Headers: "+header, "Authorization: -", "Tus-Resumable: -")
			if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.org" ||
				a.header.Get("Access-Control-Allow-Methods") != method ||
				a.header.Get("Access-Control-Allow-Headers") != header ||
				a.header.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("%s with %s: %v", method, header, a)
			}
		}
	}
}

// A person opens a URL in a browser. Without a session the browser is redirected to sign in; any other error redirects
// to a page for people.
func TestBrowsersAreRedirected(t *testing.T) {
	t.Parallel()
	s := start(t, "FRONTEND_URL=https://app.example.org/")
	const browser = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	signIn := func(rest string) string {
		return "https://app.example.org/auth/signin/?redirectUrl=" + url.QueryEscape("https://app.example.org/files"+rest)
	}
	for _, c := range []struct {
		method, path, headers string
		to                    string
	}{
		{"GET", "/files/some-id", browser + "|Authorization: -",
			"https://app.example.org/auth/signin/?redirectUrl=https%3A%2F%2Fapp.example.org%2Ffiles%2Fsome-id"},
		{"GET", "/some-id", browser + "|Authorization: -", signIn("/some-id")}, // the proxy cut the prefix off
		{"GET", "/files/some-id?disposition=inline&x=%20a+b", browser + "|Authorization: -",
			"https://app.example.org/auth/signin/?redirectUrl=https%3A%2F%2Fapp.example.org%2Ffiles%2Fsome-id" +
				"%3Fdisposition%3Dinline%26x%3D%2520a%2Bb"},
		{"GET", "/files/%D0%B0%2Fb~c", browser + "|Authorization: Bearer old", signIn("/%D0%B0%2Fb~c")},
		{"GET", "/files/tus/some-id", browser + "|Authorization: -", signIn("/tus/some-id")},
		{"GET", "/files/some-id", browser, "https://app.example.org/error/"}, // 404
		{"GET", "/files/a/b/c/d", browser, "https://app.example.org/error/"},
		{"GET", "/files/some-id?signature=x", browser, "https://app.example.org/error/"},
		// These are not navigations, or succeed.
		{"GET", "/files/some-id", "Accept: */*|Authorization: -", ""},
		{"GET", "/files/some-id", "Authorization: -", ""},
		{"HEAD", "/files/some-id", browser + "|Authorization: -", ""},
		{"POST", "/files/upload", browser + "|Authorization: -", ""},
		{"GET", "/files/", browser, ""},
	} {
		a := s.do(t, c.method, c.path, nil, append(strings.Split(c.headers, "|"), "Origin: https://app.example.org")...)
		if got := a.header.Get("Location"); got != c.to || (c.to != "") != (a.status == 302) {
			t.Errorf("%s %s: %d to %q, want %q", c.method, c.path, a.status, got, c.to)
		}
		if c.to != "" && (len(a.body) != 0 || a.header.Get("Cache-Control") != "no-store" ||
			a.header.Get("Www-Authenticate") != "" ||
			a.header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(strings.Join(a.header.Values("Vary"), ", "),
			"Accept")) {
			t.Errorf("%s: %v", c.path, a)
		}
	}
	plain := start(t)
	if a := plain.do(t, "GET", "/files/some-id", nil, browser, "Authorization: -"); a.status != 401 ||
		a.code() != "AUTH_001" {
		t.Errorf("without a front end: %v", a)
	}
}

// A request keeps the id that it comes with, if the id is safe in a log.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s := start(t)
	file, _ := s.upload(t, []byte("x"))
	for sent, kept := range map[string]bool{"abc-1_2.Z": true, strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false, "a b": false, "é": false, `a"b`: false, "a=b": false} {
		if got := s.do(t, "GET", file, nil, "X-Request-ID: "+sent).header.Get("X-Request-ID"); (got == sent) != kept ||
			got == "" {
			t.Errorf("%q became %q", sent, got)
		}
	}
	if a, b := s.do(t, "GET", file, nil).header.Get("X-Request-ID"),
		s.do(t, "GET", file, nil).header.Get("X-Request-ID"); a == b {
		t.Errorf("two requests with the id %q", a)
	}
}

// Every log line about a request has its id, and neither the log nor a span has a secret, after requests with
// tokens in every place, signed links and wrong tokens.
func TestLogs(t *testing.T) {
	t.Parallel()
	collector, setting := startCollector(t)
	s := start(t, "DEBUG=on", setting)
	file, location := s.upload(t, []byte("x"))
	secrets := slices.Concat([]string{s.token}, s.sendSignature(t, file), s.sendTokens(t, file, location),
		s.sendHidden(t))
	s.do(t, "DELETE", file, nil, "X-Request-ID: the-last-one")
	s.stop()
	log, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	_, spans := collector.of(t, onlyTrace(t, log, "the-last-one"))
	if !slices.Contains(spans, "SQL delete file") {
		t.Errorf("the last request has the spans %v", spans)
	}
	for _, secret := range secrets {
		if bytes.Contains(collector.raw.Bytes(), []byte(secret)) {
			t.Errorf("%q is in a span", secret)
		}
		if strings.Contains(string(log), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	seen := false
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "msg=request ") {
			seen = seen || strings.Contains(line, "request_id=the-last-one") && strings.Contains(line, "client=127.0.0.1") &&
				strings.Contains(line, "method=DELETE route=/{id} status=204") && strings.Contains(line, "identity=user") &&
				strings.Contains(line, "file="+file[len(s.base)+1:])
			if !strings.Contains(line, " request_id=") {
				t.Errorf("no id: %s", line)
			}
		}
	}
	if !seen {
		t.Errorf("the last request is not in the log:\n%s", log)
	}
}

// sendSignature opens a signed link, and one with a wrong signature.
func (s *server) sendSignature(t *testing.T, file string) (secrets []string) {
	t.Helper()
	address := s.link(t, file, `{}`)
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("signature") == "" {
		t.Fatalf("%s %v", address, err)
	}
	if a := s.do(t, "GET", address, nil, "Authorization: -"); a.status != 200 {
		t.Fatal(a)
	}
	s.do(t, "GET", address+"x", nil, "Authorization: -")
	return []string{u.Query().Get("signature")}
}

// sendTokens sends a wrong token in each header and cookie, and in the query.
func (s *server) sendTokens(t *testing.T, file, location string) (secrets []string) {
	t.Helper()
	for i, name := range []string{"Authorization: Bearer ", "Authorization: Token ", "X-Guest-Authorization: ",
		"X-Public-Authorization: Token ",
		"Cookie: token=", "Cookie: file_service_auth=", "Cookie: guest-token=", "Cookie: public-token="} {
		secret := fmt.Sprintf("topsecret%dx", i)
		secrets = append(secrets, secret)
		for _, at := range []string{file, location, "/files/upload"} {
			s.do(t, "GET", at+"?token="+secret, nil, "Authorization: -", name+secret)
			s.do(t, "POST", at+"?token="+secret, "x", "Authorization: -", name+secret)
		}
	}
	return secrets
}

// sendHidden sends texts that could be secrets: in paths, queries, bodies and headers, by every method.
func (s *server) sendHidden(t *testing.T) (secrets []string) {
	t.Helper()
	for i, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
		for j, path := range []string{"/%s", "/files/%s", "/files/tus/%s", "/files/%s/links", "/files/%s/grants",
			"/files/a/b/%s", "/files/tus/?x=%s"} {
			secret := fmt.Sprintf("hidden%dx%dx", i, j)
			secrets = append(secrets, secret)
			for _, headers := range [][]string{{"User-Agent: " + secret, "Referer: https://example.org/" + secret},
				{"Authorization: -", "X-HTTP-Method-Override: " + secret},
				{"Upload-Length: 1", "Upload-Metadata: filename " + base64.StdEncoding.EncodeToString([]byte(secret)),
					"Upload-Concat: " + secret}} {
				s.do(t, method, fmt.Sprintf(path, secret), secret, headers...)
			}
		}
	}
	return secrets
}

// onlyTrace returns the trace that the log names for a request.
func onlyTrace(t *testing.T, log []byte, request string) string {
	t.Helper()
	m := regexp.MustCompile(` request_id=` + request + ` trace_id=([0-9a-f]{32})`).FindSubmatch(log)
	if m == nil {
		t.Fatalf("request %s has no trace in\n%s", request, log)
	}
	return string(m[1])
}
