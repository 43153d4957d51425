package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/redistest"
)

const jsonPolicy = "default-src 'none'; frame-ancestors 'none'"

// Whatever is answered, right or wrong: the headers that protect browsers are there, and
// those that let the front end read it.
func TestHeadersOfEveryAnswer(t *testing.T) {
	s := start(t, "CONFIG=Production", "FRONTEND_URL=https://app.example.org/", "MAX_FILE_SIZE=1000", "RATE_LIMIT_UPLOAD_REQUESTS=8", "RATE_LIMIT_UPLOAD_WINDOW=1h")
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	names := s.fixture(t)
	replace := strings.NewReplacer(names...)
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
		a := s.do(t, c.method, replace.Replace(c.path), c.body, append(strings.Split(c.headers, "|"), "Origin: https://app.example.org")...)
		want := map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Security-Policy": c.policy,
			"Referrer-Policy": "strict-origin-when-cross-origin", "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
			"Strict-Transport-Security":   "max-age=31536000; includeSubDomains",
			"Access-Control-Allow-Origin": "https://app.example.org", "Access-Control-Allow-Credentials": "true",
		}
		for name, value := range want {
			if got := a.header[name]; len(got) != 1 || got[0] != value {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.path, name, got, value)
			}
		}
		if a.status != c.status || a.header.Get("X-Request-ID") == "" || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Upload-Offset") {
			t.Errorf("%s %s: %v, want %d", c.method, c.path, a, c.status)
		}
	}
	other := start(t)
	if h := other.do(t, "GET", "/files/", nil, "Origin: https://evil.example.org").header; h.Get("Strict-Transport-Security") != "" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", h)
	}
}

// A browser asks before it sends any of these headers, and is told that it may.
func TestPreflight(t *testing.T) {
	s := start(t, "ALLOWED_ORIGINS=https://app.example.org")
	for _, header := range []string{"authorization", "content-type", "x-guest-authorization", "x-public-authorization", "tus-resumable", "upload-length",
		"upload-offset", "upload-metadata", "upload-defer-length", "upload-concat", "upload-checksum", "x-http-method-override", "x-request-id", "idempotency-key"} {
		for _, method := range []string{"POST", "PATCH", "HEAD", "GET", "DELETE"} {
			a := s.do(t, "OPTIONS", "/files/tus/x", nil, "Origin: https://app.example.org", "Access-Control-Request-Method: "+method,
				"Access-Control-Request-Headers: "+header, "Authorization: -", "Tus-Resumable: -")
			if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.org" || a.header.Get("Access-Control-Allow-Methods") != method ||
				a.header.Get("Access-Control-Allow-Headers") != header || a.header.Get("Access-Control-Allow-Credentials") != "true" {
				t.Errorf("%s with %s: %v", method, header, a)
			}
		}
	}
}

