package disk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"holdfast/file"
)

// record describes an object, or an unfinished multipart upload. It is at the end of a file, after the bytes of the
// object: JSON, the length of that JSON in 8 hex digits, and endMark.
type record struct {
	Key  string `json:"key"`
	Type string `json:"type"` // media type
	ETag string `json:"etag,omitempty"`
	Size int64  `json:"size"` // bytes of the object
	// Upload is the id of the multipart upload that the object was made from, or that the record belongs to; Parts are
	// the files of its parts, in order.
	Upload string   `json:"upload,omitempty"`
	Parts  []string `json:"parts,omitempty"`
}

const (
	endMark = "\nholdfast\n"
	endSize = 8 + len(endMark)
	// usualRecord is how much is first read from the end of a file, in bytes.
	usualRecord = 1 << 10
)

var errDamaged = fmt.Errorf("%w: this file is not one of the store's, or is damaged", file.ErrObjectChanged)

// append writes the record after the bytes of an object.
func (r record) append(to io.Writer) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, "%s%08x%s", b, len(b), endMark)
	return err
}

// readRecord reads the record of a file. The file's position does not matter.
func readRecord(f *os.File) (r record, err error) {
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	if !info.Mode().IsRegular() {
		return r, errDamaged
	}
	size, last := info.Size(), make([]byte, min(info.Size(), usualRecord))
	if _, err := f.ReadAt(last, size-int64(len(last))); err != nil {
		return r, noEOF(err)
	}
	head, found := bytes.CutSuffix(last, []byte(endMark))
	if !found || len(head) < 8 {
		return r, errDamaged
	}
	length, err := strconv.ParseInt(string(head[len(head)-8:]), 16, 64)
	if err != nil || length > size-int64(endSize) {
		return r, errDamaged
	}
	text := head[:len(head)-8]
	if length > int64(len(text)) {
		text = make([]byte, length)
		if _, err := f.ReadAt(text, size-int64(endSize)-length); err != nil {
			return r, noEOF(err)
		}
	} else {
		text = text[int64(len(text))-length:]
	}
	if json.Unmarshal(text, &r) != nil {
		return r, errDamaged
	}
	if own := size - int64(endSize) - length; r.Upload == "" && own != r.Size || r.Upload != "" && own != 0 {
		return r, fmt.Errorf("%w: it has %d bytes, and should have %d", errDamaged, own, r.Size)
	}
	return r, nil
}

// recordAt reads the record of the file at path; fs.ErrNotExist if there is none.
func (s *Store) recordAt(path string) (record, error) {
	f, err := s.fs.Open(path)
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	return readRecord(f)
}

// noEOF replaces io.EOF, where a file ends too early, with io.ErrUnexpectedEOF.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// partName is the name of a part's file.
func partName(number int32, size int64, etag string) string {
	return fmt.Sprintf("%d-%d-%s", number, size, bare(etag))
}

// partSize reads the size from the name of a part's file.
func partSize(name string) (int64, error) {
	_, rest, _ := strings.Cut(name, "-")
	size, _, found := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || !found || n < 0 {
		return 0, errDamaged
	}
	return n, nil
}

// partOf reads the name of a part's file; false if it is none.
func partOf(name string) (p file.Part, ok bool) {
	number, rest, _ := strings.Cut(name, "-")
	_, etag, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return p, false
	}
	p.Number, p.ETag, p.CRC32 = int32(n), quoted(etag), crcOf(etag)
	p.Size, err = partSize(name)
	return p, err == nil && nameOf(p) == name
}

// nameOf is the name of the file that a part of the caller's must be in.
func nameOf(p file.Part) string { return partName(p.Number, p.Size, p.ETag) }

// quoted returns an ETag as callers see it, and bare as it is in names and records.
func quoted(etag string) string { return `"` + etag + `"` }

func bare(etag string) string { return strings.Trim(etag, `"`) }
