package tus

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"holdfast/file"
	"holdfast/upload"
)

// algorithms is the value of Tus-Checksum-Algorithm (tus 1.0.0, Checksum).
const algorithms = "sha1,sha256,crc32,md5"

// newHash returns a hash by its name in algorithms; nil if the name is not there.
func newHash(name string) hash.Hash {
	switch name {
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	case "crc32":
		return crc32.NewIEEE()
	case "md5":
		return md5.New()
	default:
		return nil
	}
}

// checksum is a parsed Upload-Checksum header: "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=".
type checksum struct {
	name string
	want []byte
}

func parseChecksum(header string) (checksum, error) {
	name, encoded, _ := strings.Cut(header, " ")
	h := newHash(name)
	if h == nil {
		return checksum{}, file.Refuse(file.ErrInvalid, "Upload-Checksum: the algorithm must be one of %s, not %q",
			algorithms, short(name))
	}
	want, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(want) != h.Size() {
		return checksum{}, file.Refuse(file.ErrInvalid, "Upload-Checksum: after %s there must be %d bytes in base64", name,
			h.Size())
	}
	return checksum{name, want}, nil
}

func (c checksum) compare(sum []byte) error {
	if bytes.Equal(c.want, sum) {
		return nil
	}
	return file.Refuse(file.ErrChecksum, "The body has the %s checksum %s, but %s was sent", c.name,
		base64.StdEncoding.EncodeToString(sum), base64.StdEncoding.EncodeToString(c.want))
}

// readChecksum returns the check that a request asks for; nil if it asks for none.
func readChecksum(r *http.Request) (upload.Check, error) {
	values := r.Header.Values("Upload-Checksum")
	_, trailing := r.Trailer["Upload-Checksum"]
	switch {
	case announced(r.Header.Values("Trailer"), "Upload-Checksum"):
		// net/http leaves Trailer among the headers if the body is not chunked. Then no trailer can come: a proxy has
		// decoded the chunks and dropped the trailers.
		return nil, errNoTrailer
	case len(values) == 0 && trailing:
		return newTrailerCheck(r), nil
	case len(values) == 0:
		return nil, nil
	case len(values) > 1 || trailing:
		return nil, file.Refuse(file.ErrInvalid, "Upload-Checksum is given twice")
	}
	c, err := parseChecksum(values[0])
	if err != nil {
		return nil, err
	}
	return &headerCheck{newHash(c.name), c}, nil
}

// errNoTrailer refuses a body whose checksum was announced as a trailer that did not come.
var errNoTrailer = file.Refuse(file.ErrInvalid,
	"The trailer Upload-Checksum was announced and is not there; a proxy may have dropped it: send the header")

// announced reports whether the values of a Trailer header contain a field (RFC 9110, 6.6.2).
func announced(trailer []string, field string) bool {
	for _, value := range trailer {
		for name := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(name), field) {
				return true
			}
		}
	}
	return false
}

// headerCheck compares with a checksum that came in the request's header.
type headerCheck struct {
	hash.Hash
	checksum
}

func (c *headerCheck) Verify() error { return c.compare(c.Sum(nil)) }

// trailerCheck compares with a checksum that comes as a trailer (tus 1.0.0, checksum-trailer). It learns the algorithm
// only then, so it computes all of them.
type trailerCheck struct {
	io.Writer
	sums map[string]hash.Hash
	r    *http.Request
}

func newTrailerCheck(r *http.Request) *trailerCheck {
	c := &trailerCheck{sums: make(map[string]hash.Hash), r: r}
	var all []io.Writer
	for name := range strings.SplitSeq(algorithms, ",") {
		c.sums[name] = newHash(name)
		all = append(all, c.sums[name])
	}
	c.Writer = io.MultiWriter(all...)
	return c
}

func (c *trailerCheck) Verify() error {
	values := c.r.Trailer.Values("Upload-Checksum")
	if len(values) != 1 {
		return errNoTrailer
	}
	sum, err := parseChecksum(values[0])
	if err != nil {
		return err
	}
	return sum.compare(c.sums[sum.name].Sum(nil))
}
