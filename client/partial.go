package client

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"holdfast/internal/filelock"
	"holdfast/internal/regular"
)

// partial is the file that a download writes until it is complete. It is locked as long as it is open. Beside it is its
// mark: a small file that has the ETag of what is downloaded, and tells a partial download from a file of the user's
// that has such a name.
type partial struct {
	*os.File
	path string // that the complete file gets
	mark string
	etag string // as the mark has it; empty: there is nothing to resume
}

var errForeign = errors.New("this is not a partial download: rename it, or give the download another name")

// openPartial opens the partial download for a path, or makes it. Files that are not partial downloads are kept as they
// are.
func openPartial(path string, to Target) (*partial, error) {
	part := partPath(path)
	p := &partial{path: path, mark: part + etagSuffix}
	if err := to.check(path); err != nil {
		return nil, err
	}
	if _, err := readMark(p.mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, created, err := filelock.OpenFile(part)
	if errors.Is(err, filelock.ErrHeld) {
		return nil, &fs.PathError{Op: "write", Path: part, Err: ErrInUse}
	}
	if err != nil {
		return nil, err
	}
	p.File = f
	err = p.claim()
	if err == nil {
		err = to.check(path) // again: the process that had the lock may have completed its download
	}
	if err != nil {
		if created {
			err = errors.Join(err, os.Remove(part))
		}
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}

// claim reads the mark. A file without one may be written if it is empty: a crash leaves such a file before its mark.
func (p *partial) claim() error {
	info, err := p.Stat()
	if err != nil {
		return err
	}
	p.etag, err = readMark(p.mark)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case info.Size() > 0:
		return &fs.PathError{Op: "write", Path: p.Name(), Err: errForeign}
	}
	return nil
}

func (p *partial) restart() error {
	_, err := p.Seek(0, io.SeekStart)
	return errors.Join(err, p.Truncate(0))
}

// begin discards what is there, and marks the file as the partial download of what has this ETag.
func (p *partial) begin(etag string) error {
	// The mark must not vouch for bytes that were there before, also after a power failure.
	if err := errors.Join(p.restart(), p.Sync()); err != nil {
		return err
	}
	if err := os.Remove(p.mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return p.writeMark(etag)
}

// check returns an error if the name does not lead to the open file any more, or others have written to it.
func (p *partial) check(size int64) error {
	info, err := p.Stat()
	if err == nil && (info.Size() != size || !filelock.IsAt(p.File, p.Name())) {
		err = &fs.PathError{Op: "write", Path: p.Name(), Err: errors.New("another program has changed the file")}
	}
	return err
}

// complete gives the file its name. The mark goes first, while the lock still keeps others from making theirs.
func (p *partial) complete() error {
	if err := os.Remove(p.mark); err != nil {
		return err
	}
	if err := os.Rename(p.Name(), p.path); err != nil {
		return errors.Join(err, p.writeMark(p.etag))
	}
	return nil
}

// discard removes the file and its mark.
func (p *partial) discard() error { return errors.Join(os.Remove(p.Name()), os.Remove(p.mark)) }

const markTitle = "holdfast: a partial download of "

func (p *partial) writeMark(etag string) error {
	p.etag = etag
	f, err := os.OpenFile(p.mark, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%s\n", markTitle, etag)
	return errors.Join(err, f.Sync(), f.Close())
}

// bareETag is all that a mark of version 0.1 has.
var bareETag = regexp.MustCompile(`^"[!#-~\x80-\x{10FFFF}]*"$`)

// readMark returns the ETag of a mark. The error is fs.ErrNotExist if there is no file, and errForeign if it is not a
// mark.
func readMark(path string) (etag string, err error) {
	named, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	foreign := &fs.PathError{Op: "write", Path: path, Err: errForeign}
	if !named.Mode().IsRegular() {
		return "", foreign
	}
	f, opened, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const maxMark = 64 << 10
	b, err := io.ReadAll(io.LimitReader(f, maxMark))
	if err != nil {
		return "", err
	}
	text := string(b)
	etag, titled := strings.CutPrefix(text, markTitle)
	etag, ended := strings.CutSuffix(etag, "\n")
	switch {
	case !os.SameFile(named, opened):
	case titled && ended:
		return etag, nil
	case bareETag.MatchString(text):
		return text, nil
	}
	return "", foreign
}
