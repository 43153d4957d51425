package e2e

import (
	"bufio"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// checksum is an Upload-Checksum header (tus 1.0.0, Checksum) for b.
func checksum(algorithm string, b []byte) string {
	h := map[string]hash.Hash{"sha1": sha1.New(), "sha256": sha256.New(), "crc32": crc32.NewIEEE(),
		"md5": md5.New()}[algorithm]
	h.Write(b)
	return "Upload-Checksum: " + algorithm + " " + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// trailing is a body with a checksum in its trailer.
type trailing struct {
	io.Reader
	request *http.Request
	header  string
}

func (b *trailing) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		name, value, _ := strings.Cut(b.header, ": ")
		b.request.Trailer.Set(name, value)
	}
	return n, err
}

// patchTrailing sends a PATCH whose checksum comes after the body.
func (s *server) patchTrailing(t *testing.T, location string, body []byte, header string) answer {
	t.Helper()
	r, err := http.NewRequest("PATCH", location, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(&trailing{strings.NewReader(string(body)), r, header})
	r.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Tus-Resumable": {"1.0.0"}, "Upload-Offset": {"0"},
		"Content-Type": {"application/offset+octet-stream"}}
	r.Trailer = http.Header{"Upload-Checksum": nil}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	a.body, _ = io.ReadAll(res.Body)
	return a
}

// A body with a wrong checksum changes nothing, and the right one is accepted afterwards.
func TestChecksum(t *testing.T) {
	t.Parallel()
	s := start(t)
	offered := s.do(t, "OPTIONS", "/files/tus/", nil).header
	for _, extension := range []string{"checksum", "checksum-trailer"} {
		if !strings.Contains(","+offered.Get("Tus-Extension")+",", ","+extension+",") {
			t.Errorf("Tus-Extension lacks %s: %q", extension, offered.Get("Tus-Extension"))
		}
	}
	content := random(3000)
	for _, algorithm := range []string{"sha1", "sha256", "crc32", "md5"} {
		t.Run(algorithm, func(t *testing.T) {
			if !strings.Contains(","+offered.Get("Tus-Checksum-Algorithm")+",", ","+algorithm+",") {
				t.Errorf("Tus-Checksum-Algorithm lacks it: %q", offered.Get("Tus-Checksum-Algorithm"))
			}
			s.checksInHeader(t, algorithm, content)
			s.checksInTrailer(t, algorithm, content[:1000])
			s.checksAtCreation(t, algorithm, content[:1000])
		})
	}
	t.Run("headers that are no checksum", func(t *testing.T) {
		at := s.create(t, 3)
		path := at[strings.Index(at, "/files/"):]
		for _, header := range []string{"sha512 AAAA", "sha1", "sha1 !!!!", "sha1 AAAA",
			"SHA1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", "", "|Upload-Checksum: md5 x"} {
			s.check(t, []line{{"PATCH", path, octets + "|Upload-Offset: 0|Upload-Checksum: " + header, "abc", 400, "VAL_003",
				"Upload-Checksum"}})
		}
		for _, header := range []string{"Upload-Checksum: sha512 AAAA", "Upload-Checksum: "} {
			if a := s.patchTrailing(t, at, []byte("abc"), header); a.status != 400 || a.code() != "VAL_003" {
				t.Errorf("trailer %q: %v", header, a)
			}
		}
		if n := s.offset(t, at); n != 0 {
			t.Errorf("after all these the offset is %d", n)
		}
	})
}

// checksInHeader sends two PATCHes, each first with a wrong checksum.
func (s *server) checksInHeader(t *testing.T, algorithm string, content []byte) {
	t.Helper()
	at := s.create(t, len(content))
	path := at[strings.Index(at, "/files/"):]
	first, second := octets+"|Upload-Offset: 0|", octets+"|Upload-Offset: 1000|"
	wrong := checksum(algorithm, content[1:1001])
	s.check(t, []line{
		{"PATCH", path, first + wrong, string(content[:1000]), 460, "UPLOAD_005", algorithm},
		{"HEAD", path, "", "", 200, "", "Upload-Offset: 0"},
		{"PATCH", path, first + checksum(algorithm, content[:1000]), string(content[:1000]), 204, "", "Upload-Offset: 1000"},
		{"PATCH", path, second + wrong, string(content[1000:]), 460, "UPLOAD_005", algorithm},
		{"HEAD", path, "", "", 200, "", "Upload-Offset: 1000"},
		{"PATCH", path, second + checksum(algorithm, content[1000:]), string(content[1000:]), 204, "", "Content-Location: "},
	})
	s.holds(t, strings.Replace(at, "/tus/", "/", 1), content)
}