// A foreign page makes a browser that is signed in send something.
func TestAttackFromAForeignPage(t *testing.T) {
	s := start(t, "FRONTEND_URL=https://app.example.org", "ALLOWED_ORIGINS=https://forms.example.org")
	file, _ := s.upload(t, []byte("precious"))
	form, header := formOf(t, "a", "", []byte("x"))
	cookie := "Cookie: token=" + s.token
	foreign := `{"code":"PERM_001","message":"Permission denied"}`
	for _, c := range []struct {
		method, path, headers string
		body                  any
		status                int
		answer                string
	}{
		{"POST", "/files/upload", header + "|Origin: https://evil.example.org|Authorization: -|" + cookie, form, 403, foreign},
		{"POST", "/files/upload", header + "|Sec-Fetch-Site: cross-site|Authorization: -|" + cookie, form, 403, foreign},
		{"POST", "/files/upload", header + "|Origin: null|Sec-Fetch-Site: cross-site|Authorization: -|" + cookie, form, 403, foreign},
		{"POST", "/files/tus/", "Upload-Length: 1|Origin: https://evil.example.org|Authorization: -|" + cookie, nil, 403, foreign},
		{"POST", file, "X-HTTP-Method-Override: DELETE|Origin: https://evil.example.org|Authorization: -|" + cookie, nil, 403, foreign},
		{"DELETE", file, "Origin: https://evil.example.org|Authorization: -|" + cookie, nil, 403, foreign},
		{"DELETE", file, "Sec-Fetch-Site: same-site|Authorization: -|" + cookie, nil, 403, foreign}, // a neighbour's page
		{"PATCH", "/files/tus/x", "Origin: https://evil.example.org|" + cookie, nil, 403, foreign},  // with the token too
		// A cookie alone changes nothing, from wherever.
		{"DELETE", file, "Origin: https://app.example.org|Authorization: -|" + cookie, nil, 401, `{"code":"AUTH_001","message":"Authentication failed"}`},
		{"DELETE", file, "Authorization: -|" + cookie, nil, 401, `{"code":"AUTH_001","message":"Authentication failed"}`},
		// Those who may.
		{"GET", file, "Sec-Fetch-Site: cross-site|Authorization: -|" + cookie, nil, 200, "precious"}, // a link somebody followed
		{"POST", "/files/upload", header + "|Origin: https://forms.example.org|Sec-Fetch-Site: cross-site", form, 200, ""},
		{"POST", "/files/upload", header + "|Origin: " + strings.TrimSuffix(s.base, "/files"), form, 200, ""},
		{"POST", "/files/upload", header, form, 200, ""}, // no browser
		{"DELETE", file, "Origin: https://app.example.org|Sec-Fetch-Site: same-site", nil, 204, ""},
	} {
		a := s.do(t, c.method, c.path, c.body, strings.Split(c.headers, "|")...)
		if a.status != c.status || !strings.HasPrefix(string(a.body), c.answer) {
			t.Errorf("%s %s [%s]: %v, want %d", c.method, c.path, c.headers, a, c.status)
		}
	}
}

// Somebody opens an address in a browser: who is not signed in is sent to do so, and
// anything else that is wrong leads to a page that people can read.
func TestBrowsersAreRedirected(t *testing.T) {
	s := start(t, "FRONTEND_URL=https://app.example.org/")
	const browser = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	signIn := func(rest string) string {
		return "https://app.example.org/auth/signin/?redirectUrl=" + url.QueryEscape("https://app.example.org/files"+rest)
	}
	for _, c := range []struct {
		method, path, headers string
		to                    string
	}{
		{"GET", "/files/some-id", browser + "|Authorization: -", "https://app.example.org/auth/signin/?redirectUrl=https%3A%2F%2Fapp.example.org%2Ffiles%2Fsome-id"},
		{"GET", "/some-id", browser + "|Authorization: -", signIn("/some-id")}, // the proxy cut the prefix off
		{"GET", "/files/some-id?disposition=inline&x=%20a+b", browser + "|Authorization: -",
			"https://app.example.org/auth/signin/?redirectUrl=https%3A%2F%2Fapp.example.org%2Ffiles%2Fsome-id%3Fdisposition%3Dinline%26x%3D%2520a%2Bb"},
		{"GET", "/files/%D0%B0%2Fb~c", browser + "|Authorization: Bearer old", signIn("/%D0%B0%2Fb~c")},
		{"GET", "/files/tus/some-id", browser + "|Authorization: -", signIn("/tus/some-id")},
		{"GET", "/files/some-id", browser, "https://app.example.org/error/"}, // 404
		{"GET", "/files/a/b/c/d", browser, "https://app.example.org/error/"},
		{"GET", "/files/some-id?signature=x", browser, "https://app.example.org/error/"},
		// These are no navigation, or go right.
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
		if c.to != "" && (len(a.body) != 0 || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Www-Authenticate") != "" ||
			a.header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(strings.Join(a.header.Values("Vary"), ", "), "Accept")) {
			t.Errorf("%s: %v", c.path, a)
		}
	}
	plain := start(t)
	if a := plain.do(t, "GET", "/files/some-id", nil, browser, "Authorization: -"); a.status != 401 || a.code() != "AUTH_001" {
		t.Errorf("without a front end: %v", a)
	}
}

