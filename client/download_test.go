package client

import (
	"io"
	"net/http"
	"os"
	"testing"
)

// Without an ETag, a download whose answer was short begins anew, but not for ever.
func TestShortAnswersWithoutETag(t *testing.T) {
	for _, c := range []struct {
		name  string
		short int // how many answers
		want  error
	}{{"twice", 2, nil}, {"each time", 1 << 30, ErrUnreachable}} {
		t.Run(c.name, func(t *testing.T) {
			gets := 0
			inBubble(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodHead:
					w.Header().Set("Content-Length", "10")
				case r.Header.Get("If-Match") != "" || r.Header.Get("Range") != "":
					w.WriteHeader(http.StatusPreconditionFailed)
				default:
					if gets++; gets > 1000 {
						panic(http.ErrAbortHandler) // or the test would have no end
					}
					io.WriteString(w, tenBytes[:map[bool]int{true: 4, false: 10}[gets <= c.short]])
				}
			}, func(t *testing.T, s *Client) {
				path, err := s.Download(t.Context(), s.Base+"/1", Target{Path: t.TempDir()})
				if gets > 1000 {
					t.Errorf("%d requests", gets)
				}
				if c.want != nil {
					wantError(t, err, c.want, "the answer ended early")
				} else if got, _ := os.ReadFile(path); err != nil || string(got) != tenBytes {
					t.Errorf("%q %v after %d requests", got, err, gets)
				}
			})
		})
	}
}
