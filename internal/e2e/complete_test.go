package e2e

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// wire sends a request as it is written, and returns the status of the final answer.
func (s *server) wire(t *testing.T, start string, header []string, body string) int {
	t.Helper()
	header = append([]string{start, "Host: x", "Connection: close", "Authorization: Bearer " + s.token}, header...)
	c := s.dial(t, strings.Join(header, "\r\n")+"\r\n\r\n"+body)
	defer c.Close()
	for in := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%v: %v", header, err)
		}
		if res.StatusCode >= 200 {
			return res.StatusCode
		}
	}
}

// pathOf returns the path of a URL of this server.
func pathOf(url string) string { return url[strings.Index(url, "/files/"):] }

// A body that is refused after its last byte completes no upload, in any protocol.
func TestRefusedAfterTheLastByte(t *testing.T) {
	t.Parallel()
	s := start(t)
	const tus, length = "Tus-Resumable: 1.0.0", "Upload-Length: 10"
	for what, ending := range map[string]string{
		"a checksum that was not announced": "0\r\nUpload-Checksum: sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=\r\n\r\n",
		"a digest that was not announced":   "0\r\nContent-Digest: sha-256=:AAAA:\r\n\r\n",
		"a malformed trailer":               "0\r\nno trailer\r\n\r\n",
		"a malformed chunk":                 "zz\r\n",
	} {
		body := "a\r\n0123456789\r\n" + ending
		refused := func(start string, header ...string) {
			t.Helper()
			if status := s.wire(t, start, append(header, "Transfer-Encoding: chunked"), body); status != 400 {
				t.Errorf("%s, %s, %v: %d", what, start, header, status)
			}
		}
		at := s.create(t, 10)
		refused("PATCH "+pathOf(at)+" HTTP/1.1", tus, octets, "Upload-Offset: 0")
		if a := s.do(t, "HEAD", at, nil); a.header.Get("Upload-Offset") != "0" {
			t.Errorf("%s: the offset is %s", what, a.header.Get("Upload-Offset"))
		}
		refused("POST /files/tus/ HTTP/1.1", tus, octets, length)
		for _, version := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
			speaks := draft{s, version}.headers(true)[1:] // without the client's "Tus-Resumable: -"
			refused("POST /files/tus/ HTTP/1.1", append(speaks, length)...)
			refused("POST /files/tus/ HTTP/1.1", speaks...)
			refused("PUT /files/a.txt HTTP/1.1", append(speaks, length)...)
		}
		refused("PUT /files/a.txt HTTP/1.1")
	}
	if names := s.names(t); len(names) > 0 {
		t.Errorf("files of refused bodies: %v", names)
	}
}

// A client that does not say clearly whether its body is the whole file gets no file of it.
func TestUnclearWhetherComplete(t *testing.T) {
	t.Parallel()
	s := start(t)
	refused := func(method, url string, header ...string) {
		t.Helper()
		a := s.do(t, method, url, "01234", append([]string{"Tus-Resumable: -"}, header...)...)
		if a.status != 400 && a.status != 412 {
			t.Errorf("%s %s, %q: %v", method, url, header, a)
		}
	}
	const speaks = "Upload-Draft-Interop-Version: "
	for _, to := range [][2]string{{"PUT", "/files/a.txt"}, {"POST", "/files/upload"}, {"POST", "/files/tus/"}} {
		for _, value := range []string{"0", "?2", "true", "?0, ?0", `"?0"`, ""} {
			refused(to[0], to[1], "Upload-Complete: "+value)
			refused(to[0], to[1], "Upload-Incomplete: "+value)
			refused(to[0], to[1], speaks+"3", "Upload-Incomplete: "+value)
			for _, version := range []string{"4", "5", "6", "7", "8", "9", "10", "99", "x"} {
				refused(to[0], to[1], speaks+version, "Upload-Complete: "+value)
			}
		}
		refused(to[0], to[1], speaks+"8")
		refused(to[0], to[1], "Upload-Incomplete: ?1")
		refused(to[0], to[1], speaks+"99", "Upload-Incomplete: ?1")
	}
	refused("PUT", "/files/a.txt", speaks+"5")
	if a := s.do(t, "PUT", "/files/a.txt", "01234", speaks+"5", "Upload-Incomplete: ?1"); a.status != 400 {
		t.Errorf("with Tus-Resumable: %v", a)
	}
	eachDraft(t, s, func(t *testing.T, d draft) {
		at := d.post(t, false, "01234", "Upload-Length: 10").header.Get("Location")
		field := strings.Split(d.headers(false)[2], ":")[0]
		for _, value := range []string{"true", "?0, ?0"} {
			if a := d.do(t, "PATCH", at, "56789", "Tus-Resumable: -", speaks+d.version, field+": "+value, "Upload-Offset: 5",
				"Content-Type: application/partial-upload"); a.status != 400 {
				t.Errorf("PATCH with %s: %v", value, a)
			}
		}
	})
	if names := s.names(t); len(names) > 0 {
		t.Errorf("files of unclear requests: %v", names)
	}
	// Clients that do not speak the protocol send whole files.
	for _, header := range []string{"Content-Type: text/plain", speaks + "99"} {
		if a := s.do(t, "PUT", "/files/a.txt", "01234", "Tus-Resumable: -", header); a.status != 201 {
			t.Errorf("a whole file with %s: %v", header, a)
		}
	}
}

// A last body of HTTP/1.0 without a length, which net/http takes for an empty one, completes nothing.
func TestLastBodyWithoutALength(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, version := range []string{"3", "4", "5", "6", "7", "8", "9", "10"} {
		d := draft{s, version}
		last, first := d.headers(true)[1:], d.headers(false)[1:]
		for _, start := range []string{"POST /files/tus/", "PUT /files/a.txt", "POST /files/upload"} {
			if status := s.wire(t, start+" HTTP/1.0", last, "01234"); status != 400 {
				t.Errorf("version %s, %s: %d", version, start, status)
			}
			if status := s.wire(t, start+" HTTP/1.0", first, ""); status != 201 {
				t.Errorf("version %s, an empty creation by %s: %d", version, start, status)
			}
		}
		at := d.post(t, false, "01234").header.Get("Location")
		if status := s.wire(t, "PATCH "+pathOf(at)+" HTTP/1.0", append(last, "Upload-Offset: 5",
			"Content-Type: application/partial-upload"), "56789"); status != 400 {
			t.Errorf("version %s, PATCH: %d", version, status)
		}
	}
	if names := s.names(t); len(names) > 0 {
		t.Errorf("files without their bytes: %v", names)
	}
}