// A request keeps the id that it comes with, if that does no harm in a log; every line
// about it has it; and none has a secret: after requests with tokens in every place,
// signed links and wrong tokens the log is read through.
func TestLogs(t *testing.T) {
	s := start(t, "DEBUG=on")
	file, location := s.upload(t, []byte("x"))
	for sent, kept := range map[string]bool{"abc-1_2.Z": true, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
		"a b": false, "é": false, `a"b`: false, "a=b": false} {
		if got := s.do(t, "GET", file, nil, "X-Request-ID: "+sent).header.Get("X-Request-ID"); (got == sent) != kept || got == "" {
			t.Errorf("%q became %q", sent, got)
		}
	}
	if a, b := s.do(t, "GET", file, nil).header.Get("X-Request-ID"), s.do(t, "GET", file, nil).header.Get("X-Request-ID"); a == b {
		t.Errorf("two requests with the id %q", a)
	}
	link := s.do(t, "POST", file+"/links", `{}`)
	_, rest, _ := strings.Cut(string(link.body), `"url":"`)
	address, _, _ := strings.Cut(rest, `"`)
	address = strings.ReplaceAll(address, `\u0026`, "&")
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("signature") == "" {
		t.Fatalf("%v %v", link, err)
	}
	if a := s.do(t, "GET", address, nil, "Authorization: -"); a.status != 200 {
		t.Fatal(a)
	}
	s.do(t, "GET", address+"x", nil, "Authorization: -")
	secrets := []string{s.token, u.Query().Get("signature")}
	for i, name := range []string{"Authorization: Bearer ", "Authorization: Token ", "X-Guest-Authorization: ", "X-Public-Authorization: Token ",
		"Cookie: token=", "Cookie: file_service_auth=", "Cookie: guest-token=", "Cookie: public-token="} {
		secret := fmt.Sprintf("topsecret%dx", i)
		secrets = append(secrets, secret)
		for _, at := range []string{file, location, "/files/upload"} {
			s.do(t, "GET", at+"?token="+secret, nil, "Authorization: -", name+secret)
			s.do(t, "POST", at+"?token="+secret, "x", "Authorization: -", name+secret)
		}
	}
	s.do(t, "DELETE", file, nil, "X-Request-ID: the-last-one")
	s.stop()
	log, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(string(log), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	seen := false
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "msg=request ") {
			seen = seen || strings.Contains(line, "request_id=the-last-one") && strings.Contains(line, "client=127.0.0.1")
			if !strings.Contains(line, " request_id=") {
				t.Errorf("no id: %s", line)
			}
		}
	}
	if !seen {
		t.Errorf("the last request is not in the log:\n%s", log)
	}
}

func TestRateLimits(t *testing.T) {
	limits := []string{"RATE_LIMIT_ENABLED=on", "RATE_LIMIT_UPLOAD_REQUESTS=3", "RATE_LIMIT_UPLOAD_WINDOW=3h", "RATE_LIMIT_DOWNLOAD_REQUESTS=3",
		"RATE_LIMIT_DOWNLOAD_WINDOW=3h", "RATE_LIMIT_AUTH_FAILURES=5", "RATE_LIMIT_AUTH_WINDOW=5h"}
	t.Run("memory", func(t *testing.T) { testRateLimits(t, start(t, limits...)) })
	t.Run("Redis", func(t *testing.T) {
		redis := redistest.Start(t)
		s := start(t, append(limits, "AUTH_REDIS_URL="+redis.URL())...)
		testRateLimits(t, s)
		if log, _ := os.ReadFile(s.log); strings.Contains(string(log), redis.Password) || strings.Contains(string(log), "does not answer") {
			t.Errorf("%s", log)
		}
		redis.Stop(t) // a limit is no reason that files can't be had
		if a := s.do(t, "GET", "/files/nothing", nil); a.status != 404 {
			t.Errorf("without Redis: %v", a)
		}
	})
}