// checksInTrailer sends a wrong and then the right checksum after the body.
func (s *server) checksInTrailer(t *testing.T, algorithm string, content []byte) {
	t.Helper()
	at := s.create(t, len(content))
	wrong := checksum(algorithm, content[1:])
	if a := s.patchTrailing(t, at, content, wrong); a.status != 460 || s.offset(t, at) != 0 {
		t.Errorf("wrong, in the trailer: %v, and the offset is %d", a, s.offset(t, at))
	}
	if a := s.patchTrailing(t, at, content, checksum(algorithm, content)); a.status != 204 {
		t.Errorf("right, in the trailer: %v", a)
	}
	s.holds(t, strings.Replace(at, "/tus/", "/", 1), content)
}

// checksAtCreation creates uploads together with their bytes. After a wrong checksum the upload, if the client
// learned its URL, has no bytes.
func (s *server) checksAtCreation(t *testing.T, algorithm string, content []byte) {
	t.Helper()
	post := []string{"Upload-Length: " + strconv.Itoa(len(content)), octets}
	a := s.do(t, "POST", "/files/tus/", content, append(post, checksum(algorithm, content))...)
	if a.status != 201 || a.header.Get("Content-Location") == "" {
		t.Errorf("right, at creation: %v", a)
	}
	a = s.do(t, "POST", "/files/tus/", content, append(post, checksum(algorithm, content[1:]))...)
	if a.status != 460 || a.code() != "UPLOAD_005" {
		t.Errorf("wrong, at creation: %v", a)
	}
	if at := a.header.Get("Location"); at != "" && s.offset(t, at) != 0 {
		t.Errorf("wrong, at creation: the offset is %d", s.offset(t, at))
	}
}

// A body of several parts has most of them in the store before its checksum is known. None of them is committed until
// then: neither if the checksum is wrong, nor if the connection is cut.
func TestChecksumOfParts(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(21 * mebi)
	at := s.create(t, len(content))
	if a := s.patch(t, at, 0, content[:mebi], checksum("sha1", content[:mebi])); a.status != 204 {
		t.Fatalf("first chunk: %v", a)
	}
	if a := s.patch(t, at, mebi, content[mebi:], checksum("sha1", content)); a.status != 460 {
		t.Errorf("wrong: %v", a)
	}
	if n := s.offset(t, at); n != mebi {
		t.Errorf("after a wrong checksum the offset is %d, was %d", n, mebi)
	}
	conn, _ := s.stallAt(t, at, mebi, content[mebi:18*mebi], checksum("sha1", content[mebi:]))
	conn.Close()
	if n := s.offset(t, at); n != mebi {
		t.Errorf("after a cut the offset is %d, was %d", n, mebi)
	}
	if a := s.patch(t, at, mebi, content[mebi:], checksum("sha1", content[mebi:])); a.status != 204 ||
		a.header.Get("Content-Location") == "" {
		t.Errorf("right: %v", a)
	}
	s.holds(t, strings.Replace(at, "/tus/", "/", 1), content)
}

// A chunked body comes byte by byte, and its checksum as a trailer: the bytes before the trailer are not taken for the
// whole request.
func TestChecksumTrailerByHand(t *testing.T) {
	t.Parallel()
	s := start(t)
	at := s.create(t, 3)
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTus-Resumable: "+
		"1.0.0\r\nUpload-Offset: 0\r\n%s\r\n"+
		"Transfer-Encoding: chunked\r\nTrailer: Upload-Checksum\r\n\r\n", at[strings.Index(at, "/files/"):], s.token, octets)
	for _, b := range "abc" {
		fmt.Fprintf(conn, "1\r\n%c\r\n", b)
	}
	fmt.Fprintf(conn, "0\r\n%s\r\n\r\n", checksum("sha256", []byte("abc")))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 204 {
		t.Fatalf("%v %v", res, err)
	}
	s.holds(t, strings.Replace(at, "/tus/", "/", 1), []byte("abc"))
}
