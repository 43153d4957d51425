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
		s := start(t, append(limits, "AUTH_REDIS_URL="+redis.URL())...) // for limits alone
		testRateLimits(t, s)
		if log, _ := os.ReadFile(s.log); strings.Contains(string(log), redis.Password) || strings.Contains(string(log),
			"does not answer") {
			t.Errorf("%s", log)
		}
		testLimitsTogether(t, s, start(t, append(limits, "AUTH_REDIS_URL="+redis.URL())...))
		redis.Stop(t) // a limit is no reason that files can't be had
		if a := s.do(t, "GET", "/files/nothing", nil); a.status != 404 {
			t.Errorf("without Redis: %v", a)
		}
	})
}

// testLimitsTogether has somebody ask replicas at the same time: together they let through exactly
// what the limit is. That they have databases of their own makes nobody another one.
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
		if a := s.do(t, method, location, nil, "Authorization: Bearer no", from("192.0.2.1"), octets,
			"Upload-Offset: 0"); a.status != 429 {
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
