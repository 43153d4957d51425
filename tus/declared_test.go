package tus_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

func reprDigest(b []byte) []string {
	sum := sha256.Sum256(b)
	return []string{"Repr-Digest", "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"}
}

func uploadChecksum(b []byte) []string {
	sum := sha1.Sum(b)
	return []string{"Upload-Checksum", "sha1 " + base64.StdEncoding.EncodeToString(sum[:])}
}

// A partial upload whose declared digest is wrong ends like any other upload: it never becomes part of a file.
func TestDeclaredDigestOfAPartialUpload(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		for _, chunks := range [][]int{{}, {1000}, {300, 700}, {uploadtest.PartSize + 10}, {uploadtest.PartSize, 1 << 20,
			100}} {
			size := 0
			for _, n := range chunks {
				size += n
			}
			body := uploadtest.Content(size)
			sum := sha256.Sum256([]byte("other"))
			inMetadata := []string{"Upload-Metadata", "sha256 " +
				base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))}
			for _, c := range []struct {
				name         string
				create, last []string
				good         bool
			}{
				{"right", reprDigest(body), nil, true},
				{"right at the end", nil, reprDigest(body), true},
				{"wrong", reprDigest([]byte("other")), nil, false},
				{"wrong in the metadata", inMetadata, nil, false},
				{"wrong at the end", nil, reprDigest([]byte("other")), false},
			} {
				if size == 0 && c.last != nil {
					continue // it is finished when it is created
				}
				status, h, err := w.Send(t.Context(), "POST", w.URL+"/files/tus/", nil,
					append(c.create, "Upload-Length", fmt.Sprint(size), "Upload-Concat", "partial")...)
				if err != nil {
					t.Fatal(err)
				}
				at := 0
				for i, n := range chunks {
					var header []string
					if i == len(chunks)-1 {
						header = c.last
					}
					if status, _, err = w.Patch(t.Context(), h.Get("Location"), int64(at), body[at:at+n], header...); err != nil {
						t.Fatal(err)
					}
					at += n
				}
				if good := status < 300; good != c.good || !good && status != http.StatusUnprocessableEntity {
					t.Errorf("%v, %s: %d", chunks, c.name, status)
				}
				if url := h.Get("Location"); url != "" && w.Lives(uploadtest.ID(url)) != c.good {
					t.Errorf("%v, %s: there is such an upload: %v", chunks, c.name, !c.good)
				}
			}
		}
	})
}

// A request for a finished upload may still declare its digest; a wrong digest is an error.
func TestDeclaredDigestOfWhatIsThere(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		a, b := uploadtest.Content(300), uploadtest.Content(200)
		sources := w.Partials(a, b)
		for _, c := range []struct {
			digest []string
			want   int
		}{
			{reprDigest(append(a[:300:300], b...)), http.StatusCreated},
			{nil, http.StatusCreated},
			{reprDigest(a), http.StatusUnprocessableEntity},
			{reprDigest(append(a[:300:300], b...)), http.StatusCreated},
		} {
			if status, _, err := w.Final(sources, c.digest...); status != c.want {
				t.Errorf("final upload, %q: %d %v, want %d", c.digest, status, err, c.want)
			}
		}
		url := w.Create(100)
		for range 2 { // the second one finds the upload finished
			if status, _, err := w.Patch(t.Context(), url, w.Head(url), a[w.Head(url):100],
				reprDigest(a[:100])...); status != http.StatusNoContent {
				t.Fatal(status, err)
			}
		}
		if status, _, err := w.Patch(t.Context(), url, 100, nil, reprDigest(b)...); status != http.StatusUnprocessableEntity {
			t.Errorf("PATCH of what is there: %d %v", status, err)
		}
		w.Check(url, a[:100])
	})
}

