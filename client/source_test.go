package client

import (
	"io"
	"net/http"
	"os"
	"testing"
)

// A file that becomes shorter while it is sent was changed.
func TestFilesThatBecomeShorter(t *testing.T) {
	for name, c := range ways() {
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
