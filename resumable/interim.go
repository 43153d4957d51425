package resumable

import (
	"maps"
	"net/http"
	"strconv"
	"time"
)

// statusResumption is 104 (Upload Resumption Supported), section 5.
const statusResumption = 104

// At most one interim answer is sent in this time, or for this many bytes.
const (
	progressEvery = time.Second
	progressBytes = 8 << 20
)

// interim sends the interim answers of one request (section 5).
type interim struct {
	w       http.ResponseWriter
	version version
	timeout time.Duration
	told    time.Time // when the last one was sent
	offset  int64     // the offset at that time
}

// newInterim returns nil if the request must not get interim answers.
func (x *exchange) newInterim() *interim {
	if !x.h.Interim(x.r) {
		return nil
	}
	return &interim{w: x.w, version: x.version, timeout: x.h.ReadTimeout}
}

// begin sends the upload's URL and limits (section 4.2.2).
func (i *interim) begin(location, limit string) {
	if i != nil {
		i.send(map[string]string{"Location": location, uploadLimit: limit})
	}
}

// from sets the offset at which the request begins.
func (i *interim) from(offset int64) {
	if i != nil {
		i.told, i.offset = time.Now(), offset
	}
}

// progress sends an offset. The caller guarantees that all bytes before it are durable (section 4.4.2).
func (i *interim) progress(offset int64) {
	if i == nil || time.Since(i.told) < progressEvery && offset-i.offset < progressBytes {
		return
	}
	i.offset = offset
	i.send(map[string]string{uploadOffset: strconv.FormatInt(offset, 10)})
}

// send sends these fields only: headers that were set for the final answer do not belong into an interim one.
func (i *interim) send(fields map[string]string) {
	i.told = time.Now()
	h := i.w.Header()
	kept := maps.Clone(h)
	clear(h)
	for name, value := range fields {
		h.Set(name, value)
	}
	if i.version != final {
		h.Set(interopVersion, strconv.Itoa(int(i.version))) // appendix B: in each interim answer
	}
	// A client that does not read must not block the upload.
	http.NewResponseController(i.w).SetWriteDeadline(time.Now().Add(i.timeout))
	i.w.WriteHeader(statusResumption)
	clear(h)
	maps.Copy(h, kept)
}
