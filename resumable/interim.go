package resumable

import (
	"maps"
	"net/http"
	"strconv"
	"time"
)

// statusResumption is 104 (Upload Resumption Supported), section 5.
const statusResumption = 104

// An interim answer tells an offset at most once in this time, or for so many bytes.
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

// newInterim returns nil if a request must get no interim answers.
func (x *exchange) newInterim() *interim {
	if !x.h.Interim(x.r) {
		return nil
	}
	return &interim{w: x.w, version: x.version, timeout: x.h.ReadTimeout}
}

// begin tells where the upload can be gone on with, and its limits (section 4.2.2).
func (i *interim) begin(location, limit string) {
	if i != nil {
		i.send(map[string]string{"Location": location, uploadLimit: limit})
	}
}

// from notes where the request begins.
func (i *interim) from(offset int64) {
	if i != nil {
		i.told, i.offset = time.Now(), offset
	}
}

// progress tells the offset, of which the caller knows that all before it is durable (section 4.4.2).
func (i *interim) progress(offset int64) {
	if i == nil || time.Since(i.told) < progressEvery && offset-i.offset < progressBytes {
		return
	}
	i.offset = offset
	i.send(map[string]string{uploadOffset: strconv.FormatInt(offset, 10)})
}

// send sends these fields alone: what the final answer's headers are so far is none of the interim one's.
func (i *interim) send(fields map[string]string) {
	i.told = time.Now()
	h := i.w.Header()
	kept := maps.Clone(h)
	clear(h)
	for name, value := range fields {
		h.Set(name, value)
	}
	if i.version != final {
		h.Set(interopVersion, strconv.Itoa(int(i.version))) // appendix B: on each of them
	}
	// A client that reads nothing must not hold the upload.
	http.NewResponseController(i.w).SetWriteDeadline(time.Now().Add(i.timeout))
	i.w.WriteHeader(statusResumption)
	clear(h)
	maps.Copy(h, kept)
}