func testRateLimits(t *testing.T, s *server) {
	// limited looks at an answer that says "too often", byte for byte.
	limited := func(a answer, hours int) {
		t.Helper()
		n, err := strconv.Atoi(a.header.Get("Retry-After"))
		want := fmt.Sprintf(`{"detail":"Rate limit exceeded","retry_after":%d}`, n)
		if a.status != 429 || string(a.body) != want || err != nil || n < hours*3600-600 || n > hours*3600 ||
			a.header.Get("Content-Type") != "application/json" || a.header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("%v, want 429 %s", a, want)
		}
	}
	origin := "Origin: " + strings.TrimSuffix(s.base, "/files")

	// One upload by form and two by tus; the third is not begun, and those that run go on.
	content := random(100)
	form, header := formOf(t, "a", "", content)
	if a := s.do(t, "POST", "/files/upload", form, header); a.status != 200 {
		t.Fatal(a)
	}
	film, location := s.upload(t, content)
	open := s.create(t, 100)
	limited(s.do(t, "POST", "/files/upload", form, header, origin), 1)
	limited(s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 1", origin), 1)
	for i := range 20 {
		if a := s.patch(t, open, i, "x"); a.status != 204 {
			t.Fatal(a)
		}
		s.offset(t, open)
	}

	// A film in many ranges, and another file: then it is enough.
	for i := range 10 {
		if a := s.do(t, "GET", film, nil, fmt.Sprintf("Range: bytes=%d-%d", i, i+5)); a.status != 206 {
			t.Fatalf("range %d: %v", i, a)
		}
	}
	for range 2 {
		if a := s.do(t, "GET", location, nil); a.status != 200 {
			t.Fatal(a)
		}
	}
	limited(s.do(t, "GET", film, nil, origin), 1)
	limited(s.do(t, "GET", location, nil, origin), 1) // by the other address
	if a := s.do(t, "GET", film, nil, "Range: bytes=7-9"); a.status != 206 {
		t.Errorf("the film stops: %v", a)
	}
	if a := s.do(t, "HEAD", film, nil); a.status != 200 {
		t.Errorf("HEAD has no bytes: %v", a)
	}
	other := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 1", other); a.status != 201 {
		t.Errorf("another user: %v", a)
	}

	// Wrong tokens, a few and then none is looked at any more; from elsewhere they are.
	from := func(address string) string { return "X-Real-IP: " + address }
	for range 5 {
		if a := s.do(t, "GET", film, nil, "Authorization: Bearer no", from("192.0.2.1")); a.status != 401 {
			t.Fatal(a)
		}
	}
	for _, method := range []string{"GET", "DELETE", "PATCH", "HEAD"} {
		if a := s.do(t, method, location, nil, "Authorization: Bearer no", from("192.0.2.1"), octets, "Upload-Offset: 0"); a.status != 429 {
			t.Errorf("%s: %v", method, a)
		}
	}
	limited(s.do(t, "GET", film, nil, "Authorization: Bearer no", from("192.0.2.1"), origin), 1)
	if a := s.do(t, "GET", film, nil, "Authorization: Bearer no", from("192.0.2.2")); a.status != 401 {
		t.Errorf("from elsewhere: %v", a)
	}
	if a := s.do(t, "GET", film, nil, "Authorization: -", from("192.0.2.1")); a.status != 401 {
		t.Errorf("who has no token tries none: %v", a)
	}
}

// Somebody outside claims another address with every try, and is counted by his own.
func TestAttackWithAForgedAddress(t *testing.T) {
	s := start(t, "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_AUTH_FAILURES=5", "RATE_LIMIT_AUTH_WINDOW=5h", "TRUSTED_PROXIES=10.0.0.0/8")
	for i := range 6 {
		a := s.do(t, "GET", "/files/", nil, "Authorization: Bearer no", fmt.Sprintf("X-Real-IP: 192.0.2.%d", i), fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i))
		if want := map[bool]int{true: 401, false: 429}[i < 5]; a.status != want {
			t.Errorf("try %d: %v, want %d", i, a, want)
		}
	}
}

