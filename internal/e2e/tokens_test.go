package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/test/redistest"
)

// few is a limit of 5 wrong tokens per address, in a window that no test waits for.
var few = []string{"RATE_LIMIT_ENABLED=on", "RATE_LIMIT_AUTH_FAILURES=5", "RATE_LIMIT_AUTH_WINDOW=5h",
	"RATE_LIMIT_DOWNLOAD_REQUESTS=1000", "RATE_LIMIT_UPLOAD_REQUESTS=1000"}

// onMemoryAndRedis runs a test with limits that are counted in memory, and in Redis.
func onMemoryAndRedis(t *testing.T, env []string, test func(*testing.T, *server)) {
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, start(t, env...)) })
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		test(t, start(t, append(slices.Clone(env), "AUTH_REDIS_URL="+redistest.Start(t).URL(), patientWithRedis)...))
	})
}

// patientWithRedis has a replica count by itself only where Redis is gone: on a busy machine it may answer late.
const patientWithRedis = "RATE_LIMIT_REDIS_TIMEOUT=1m"

func (s *server) publish(t *testing.T, address string) {
	t.Helper()
	if a := s.do(t, "PUT", address+"/grants", `{"access": "public"}`); a.status != 200 {
		t.Fatal(a)
	}
}

// Behind one address some clients have cookies of another application, one has a program with an old token, and one
// guesses tokens. Those with valid tokens are not affected.
func TestWrongTokensLockNobodyOut(t *testing.T) {
	t.Parallel()
	onMemoryAndRedis(t, few, func(t *testing.T, s *server) {
		public, private := s.put(t, "a.txt", "text/plain", []byte("public")), s.put(t, "b.txt", "text/plain",
			[]byte("private"))
		s.publish(t, public)
		colleague := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
		newcomer := "Authorization: Bearer " + s.run("token", "create", "--user", "3", "--account", "1")
		for range 20 {
			s.check(t, []line{
				{"GET", public, anonymous + "|Cookie: token=of-the-shop-on-this-domain", "", 200, "", "public"},
				{"HEAD", public, anonymous + "|Cookie: token=of-the-shop-on-this-domain", "", 200, "", ""},
				// A cookie is not accepted here, not even a valid one.
				{"DELETE", private, anonymous + "|Cookie: token=" + s.token, "", 401, "AUTH_001", ""},
				{"DELETE", private, anonymous + "|Cookie: token=old", "", 401, "AUTH_001", ""},
			})
		}
		s.check(t, []line{{"GET", "/files/", colleague, "", 200, "", ""}})
		got := map[int]int{}
		for i := range 30 {
			got[s.do(t, "GET", private, nil, fmt.Sprint("Authorization: Bearer guess", i)).status]++
		}
		if got[401] != 4 || got[429] != 26 { // the shop's cookie was the first
			t.Errorf("%v", got)
		}
		s.check(t, []line{
			{"GET", private, "", "", 200, "", "private"},
			{"POST", "/files/tus/", "Upload-Length: 5", "", 201, "", ""},
			{"GET", "/files/", colleague, "", 200, "", ""},
			{"GET", "/files/", "Authorization: Bearer guess99|Cookie: token=" + s.token, "", 200, "", ""},
			{"GET", public, anonymous, "", 200, "", "public"},
			{"GET", public, anonymous + "|Cookie: token=another-old-one", "", 200, "", "public"}, // though it is not looked up
			{"GET", private, anonymous + "|Cookie: token=another-old-one", "", 429, "RATE_001", "retry_after"},
			{"GET", private, anonymous, "", 401, "AUTH_001", ""},
			{"GET", "/files/", newcomer, "", 429, "RATE_001", "retry_after"},
			{"GET", "/files/", newcomer + "|X-Real-IP: 192.0.2.7", "", 200, "", ""},
			{"GET", "/files/", newcomer, "", 200, "", ""}, // it is known now
		})
	})
}

// A request may have several headers and cookies with tokens. Each token that is looked up is counted, in any order,
// and a request with more than a few is refused.
func TestManyTokensInARequest(t *testing.T) {
	t.Parallel()
	onMemoryAndRedis(t, few, func(t *testing.T, s *server) {
		file, location := s.upload(t, []byte("x"))
		name := file[strings.LastIndex(file, "/"):]
		many := ""
		for i := range 8 {
			many += fmt.Sprintf("Authorization: Bearer guess%d|", i)
		}
		many += "Authorization: Bearer " + s.token
		form, header := formOf(t, "a", "", []byte("x"))
		var lines []line
		for _, o := range []string{"GET /files" + name, "HEAD /files" + name, "DELETE /files" + name, "GET /files/",
			"HEAD /files/", "GET /files/usage", "HEAD /files/usage",
			"GET /files" + name + "/grants", "HEAD /files" + name + "/grants", "PUT /files" + name + "/grants", "POST /files" +
				name + "/links",
			"GET /files" + name + "/links", "HEAD /files" + name + "/links", "DELETE /files" + name + "/links", "DELETE /files" +
				name + "/links/1",
			"POST /files/tus/", "GET " + location, "HEAD " + location, "PATCH " + location, "DELETE " + location} {
			method, path, _ := strings.Cut(o, " ")
			code := "VAL_003"
			if method == "HEAD" {
				code = ""
			}
			lines = append(lines, line{method, path, many + "|Upload-Length: 1|Upload-Offset: 0|" + octets, "", 400, code, ""})
		}
		lines = append(lines, line{"POST", "/files/upload", many + "|" + header, string(form), 400, "VAL_003", "8 tokens"},
			line{"GET", "/files/", many, "", 400, "VAL_003", "at most 8 tokens"})
		s.check(t, lines)
		// None of those was looked up, so none was counted; of these each is.
		two := "Authorization: Bearer|Authorization: Bearer a%d|Authorization: Bearer b%d"
		for i, want := range []int{401, 401, 429, 429} { // 2, 4, and the fifth of 6
			a := s.do(t, "GET", "/files/", nil, strings.Split(fmt.Sprintf(two, i, i), "|")...)
			if a.status != want {
				t.Errorf("two wrong tokens, try %d: %v, want %d", i, a, want)
			}
		}
		for _, guess := range []string{"X-Guest-Authorization: |X-Guest-Authorization: a.b.c",
			"X-Public-Authorization: |X-Public-Authorization: Token abcdefgh",
			"Cookie: token=|Cookie: token=x", "Cookie: guest-token=|Cookie: public-token=abcdefgh"} {
			if a := s.do(t, "GET", "/files/", nil, append(strings.Split(guess, "|"), anonymous)...); a.status != 429 {
				t.Errorf("%s: %v", guess, a)
			}
		}
	})
}
