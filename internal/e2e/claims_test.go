package e2e

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// A digest that a client claims is compared or refused, at every address that takes bytes: never taken in silence.
func TestClaimedDigestsAreNotIgnored(t *testing.T) {
	t.Parallel()
	s := start(t)
	md5sum := md5.Sum([]byte("hello"))
	sum := base64.StdEncoding.EncodeToString(md5sum[:])
	form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n"
	draft8 := []string{"Tus-Resumable: -", "Upload-Draft-Interop-Version: 8", "Upload-Complete: ?1"}
	at := s.create(t, 5)
	for name, send := range map[string]func(...string) answer{
		"PUT": func(h ...string) answer {
			return s.do(t, "PUT", "/files/a.txt", "hello", append(h, "Tus-Resumable: -")...)
		},
		"POST": func(h ...string) answer {
			return s.do(t, "POST", "/files/upload", "hello", append(h, "Tus-Resumable: -")...)
		},
		"a form": func(h ...string) answer {
			return s.do(t, "POST", "/files/upload", form, append(h, "Tus-Resumable: -",
				"Content-Type: multipart/form-data; boundary=b")...)
		},
		"a creation": func(h ...string) answer { return s.do(t, "POST", "/files/upload", "hello", append(h, draft8...)...) },
		"tus, a creation": func(h ...string) answer {
			return s.do(t, "POST", "/files/tus/", "hello", append(h, octets, "Upload-Length: 5")...)
		},
		"tus": func(h ...string) answer {
			return s.do(t, "PATCH", at, "hello", append(h, octets, "Upload-Offset: 0")...)
		},
	} {
		for _, claim := range []string{"Content-MD5: " + sum, "Digest: md5=" + sum, "Unencoded-Digest: md5=:" + sum + ":",
			"Repr-Digest: md5=:" + sum + ":", "Repr-Digest: nonsense", "Repr-Digest: =", "Content-Digest: nonsense",
			"Content-Digest: md5=:" + sum + ":"} {
			if a := send(claim); a.status != http.StatusBadRequest {
				t.Errorf("%s with %s: %v", name, claim, a)
			}
		}
		if !strings.HasPrefix(name, "tus") {
			if a := send("Upload-Checksum: md5 " + sum); a.status != http.StatusBadRequest {
				t.Errorf("%s with Upload-Checksum: %v", name, a)
			}
		}
	}
	for _, path := range []string{"PUT /files/a.txt", "POST /files/upload"} {
		a := s.rawAnswer(t, path+" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: "+
			"Repr-Digest\r\nAuthorization: "+
			"Bearer "+
			s.token+"\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\nRepr-Digest: sha-256=:AAAA:\r\n\r\n")
		if !strings.HasPrefix(a, "HTTP/1.1 400 ") {
			t.Errorf("%s with Repr-Digest as a trailer: %s", path, a)
		}
	}
}

// A digest in a trailer that was not announced is refused over HTTP/1.1: nothing was compared. Over HTTP/2 net/http
// drops such a trailer.
func TestDigestInAnUnannouncedTrailer(t *testing.T) {
	t.Parallel()
	s := start(t)
	sum := sha256.Sum256([]byte("hello"))
	right := "Digest: sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	const draft8 = "Upload-Draft-Interop-Version: 8\r\n"
	begun := s.create(t, 5)
	appending := "Upload-Offset: 0\r\nTus-Resumable: 1.0.0\r\n" + octets + "\r\n"
	for request, claims := range map[string][]string{
		"PUT /files/a.txt|":   {"Content-" + right, "Repr-" + right},
		"POST /files/upload|": {"Content-" + right, "Content-MD5: XUFAKrxLKna5cZ2REBfFkg=="},
		"POST /files/tus/|" + draft8 + "Upload-Complete: ?1\r\n": {"Content-" + right, "Repr-" + right},
		"PATCH " + begun[strings.Index(begun, "/files/"):] + "|" + appending: {
			"Upload-Checksum: sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00="},
	} {
		line, headers, _ := strings.Cut(request, "|")
		if !strings.HasPrefix(line, "PATCH") {
			claims = append(claims, "X-Other: 1")
		}
		for _, claim := range claims {
			a := s.rawAnswer(t, line+" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer "+s.token+
				"\r\nConnection: close\r\n"+headers+"\r\n5\r\nhello\r\n0\r\n"+claim+"\r\n\r\n")
			if refused := strings.Contains(a, "was not announced"); refused != (claim != "X-Other: 1") {
				t.Errorf("%s with %s: %s", line, claim, a)
			}
		}
	}
	if a := s.do(t, "GET", "/files/", nil); strings.Count(string(a.body), `"id"`) != 3 {
		t.Errorf("three files came without a claim: %s", a.body)
	}
}

