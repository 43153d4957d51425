package resumable

import (
	"maps"
	"net/http"
	"strconv"
	"time"
)

// statusResumption is 104 (Upload Resumption Supported), section 5.
const statusResumption = 104

// At most one interim answer is sent in this time, or for this many bytes. The longer a request runs, the rarer they
// are: once it has run for more than growth times as long, or sent that many times as many bytes, the next answer waits
// for one growth-th of that.
const (
	progressEvery = time.Second
	progressBytes = 8 << 20
	growth        = 8
)

// maxInterim is how many interim answers a request gets at most. Clients bound them: Python's http.client takes 100,
// and curl 300 KB of headers for all answers to a request.
const maxInterim = 90

// interim sends the interim answers of one request (section 5).
type interim struct {
	w           http.ResponseWriter
	version     version
	timeout     time.Duration
	left        int       // how many may still be sent
	started     time.Time // when the body began to be read
	startOffset int64     // the offset then
	lastSent    time.Time // when the last one was sent
	lastOffset  int64     // the offset at that time
}

// newInterim returns nil if the request must not get interim answers.
func (x *exchange) newInterim() *interim {
	left := min(x.h.Interim(x.r), maxInterim)
	if left == 0 {
		return nil
	}
	return &interim{w: x.w, version: x.version, timeout: x.h.ReadTimeout, left: left}
}

// sendLocation sends the upload's URL and limits (section 4.2.2).
func (i *interim) sendLocation(location, limit string) {
	if i != nil {
		i.send(map[string]string{"Location": location, uploadLimit: limit})
	}
}

// startAt sets the offset at which the request begins.
func (i *interim) startAt(offset int64) {
	if i != nil {
		i.started, i.startOffset = time.Now(), offset
		i.lastSent, i.lastOffset = i.started, offset
	}
}

// sendOffset sends an offset. The caller guarantees that all bytes before it are durable (section 4.4.2).
func (i *interim) sendOffset(offset int64) {
	if i == nil || i.left == 0 || offset == i.lastOffset { // a commit may only replace what was stored before
		return
	}
	now := time.Now()
	every := max(progressEvery, now.Sub(i.started)/growth)
	bytes := max(progressBytes, (offset-i.startOffset)/growth)
	if now.Sub(i.lastSent) < every && offset-i.lastOffset < bytes {
		return
	}
	i.lastOffset = offset
	i.send(map[string]string{uploadOffset: strconv.FormatInt(offset, 10)})
}

// send sends these fields only: headers that were set for the final answer do not belong into an interim one.
func (i *interim) send(fields map[string]string) {
	i.lastSent = time.Now()
	i.left--
	h := i.w.Header()
	kept := maps.Clone(h)
	clear(h)
	for name, value := range fields {
		h.Set(name, value)
	}
	if i.version != final {
		h.Set(interopVersion, strconv.Itoa(int(i.version))) // appendix B: in each interim answer
	}
	// A field that net/http sends in no interim answer, and for which it sends a copy of the others. By HTTP/2 it would
	// still read the map itself after WriteHeader, if the client has reset the stream meanwhile.
	h.Set("Content-Length", "0")
	// A client that does not read must not block the upload.
	http.NewResponseController(i.w).SetWriteDeadline(time.Now().Add(i.timeout))
	i.w.WriteHeader(statusResumption)
	clear(h)
	maps.Copy(h, kept)
}
