package client

import (
	"context"
	"io"
	"net/http"
	"os"
	"testing"
)

// A file that becomes shorter while it is sent was changed.
func TestFilesThatBecomeShorter(t *testing.T) {
	tus := tusService(map[string]string{"POST": "Location: http://h/files/tus/1"})
	direct := directService(func(w http.ResponseWriter, r *http.Request) bool { return true })
	for name, c := range map[string]struct {
		send    func(*Client, context.Context, string) (string, error)
		answers http.HandlerFunc
	}{"tus": {(*Client).Upload, tus}, "direct": {(*Client).UploadDirect, direct}} {
		t.Run(name, func(t *testing.T) {
			path := local(t, string(make([]byte, 60)))
			inBubble(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case http.MethodPost:
					if err := os.Truncate(path, 20); err != nil {
						t.Error(err)
					}
				case http.MethodPatch, http.MethodPut:
					if _, err := io.Copy(io.Discard, r.Body); err != nil {
						panic(err)
					}
				}
				c.answers(w, r)
			}, func(t *testing.T, s *Client) {
				_, err := c.send(s, t.Context(), path)
				wantError(t, err, ErrChanged, "read the file: ")
			})
		})
	}
}