// A checksum is compared for every body, even an empty one. Bytes with a wrong checksum are not committed.
func TestChecksums(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		right, wrong := uploadtest.Content(1000), uploadtest.Content(1000)
		url := w.Create(1000)
		if status, _, err := w.Patch(t.Context(), url, 0, right, uploadChecksum(wrong)...); status != 460 ||
			w.Head(url) != 0 {
			t.Errorf("wrong: %d %v, the offset is %d", status, err, w.Head(url))
		}
		if status, _, err := w.Patch(t.Context(), url, 0, right, uploadChecksum(right)...); status != http.StatusNoContent {
			t.Errorf("right: %d %v", status, err)
		}
		w.Check(url, right)
		// Requests without bytes: an empty file, a creation without a body, and an empty PATCH.
		for _, length := range []string{"0", "10"} {
			for _, kind := range []string{"", uploadtest.Octets} {
				for want, sum := range map[int][]string{460: uploadChecksum(wrong), http.StatusCreated: uploadChecksum(nil)} {
					header := append(sum, "Upload-Length", length)
					if kind != "" {
						header = append(header, "Content-Type", kind)
					}
					if status, _, err := w.Send(t.Context(), "POST", w.URL+"/files/tus/", nil, header...); status != want {
						t.Errorf("creation with length %s, %q, %q: %d %v, want %d", length, kind, sum, status, err, want)
					}
				}
			}
		}
		url = w.Create(10)
		if status, _, err := w.Patch(t.Context(), url, 0, nil, uploadChecksum(wrong)...); status != 460 {
			t.Errorf("an empty PATCH: %d %v", status, err)
		}
	})
}

// A wrong body that comes whole and would complete its upload is not stored: however often it is sent, it leaves
// nothing in the store that no quota counts.
func TestWrongChecksumsStoreNothing(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		right, wrong := uploadtest.Content(1000), uploadtest.Content(999)
		whole, second := w.Create(1000), w.Create(1000)
		if status, _, err := w.Patch(t.Context(), second, 0, right[:400]); status != http.StatusNoContent {
			t.Fatalf("%d %v", status, err)
		}
		before := w.InStore(path.Base(second))
		for range 3 {
			if status, _, err := w.Patch(t.Context(), whole, 0, right, uploadChecksum(wrong)...); status != 460 {
				t.Errorf("%d %v", status, err)
			}
			if status, _, err := w.Patch(t.Context(), second, 400, right[400:], uploadChecksum(wrong)...); status != 460 {
				t.Errorf("%d %v", status, err)
			}
		}
		if n, m := w.InStore(path.Base(whole)), w.InStore(path.Base(second)); n != 0 || m != before {
			t.Errorf("%d and %d objects, want none and %d", n, m, before)
		}
		for url, from := range map[string]int{whole: 0, second: 400} {
			if status, _, err := w.Patch(t.Context(), url, int64(from), right[from:],
				uploadChecksum(right[from:])...); status != http.StatusNoContent {
				t.Errorf("%d %v", status, err)
			}
			w.Check(url, right)
		}
	})
}

// Malformed chunks or trailers are the client's error (400). They complete no upload, and nothing is kept of the part
// that they end.
func TestMalformedChunks(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		host, err := url.Parse(w.URL)
		if err != nil {
			t.Fatal(err)
		}
		for i, body := range []string{"zz\r\n", "5\r\nhelloXX", "5\r\nhello\r\nzz\r\n", "-5\r\nhello\r\n",
			"fffffffffffffffff\r\nhello\r\n", "5\r\nhello\r\n0\r\nno trailer\r\n\r\n", "5\r\nhelloXX",
			"5\r\nhello\r\n0\r\nno trailer\r\n\r\n"} {
			location := w.Create([]int{5, 10}[i/6])
			conn, err := net.Dial("tcp", host.Host)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: "+
				"0\r\nContent-Type: %s\r\n"+
				"Transfer-Encoding: chunked\r\n\r\n%s", strings.TrimPrefix(location, w.URL), uploadtest.Octets, body)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			if got := w.Head(location); res.StatusCode != http.StatusBadRequest || got != 0 {
				t.Errorf("%q: %d, the offset is %d, want 0", body, res.StatusCode, got)
			}
		}
	})
}

