package tus

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Fetch downloads a range of a finished upload and compares it with want; whole says that want is the whole file, so
// that no range is requested.
func (e Endpoint) Fetch(c *Conn, path string, want *Section, whole bool, buf []byte) error {
	if err := c.net.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	status := http.StatusOK
	b := append(c.request[:0], "GET "+path+" HTTP/1.1\r\nHost: "+e.url.Host+"\r\n"...)
	if e.token != "" {
		b = append(b, "Authorization: Bearer "+e.token+"\r\n"...)
	}
	if !whole {
		status = http.StatusPartialContent
		b = append(b, "Range: bytes="+strconv.FormatInt(want.pos, 10)+"-"+strconv.FormatInt(want.end-1, 10)+"\r\n"...)
	}
	c.request = append(b, "\r\n"...)
	if _, err := c.net.Write(c.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.answers, &http.Request{Method: http.MethodGet})
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status || resp.ContentLength != want.Len() {
		return fmt.Errorf("answer %s with %d bytes instead of %d with %d", resp.Status, resp.ContentLength, status,
			want.Len())
	}
	return want.Compare(resp.Body, buf)
}

// Compare reads all of r into buf, piece by piece, and fails unless the bytes are those of the section.
func (s *Section) Compare(r io.Reader, buf []byte) error {
	for {
		n, err := r.Read(buf)
		for got := buf[:n]; len(got) > 0; {
			piece := s.next()
			piece = piece[:min(len(piece), len(got))]
			if len(piece) == 0 || !bytes.Equal(piece, got[:len(piece)]) {
				return fmt.Errorf("%w: other bytes came, %d before the end", ErrWrong, s.Len())
			}
			s.pos += int64(len(piece))
			got = got[len(piece):]
		}
		switch {
		case err == io.EOF && s.Len() == 0:
			return nil
		case err == io.EOF:
			return fmt.Errorf("%w: %d bytes did not come", ErrWrong, s.Len())
		case err != nil:
			return err
		}
	}
}
