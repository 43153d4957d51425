package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/test/redistest"
)

func TestRateLimits(t *testing.T) {
	t.Parallel()
	limits := []string{"RATE_LIMIT_ENABLED=on", "RATE_LIMIT_UPLOAD_REQUESTS=3", "RATE_LIMIT_UPLOAD_WINDOW=3h",
		"RATE_LIMIT_DOWNLOAD_REQUESTS=3",
		"RATE_LIMIT_DOWNLOAD_WINDOW=3h", "RATE_LIMIT_AUTH_FAILURES=5", "RATE_LIMIT_AUTH_WINDOW=5h"}
	t.Run("memory", func(t *testing.T) {
		s := start(t, limits...)
		testRateLimits(t, s)
		testLimitsTogether(t, s)
	})
	t.Run("Redis", func(t *testing.T) {
		redis := redistest.Start(t)
		s := start(t, append(limits, "AUTH_REDIS_URL="+redis.URL(), patientWithRedis)...) // for limits alone
		testRateLimits(t, s)
		if log, _ := os.ReadFile(s.log); strings.Contains(string(log), redis.Password) || strings.Contains(string(log),
			"does not answer") {
			t.Errorf("%s", log)
		}
		testLimitsTogether(t, s, start(t, append(limits, "AUTH_REDIS_URL="+redis.URL(), patientWithRedis)...))
		redis.Stop(t) // without it files are served all the same
		if a := s.do(t, "GET", "/files/nothing", nil); a.status != 404 {
			t.Errorf("without Redis: %v", a)
		}
	})
}

// testLimitsTogether sends one user's requests to replicas at the same time: together they accept exactly
// as many as the limit allows. The replicas have different databases, and the same users.
func testLimitsTogether(t *testing.T, replicas ...*server) {
	t.Helper()
	at := func(i int) *server { return replicas[i%len(replicas)] }
	tokens := map[*server][2]string{}
	for _, s := range replicas {
		for i := range 2 {
			of := tokens[s]
			of[i] = "Authorization: Bearer " + s.run("token", "create", "--user", strconv.Itoa(3+i), "--account", "1")
			tokens[s] = of
		}
	}
	together := func(what string, want int, ask func(s *server) (answer, error)) {
		t.Helper()
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := map[int]int{}
		for i := range 12 {
			wg.Go(func() {
				a, err := ask(at(i))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				got[a.status]++
			})
		}
		wg.Wait()
		if got[want] != 3 || got[429] != 9 {
			t.Errorf("%s from %d replicas at once: %v, 3 may pass", what, len(replicas), got)
		}
	}
	together("uploads", 201, func(s *server) (answer, error) {
		return s.ask("POST", "/files/tus/", nil, "Upload-Length: 1", tokens[s][0])
	})
	files := map[*server]string{}
	for _, s := range replicas { // by another user, who has uploads left
		sent, a := s.sendForm(t, "a", "", random(1000), tokens[s][1])
		if a.status != 200 {
			t.Fatal(a)
		}
		files[s] = sent.URL
	}
	together("downloads", 200, func(s *server) (answer, error) { return s.ask("GET", files[s], nil, tokens[s][1]) })
}

// limited compares an answer that says "too often", byte by byte.
func limited(t *testing.T, a answer, hours int) {
	t.Helper()
	n, err := strconv.Atoi(a.header.Get("Retry-After"))
	want := fmt.Sprintf(`{"code":"RATE_001","message":"Rate limit exceeded",`+
		`"detail":"Rate limit exceeded","retry_after":%d}`, n)
	if a.status != 429 || string(a.body) != want || err != nil || n < hours*3600-600 || n > hours*3600 ||
		a.header.Get("Content-Type") != "application/json" || a.header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("%v, want 429 %s", a, want)
	}
}

// origin is the service's own, so that answers have the headers of CORS.
func (s *server) origin() string { return "Origin: " + strings.TrimSuffix(s.base, "/files") }

func testRateLimits(t *testing.T, s *server) {
	t.Helper()
	film, location := s.limitsUploads(t)
	s.limitsDownloads(t, film, location)
	other := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 1", other); a.status != 201 {
		t.Errorf("another user: %v", a)
	}
	s.limitsWrongTokens(t, film, location)
}

// limitsUploads begins three uploads, one by form and two by tus. The fourth is refused, and those that were begun
// go on.
func (s *server) limitsUploads(t *testing.T) (film, location string) {
	t.Helper()
	content := random(100)
	form, header := formOf(t, "a", "", content)
	if a := s.do(t, "POST", "/files/upload", form, header); a.status != 200 {
		t.Fatal(a)
	}
	film, location = s.upload(t, content)
	open := s.create(t, 100)
	limited(t, s.do(t, "POST", "/files/upload", form, header, s.origin()), 1)
	limited(t, s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 1", s.origin()), 1)
	for i := range 20 {
		if a := s.patch(t, open, i, "x"); a.status != 204 {
			t.Fatal(a)
		}
		s.offset(t, open)
	}
	return film, location
}

// limitsDownloads downloads a film in many ranges, which count once, and two other times. After that a download is
// refused, at either URL; the film goes on, and HEAD is not limited.
func (s *server) limitsDownloads(t *testing.T, film, location string) {
	t.Helper()
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
	limited(t, s.do(t, "GET", film, nil, s.origin()), 1)
	limited(t, s.do(t, "GET", location, nil, s.origin()), 1)
	if a := s.do(t, "GET", film, nil, "Range: bytes=7-9"); a.status != 206 {
		t.Errorf("the film stops: %v", a)
	}
	if a := s.do(t, "HEAD", film, nil); a.status != 200 {
		t.Errorf("HEAD has no bytes: %v", a)
	}
}

// limitsWrongTokens sends wrong tokens from one address until tokens from there are not looked up any more. Tokens
// from elsewhere are, and a request without a token is none of these.
func (s *server) limitsWrongTokens(t *testing.T, film, location string) {
	t.Helper()
	from := func(address string) string { return "X-Real-IP: " + address }
	for range 5 {
		if a := s.do(t, "GET", film, nil, "Authorization: Bearer no", from("192.0.2.1")); a.status != 401 {
			t.Fatal(a)
		}
	}
	for _, method := range []string{"GET", "DELETE", "PATCH", "HEAD"} {
		if a := s.do(t, method, location, nil, "Authorization: Bearer no", from("192.0.2.1"), octets,
			"Upload-Offset: 0"); a.status != 429 {
			t.Errorf("%s: %v", method, a)
		}
	}
	limited(t, s.do(t, "GET", film, nil, "Authorization: Bearer no", from("192.0.2.1"), s.origin()), 1)
	if a := s.do(t, "GET", film, nil, "Authorization: Bearer no", from("192.0.2.2")); a.status != 401 {
		t.Errorf("from elsewhere: %v", a)
	}
	if a := s.do(t, "GET", film, nil, "Authorization: -", from("192.0.2.1")); a.status != 401 {
		t.Errorf("without a token: %v", a)
	}
}
