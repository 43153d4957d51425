package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A page of another origin makes a signed-in browser send requests.
func TestAttackFromAForeignPage(t *testing.T) {
	t.Parallel()
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
		{"POST", "/files/upload", header + "|Origin: https://evil.example.org|Authorization: -|" + cookie, form, 403,
			foreign},
		{"POST", "/files/upload", header + "|Sec-Fetch-Site: cross-site|Authorization: -|" + cookie, form, 403, foreign},
		{"POST", "/files/upload", header + "|Origin: null|Sec-Fetch-Site: cross-site|Authorization: -|" + cookie, form, 403,
			foreign},
		{"POST", "/files/tus/", "Upload-Length: 1|Origin: https://evil.example.org|Authorization: -|" + cookie, nil, 403,
			foreign},
		{"POST", file, "X-HTTP-Method-Override: DELETE|Origin: https://evil.example.org|Authorization: -|" + cookie, nil, 403,
			foreign},
		{"DELETE", file, "Origin: https://evil.example.org|Authorization: -|" + cookie, nil, 403, foreign},
		{"DELETE", file, "Sec-Fetch-Site: same-site|Authorization: -|" + cookie, nil, 403, foreign}, // a neighbour's page
		{"PATCH", "/files/tus/x", "Origin: https://evil.example.org|" + cookie, nil, 403, foreign},  // with the token too
		// A cookie alone changes nothing, whatever the origin.
		{"DELETE", file, "Origin: https://app.example.org|Authorization: -|" + cookie, nil, 401,
			`{"code":"AUTH_001","message":"Authentication failed"}`},
		{"DELETE", file, "Authorization: -|" + cookie, nil, 401, `{"code":"AUTH_001","message":"Authentication failed"}`},
		// Those who may.
		// a link that was followed
		{"GET", file, "Sec-Fetch-Site: cross-site|Authorization: -|" + cookie, nil, 200, "precious"},
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

// A client that claims another address with every request is still counted by its own.
func TestAttackWithAForgedAddress(t *testing.T) {
	t.Parallel()
	s := start(t, "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_AUTH_FAILURES=5", "RATE_LIMIT_AUTH_WINDOW=5h",
		"TRUSTED_PROXIES=10.0.0.0/8")
	for i := range 6 {
		a := s.do(t, "GET", "/files/", nil, "Authorization: Bearer no", fmt.Sprintf("X-Real-IP: 192.0.2.%d", i),
			fmt.Sprintf("X-Forwarded-For: 192.0.2.%d", i))
		if want := map[bool]int{true: 401, false: 429}[i < 5]; a.status != want {
			t.Errorf("try %d: %v, want %d", i, a, want)
		}
	}
}

// A thousand different wrong tokens arrive, eight at a time, in every header and cookie. A hundred are looked up.
// After that no new token from that address is looked up, not even a valid one; a valid token from another address is
// accepted.
func TestAttackWithAThousandWrongTokens(t *testing.T) {
	t.Parallel()
	s := start(t, "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_AUTH_WINDOW=24h", "TRUSTED_PROXIES=127.0.0.1")
	right := s.run("token", "create", "--user", "2", "--account", "1")
	looked := func() float64 { return s.scrape(t).sum("holdfast_sql_duration_seconds", "operation=read token") }
	from := func(address string) string { return "X-Real-IP: " + address }
	guess := func(i int, token string) answer {
		where := []string{"Authorization: Bearer " + token, "Authorization: Token " + token, "Cookie: token=" + token,
			"Cookie: file_service_auth=" + token}[i%4]
		return s.do(t, "GET", "/files/", nil, append([]string{from("192.0.2.1"), where},
			map[bool][]string{true: {"Authorization: -"}}[i%4 > 1]...)...)
	}
	before := looked()
	var wg sync.WaitGroup
	var refused, tooMany atomic.Int64
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < 1000; i += 8 {
				switch a := guess(i, fmt.Sprintf("hf_guess%d", i)); a.status {
				case 401:
					refused.Add(1)
				case 429:
					tooMany.Add(1)
				default:
					t.Errorf("guess %d: %v", i, a)
				}
			}
		})
	}
	wg.Wait()
	if refused.Load() != 100 || tooMany.Load() != 900 {
		t.Errorf("%d times 401, %d times 429", refused.Load(), tooMany.Load())
	}
	for i := range 4 {
		if a := guess(i, right); a.status != 429 {
			t.Errorf("the right token after a thousand wrong ones: %v", a)
		}
	}
	if n := looked() - before; n != 100 {
		t.Errorf("%v tokens were looked up", n)
	}
	if a := s.do(t, "GET", "/files/", nil, from("192.0.2.2"), "Authorization: Bearer "+right); a.status != 200 {
		t.Errorf("from elsewhere: %v", a)
	}
}

