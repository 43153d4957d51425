package uploadtest

import (
	"net/http"
	"strconv"

	"holdfast/file"
)

// Head sends HEAD until the service returns the offset. The upload's last holder has ended or is abandoned. Head
// expires leases, so it need not wait for one that a fault kept the holder from releasing.
func (w *World) Head(url string) int64 {
	w.T.Helper()
	for range 50 {
		w.ExpireLeases()
		status, h, err := w.Send(w.T.Context(), "HEAD", url, nil)
		if err == nil && status == http.StatusOK {
			n, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
			if err != nil {
				w.T.Fatal(err)
			}
			return n
		}
		if err == nil && status < 500 && status != http.StatusConflict {
			w.T.Errorf("HEAD: %d", status)
			return -1
		}
	}
	return -1 // the engine has died: the caller continues with another one
}

// Partials uploads each body as a partial upload and returns their URLs.
func (w *World) Partials(bodies ...[]byte) (urls []string) {
	w.T.Helper()
	for _, b := range bodies {
		status, h, err := w.Send(w.T.Context(), "POST", w.URL+"/files/tus/", nil, "Upload-Length", strconv.Itoa(len(b)),
			"Upload-Concat", "partial")
		if err != nil || status != http.StatusCreated {
			w.T.Fatal(status, err)
		}
		urls = append(urls, h.Get("Location"))
		if len(b) == 0 {
			continue
		}
		if status, _, err := w.Patch(w.T.Context(), urls[len(urls)-1], 0, b); err != nil || status != http.StatusNoContent {
			w.T.Fatal(status, err)
		}
	}
	return urls
}

// As sets the identity of the next requests.
func (w *World) As(who file.Identity) { w.who.Store(&who) }

// Small starts a service that accepts files of up to n bytes.
func (w *World) Small(n int64) {
	w.MaxSize = n
	w.Start()
}