// A thousand wrong tokens: after the first hundred none costs a query any more.
func TestAttackWithAThousandWrongTokens(t *testing.T) {
	s := start(t, "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_AUTH_WINDOW=24h")
	count := map[int]int{}
	for i := range 1000 {
		count[s.do(t, "GET", "/files/", nil, fmt.Sprintf("Authorization: Bearer guess%d", i)).status]++
	}
	if count[401] != 100 || count[429] != 900 {
		t.Errorf("%v", count)
	}
}

// Names that would break out of a header, and files that would run in a browser.
func TestAttackWithNamesAndTypes(t *testing.T) {
	s := start(t)
	const crlf = "Upload-Metadata: filename eA0KU2V0LUNvb2tpZTogYT1iDQoNCjxzY3JpcHQ+" // x CR LF Set-Cookie: a=b CR LF CR LF <script>
	injected, _ := s.upload(t, []byte("x"), crlf)
	byForm, _ := s.sendForm(t, `x%0D%0ASet-Cookie: a=b%0D%0A%22; filename=evil.html`, "text/html\r\n\tX: y", []byte("x"))
	for _, at := range []string{injected, byForm.URL} {
		h := s.do(t, "GET", at, nil).header
		d := h.Get("Content-Disposition")
		if h.Get("Set-Cookie") != "" || strings.ContainsAny(d, "\r\n") || strings.Count(d, "filename=") != 1 || !strings.HasPrefix(d, `attachment; filename="x_Set-Cookie`) {
			t.Errorf("%v", h)
		}
	}
	for mediaType, want := range map[string]string{"text/html": "application/octet-stream", "application/xhtml+xml": "application/octet-stream",
		"image/svg+xml": "image/svg+xml", "text/javascript": "application/octet-stream", "application/xml": "application/xml"} {
		got, a := s.sendForm(t, "evil.svg", mediaType, []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`))
		if a.status != 200 {
			t.Fatal(a)
		}
		for _, query := range []string{"", "?disposition=inline"} {
			h := s.do(t, "GET", got.URL+query, nil, "Accept: text/html").header
			inline := query != "" && mediaType == "image/svg+xml"
			policy := h.Get("Content-Security-Policy")
			if h.Get("Content-Type") != want || h.Get("X-Content-Type-Options") != "nosniff" || strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") == inline ||
				!strings.HasPrefix(policy, "sandbox; default-src 'none'") || strings.Contains(policy, "script") {
				t.Errorf("%s%s: %v", mediaType, query, h)
			}
		}
	}
}

// Senders that are slow on purpose are not waited for: in the headers, in a body that
// nobody wants, and between two requests.
func TestAttackBySlowSenders(t *testing.T) {
	t.Parallel()
	s := start(t, "READ_TIMEOUT=1s")
	host := strings.TrimSuffix(strings.TrimPrefix(s.base, "http://"), "/files")
	for name, text := range map[string]string{
		"headers":         "GET /files/ HTTP/1.1\r\nHost: x\r\nX-A: ",
		"nothing":         "",
		"body, no token":  "POST /files/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\nx",
		"body, nowhere":   "POST /files/a/b/c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
		"body of DELETE":  "DELETE /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
		"body for a link": "POST /files/x/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.token + "\r\nContent-Length: 1000\r\n\r\n{",
		"form":            "POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.token + "\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			io.WriteString(c, text)
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("it was not sent away: %v", err)
			}
		})
	}
	big, err := http.NewRequest("GET", s.base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	big.Header.Set("X-Big", strings.Repeat("x", 80<<10))
	if res, err := client.Do(big); err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("80 KiB of headers: %v %v", res, err)
	}
}