// Names that would break out of a header, and files that would run in a browser.
func TestAttackWithNamesAndTypes(t *testing.T) {
	t.Parallel()
	s := start(t)
	// x CR LF Set-Cookie: a=b CR LF CR LF <script>
	const crlf = "Upload-Metadata: filename eA0KU2V0LUNvb2tpZTogYT1iDQoNCjxzY3JpcHQ+"
	injected, _ := s.upload(t, []byte("x"), crlf)
	byForm, _ := s.sendForm(t, `x%0D%0ASet-Cookie: a=b%0D%0A%22; filename=evil.html`, "text/html\r\n\tX: y", []byte("x"))
	for _, at := range []string{injected, byForm.URL} {
		h := s.do(t, "GET", at, nil).header
		d := h.Get("Content-Disposition")
		if h.Get("Set-Cookie") != "" || strings.ContainsAny(d, "\r\n") || strings.Count(d, "filename=") != 1 ||
			!strings.HasPrefix(d, `attachment; filename="x_Set-Cookie`) {
			t.Errorf("%v", h)
		}
	}
	for mediaType, want := range map[string]string{"text/html": "application/octet-stream",
		"application/xhtml+xml": "application/octet-stream",
		"image/svg+xml":         "image/svg+xml", "text/javascript": "application/octet-stream",
		"application/xml": "application/xml"} {
		got, a := s.sendForm(t, "evil.svg", mediaType,
			[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`))
		if a.status != 200 {
			t.Fatal(a)
		}
		for _, query := range []string{"", "?disposition=inline"} {
			h := s.do(t, "GET", got.URL+query, nil, "Accept: text/html").header
			inline := query != "" && mediaType == "image/svg+xml"
			policy := h.Get("Content-Security-Policy")
			if h.Get("Content-Type") != want || h.Get("X-Content-Type-Options") != "nosniff" ||
				strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") == inline ||
				!strings.HasPrefix(policy, "sandbox; default-src 'none'") || strings.Contains(policy, "script") {
				t.Errorf("%s%s: %v", mediaType, query, h)
			}
		}
	}
}

// The service does not wait for clients that are slow on purpose: in the headers, in a body that
// is not read, and between two requests.
func TestAttackBySlowSenders(t *testing.T) {
	t.Parallel()
	s := start(t, "READ_TIMEOUT=1s")
	host := strings.TrimSuffix(strings.TrimPrefix(s.base, "http://"), "/files")
	for name, text := range map[string]string{
		"headers": "GET /files/ HTTP/1.1\r\nHost: x\r\nX-A: ",
		"nothing": "",
		"body, no token": "POST /files/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; " +
			"boundary=b\r\nContent-Length: 1000\r\n\r\nx",
		"body, nowhere":  "POST /files/a/b/c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
		"body of DELETE": "DELETE /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
		"body for a link": "POST /files/x/links HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.token +
			"\r\nContent-Length: 1000\r\n\r\n{",
		"form": "POST /files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.token +
			"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b",
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