// If a proxy drops an announced checksum trailer, the request is refused: the check is not skipped silently.
func TestTrailerThatAProxyDropped(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		host, err := url.Parse(w.URL)
		if err != nil {
			t.Fatal(err)
		}
		for _, request := range []string{
			"HTTP/1.1|Content-Length: 5\r\nTrailer: Upload-Checksum\r\n\r\nhello",
			"HTTP/1.0|Content-Length: 5\r\nTrailer: Upload-Checksum\r\n\r\nhello",
			"HTTP/1.1|Content-Length: 5\r\nTrailer: X-Other, upload-checksum\r\n\r\nhello",
			"HTTP/1.1|Transfer-Encoding: chunked\r\nTrailer: Upload-Checksum\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		} {
			location := w.Create(5)
			protocol, rest, _ := strings.Cut(request, "|")
			conn, err := net.Dial("tcp", host.Host)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "PATCH %s %s\r\nHost: x\r\nConnection: close\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: "+
				"0\r\nContent-Type: %s\r\n%s",
				strings.TrimPrefix(location, w.URL), protocol, uploadtest.Octets, rest)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(res.Body)
			conn.Close()
			if res.StatusCode != http.StatusBadRequest || !bytes.Contains(answer, []byte("announced")) || w.Head(location) != 0 {
				t.Errorf("%q: %d %s, the offset is %d", request, res.StatusCode, answer, w.Head(location))
			}
		}
		// Checksum trailers are not announced to clients behind a proxy.
		for header, offered := range map[string]bool{"X-Other": true, "X-Forwarded-For": false, "Via": false} {
			_, h, err := w.Send(t.Context(), "OPTIONS", w.URL+"/files/tus/", nil, header, "1.1 x")
			if err != nil || strings.Contains(h.Get("Tus-Extension"), "checksum-trailer") != offered ||
				!strings.Contains(h.Get("Tus-Extension"), "checksum,") {
				t.Errorf("with %s: %q %v", header, h.Get("Tus-Extension"), err)
			}
		}
	})
}

// An upload of unknown length may not exceed the cap.
func TestCapOfAnUnknownLength(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		w.MaxSize = 1000
		w.Start()
		body := uploadtest.Content(1001)
		for _, known := range []bool{true, false} {
			_, h, err := w.Send(t.Context(), "POST", w.URL+"/files/tus/", nil, "Upload-Defer-Length", "1")
			location := h.Get("Location")
			if location == "" {
				t.Fatal(err)
			}
			var sent io.Reader = bytes.NewReader(body)
			if !known {
				sent = struct{ io.Reader }{sent} // no Content-Length
			}
			status, _, err := w.Send(t.Context(), "PATCH", location, sent, "Upload-Offset", "0", "Content-Type",
				uploadtest.Octets)
			if status != http.StatusRequestEntityTooLarge || w.Head(location) > 1000 {
				t.Errorf("%d bytes: %d %v, the offset is %d", len(body), status, err, w.Head(location))
			}
		}
	})
}

// An expired upload accepts no more bytes.
func TestExpiredUploadEnds(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		location := w.Create(10)
		if status, _, err := w.Patch(t.Context(), location, 0, []byte("abc")); status != http.StatusNoContent {
			t.Fatal(status, err)
		}
		if _, err := w.Raw.Exec(`update uploads set expires = 1`); err != nil {
			t.Fatal(err)
		}
		if status, _, err := w.Patch(t.Context(), location, 3, []byte("defghij")); status != http.StatusGone {
			t.Errorf("PATCH: %d %v", status, err)
		}
		if _, err := w.Rows.File(t.Context(), uploadtest.ID(location)); !errors.Is(err, file.ErrNotFound) {
			t.Errorf("it became a file: %v", err)
		}
	})
}