// rawAnswer sends bytes, and returns the answer's.
func (s *server) rawAnswer(t *testing.T, request string) string {
	t.Helper()
	c := s.dial(t, request)
	defer c.Close()
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// What a plain upload is asked under a condition, or twice, or without a length, has a defined answer.
func TestPlainUploadsAtTheEdge(t *testing.T) {
	t.Parallel()
	s := start(t)
	plain := "Tus-Resumable: -"
	for headers, want := range map[string]int{
		"If-None-Match: *":     201, // each file has a name of its own, so none exists (RFC 9110, 13.1.2)
		"If-None-Match: \"a\"": 201,
		"If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT": 201, // no date to compare with (RFC 9110, 13.1.4)
		"If-Match: *":                412,
		"If-Match: \"a\"":            412,
		"Idempotency-Key: one":       400,
		"Content-Range: bytes 0-4/5": 400,
	} {
		if a := s.do(t, "PUT", "/files/a.txt", "hello", plain, headers); a.status != want {
			t.Errorf("%s: %v, want %d", headers, a, want)
		}
	}
	if a := s.do(t, "PUT", "/files/a.txt", "hello", "Tus-Resumable: -", "Upload-Draft-Interop-Version: 8",
		"Upload-Complete: ?1", "If-Match: *"); a.status != 412 {
		t.Errorf("a resumable one with If-Match: %v", a)
	}
	for _, name := range []string{"tus", "tus/", "upload", "usage", "healthz", "readyz", "docs", "openapi.json"} {
		if a := s.do(t, "PUT", "/files/"+name, "hello", plain); a.status != 405 || a.header.Get("Allow") == "" {
			t.Errorf("PUT of %s: %v", name, a)
		}
	}
	a := s.do(t, "POST", "/files/upload", "hello", plain, "Content-Type: application/x-www-form-urlencoded")
	if a.status != 422 || !strings.Contains(string(a.body), "application/octet-stream") {
		t.Errorf("as curl --data-binary sends it: %v", a)
	}
	if a := s.do(t, "POST", "/files/tus/", nil, plain, "Upload-Draft-Interop-Version: 99",
		"Upload-Complete: ?0"); a.status !=
		412 || strings.Contains(string(a.body), "Tus-Resumable must be") || a.code() != "UPLOAD_003" {
		t.Errorf("an unknown interop version: %v", a)
	}
	if a := s.do(t, "GET", "/files/?limit=", nil, plain); a.status != 400 {
		t.Errorf("an empty limit: %v", a)
	}
	auth := "Authorization: Bearer " + s.token + "\r\nConnection: close\r\n"
	for request, want := range map[string]int{
		"PUT /files/a HTTP/1.0\r\n" + auth +
			"\r\nhello": 400,
		"PUT /files/a HTTP/1.0\r\n" + auth +
			"Content-Length: 5\r\n\r\nhello": 201,
		"PUT /files/a HTTP/1.1\r\nHost: x\r\n" + auth +
			"\r\n": 201,
		"PUT /files/a HTTP/1.1\r\nHost: x\r\n" + auth +
			"Content-Type: a/b\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx": 400,
		"PUT /files/a HTTP/1.1\r\nHost: x\r\n" + auth +
			"Origin: http://x\r\nOrigin: http://evil.example\r\nContent-Length: 1\r\n\r\nx": 400,
	} {
		if a := s.rawAnswer(t, request); !strings.Contains(a[:min(len(a), 15)], " "+strconv.Itoa(want)+" ") {
			t.Errorf("%q: %.200s, want %d", request, a, want)
		}
	}
}
