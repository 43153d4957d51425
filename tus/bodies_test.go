package tus_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"holdfast/internal/test/uploadtest"
)

// raw sends a request as it is written here, and returns the status of its answer. rest begins with header fields.
func raw(w *uploadtest.World, start, rest string) (status int, header http.Header, answer string) {
	w.T.Helper()
	host, err := url.Parse(w.URL)
	if err != nil {
		w.T.Fatal(err)
	}
	conn, err := net.Dial("tcp", host.Host)
	if err != nil {
		w.T.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s\r\nHost: x\r\nConnection: close\r\nTus-Resumable: 1.0.0\r\n%s", start, rest)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, string(text)
}

// The body of a request that creates an empty file is read to its end: bytes, a checksum that is wrong, and a trailer
// that was not announced are refused, and make no file.
func TestBodyOfAnEmptyFile(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		const octets, chunked = "Content-Type: " + uploadtest.Octets + "\r\n", "Transfer-Encoding: chunked\r\n"
		const right = "crc32 AAAAAA=="
		for body, want := range map[string]int{
			octets + "Content-Length: 0\r\n\r\n": 201,
			octets + chunked + "\r\n0\r\n\r\n":   201,
			octets + chunked + "Trailer: Upload-Checksum\r\n\r\n0\r\nUpload-Checksum: " + right + "\r\n\r\n":  201,
			chunked + "Trailer: Upload-Checksum\r\n\r\n0\r\nUpload-Checksum: " + right + "\r\n\r\n":           201,
			octets + chunked + "Trailer: Upload-Checksum\r\n\r\n0\r\nUpload-Checksum: crc32 AAAAAQ==\r\n\r\n": 460,
			octets + chunked + "Trailer: Upload-Checksum\r\n\r\n0\r\n\r\n":                                    400,
			octets + chunked + "\r\nno number\r\n\r\n":                                                        400,
			octets + chunked + "\r\n5\r\nhello\r\n0\r\n\r\n":                                                  413,
			octets + "Content-Length: 5\r\n\r\nhello":                                                         413,
			"Content-Length: 5\r\n\r\nhello":                                                                  201,
		} {
			status, h, answer := raw(w, "POST /files/tus/ HTTP/1.1", "Upload-Length: 0\r\n"+body)
			if status != want || status != http.StatusCreated && h.Get("Location") != "" {
				w.T.Errorf("%q: %d %s, want %d", body, status, answer, want)
			}
		}
		var files int
		if err := w.Raw.QueryRow("select count(*) from files").Scan(&files); err != nil || files != 5 {
			w.T.Errorf("%d files, want 5 (%v)", files, err)
		}
	})
}

// A request of HTTP/1.0 that sends bytes has to say how many: without that it would look like one without any.
func TestBytesByOldHTTP(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		const octets = "Content-Type: " + uploadtest.Octets + "\r\n"
		for _, old := range []struct {
			rest   string
			status int
			offset int64
		}{
			{"\r\nhello", http.StatusBadRequest, 0},
			{"\r\n", http.StatusBadRequest, 0},
			{"Content-Length: 0\r\n\r\n", http.StatusNoContent, 0},
			{"Content-Length: 3\r\n\r\nhel", http.StatusNoContent, 3},
		} {
			at := w.Create(5)
			status, _, answer := raw(w, "PATCH "+strings.TrimPrefix(at, w.URL)+" HTTP/1.0", "Upload-Offset: 0\r\n"+octets+
				old.rest)
			if got := w.Head(at); status != old.status || got != old.offset {
				w.T.Errorf("PATCH with %q: %d %s, at %d", old.rest, status, answer, got)
			}
		}
		status, _, answer := raw(w, "POST /files/tus/ HTTP/1.0", "Upload-Length: 5\r\n"+octets+"\r\nhello")
		if status != http.StatusBadRequest || !strings.Contains(answer, "HTTP/1.0") {
			w.T.Errorf("POST: %d %s", status, answer)
		}
		if status, _, answer := raw(w, "POST /files/tus/ HTTP/1.0", "Upload-Length: 5\r\n\r\n"); status != 201 {
			w.T.Errorf("POST without bytes: %d %s", status, answer)
		}
	})
}
