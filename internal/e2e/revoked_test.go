package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/auth"
	"holdfast/internal/test/pgtest"
)

// longRequest is a request of which half of the body is sent.
type longRequest struct {
	what string
	conn net.Conn
	in   *bufio.Reader
	rest []byte
}

// begin sends half of a request, and reports whether the server reads its body: by then it knows the caller.
func (l *longRequest) begin(t *testing.T, s *server, token, line, header string, body []byte) bool {
	t.Helper()
	l.conn = s.dial(t, fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\nContent-Length: %d\r\n"+
		"Expect: 100-continue\r\n\r\n", line, token, strings.ReplaceAll(header, "|", "\r\n"), len(body)))
	l.in = bufio.NewReader(l.conn)
	if status := l.answer(t, http.StatusContinue); status == http.StatusUnauthorized {
		return false
	} else if status != http.StatusContinue {
		t.Fatalf("%s: %d at once", l.what, status)
	}
	l.conn.Write(body[:len(body)/2])
	l.rest = body[len(body)/2:]
	return true
}

// answer returns the status of the next answer that is none by the way, or one that is expected.
func (l *longRequest) answer(t *testing.T, expected int) int {
	t.Helper()
	for {
		a, err := http.ReadResponse(l.in, nil)
		if err != nil {
			t.Fatalf("%s: %v", l.what, err)
		}
		if a.StatusCode >= 200 || a.StatusCode == expected {
			return a.StatusCode
		}
	}
}

// scene is a request: its first line, its header fields, and its body.
type scene struct {
	line, header string
	body         []byte
	location     string // of the upload that it continues
}

// endsDuring begins requests, ends their token, sends the rest of each, and expects the answer of a new request.
func (s *server) endsDuring(t *testing.T, how string, scenes []scene) {
	t.Helper()
	var begun []*longRequest
	token, name := "", how+strconv.Itoa(len(scenes))
	for ttl := 2 * time.Second; len(begun) < len(scenes); ttl *= 2 { // where it expires before all have begun: once more
		begun = nil
		lives := ttl
		if how == "revoked" {
			lives = time.Hour
		}
		token = s.run("token", "create", "--user", "1", "--account", "1", "--name", name, "--ttl", lives.String())
		for _, c := range scenes {
			l := &longRequest{what: how + ", " + c.line}
			if !l.begin(t, s, token, c.line, c.header, c.body) {
				break
			}
			begun = append(begun, l)
		}
	}
	if how == "revoked" {
		for row := range strings.Lines(s.run("token", "list")) {
			if f := strings.Fields(row); f[1] == name {
				s.run("token", "revoke", f[0])
			}
		}
	}
	s.eventually("the token has ended", func() bool {
		return s.do(t, "DELETE", "/files/none", nil, "Authorization: Bearer "+token).status == http.StatusUnauthorized
	})
	for end := time.Now().Add(auth.Moment); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	for _, l := range begun {
		l.conn.Write(l.rest)
		if status := l.answer(t, 0); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", l.what, status)
		}
	}
}

// A token that is revoked, or expires, while a request runs makes no file of what it sends, by any protocol, and no
// link. An upload that can be continued keeps its bytes; of a form and of a plain upload nothing is left.
func TestTokenEndsDuringARequest(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"SQLite": nil, "PostgreSQL": postgres(pgtest.Start(t))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, env...)
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			content := random(1000)
			form, formType := formOf(t, "a", "", content)
			for _, how := range []string{"revoked", "expired"} {
				s.endsDuring(t, how, []scene{{"POST /files/upload", formType, form, ""},
					{"PUT /files/a", "Content-Type: text/plain", content, ""}})
			}
			s.nothingStored(t)
			file := s.put(t, "a", "text/plain", []byte("linked"))
			for _, how := range []string{"revoked", "expired"} {
				s.continuesAfter(t, how, strings.TrimPrefix(file, strings.TrimSuffix(s.base, "/files")), content)
			}
		})
	}
}

// continuesAfter has a token end during requests to uploads, which another one goes on with, and during one to a file.
func (s *server) continuesAfter(t *testing.T, how, file string, content []byte) {
	t.Helper()
	const ietf = "Content-Type: application/partial-upload|Upload-Complete: ?1|Upload-Offset: 0"
	const tus = "Tus-Resumable: 1.0.0|" + octets
	scenes := []scene{{"POST /files/tus/", tus + "|Upload-Length: 1000", content, ""},
		{"POST " + file + "/links", "Content-Type: application/json", []byte(`{"disposition": "inline"}`), ""}}
	for _, header := range []string{tus + "|Upload-Offset: 0", ietf, "Upload-Draft-Interop-Version: 5|" + ietf,
		"Upload-Draft-Interop-Version: 8|" + ietf} {
		at := s.create(t, len(content))
		path := strings.TrimPrefix(at, strings.TrimSuffix(s.base, "/files"))
		scenes = append(scenes, scene{"PATCH " + path, header, content, at})
	}
	s.endsDuring(t, how, scenes)
	for _, c := range scenes {
		if c.location == "" {
			continue
		}
		if n := s.offset(t, c.location); n != len(content)-1 {
			t.Errorf("%s, %s: at %d", how, c.header, n)
		}
		a := s.patch(t, c.location, len(content)-1, content[len(content)-1:])
		s.holds(t, a.header.Get("Content-Location"), content)
	}
}
