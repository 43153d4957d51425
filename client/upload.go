package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// upload is one file on its way.
type upload struct {
	*Client
	path      string
	file      *os.File
	info      fs.FileInfo
	url       string // of the upload; empty before it is created
	confirmed bool   // offset is the service's word
	offset    int64  // offset, in bytes
	reported  int64  // of at, to Moved
	sum       *digest
	fileURL   string // the file's URL, as the service gave it
	creations int    // how often it was created
}

// Upload sends a file and returns its URL.
func (c *Client) Upload(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &fs.PathError{Op: "upload", Path: path, Err: errors.New("not a regular file")}
	}
	u := &upload{Client: c, path: path, file: f, info: info, sum: newDigest()}
	u.url = c.URLs.find(c.Base, path, info)
	if err := c.retry(ctx, func() (bool, bool, error) { return u.step(ctx) }); err != nil {
		return "", fmt.Errorf("upload %s: %w", path, err)
	}
	if err := u.verify(ctx); err != nil {
		return "", fmt.Errorf("upload %s: %w", path, err)
	}
	return u.fileURL, c.URLs.remove(c.Base, path, info)
}

// step does the next thing that has to be done.
func (u *upload) step(ctx context.Context) (done, moved bool, err error) {
	before := u.offset
	switch {
	case u.url == "":
		err = u.create(ctx)
	case !u.confirmed:
		err = u.fetchOffset(ctx)
	default:
		err = u.send(ctx)
	}
	if u.confirmed {
		u.report(u.offset)
	}
	return u.confirmed && u.offset == u.info.Size(), u.offset > before, err
}

func (u *upload) report(at int64) {
	u.Progress(at - u.reported)
	u.reported = at
}

// create begins a new upload (tus 1.0.0, Creation).
func (u *upload) create(ctx context.Context) error {
	const most = 3 // a service that loses uploads right away will lose the next one, too
	if u.creations++; u.creations > most {
		return errors.New("the service forgets uploads that it has just begun")
	}
	r, err := u.request(ctx, http.MethodPost, u.Base+"/tus/", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Upload-Length", strconv.FormatInt(u.info.Size(), 10))
	metadata := "filename " + base64.StdEncoding.EncodeToString([]byte(filepath.Base(u.path)))
	if kind := mime.TypeByExtension(filepath.Ext(u.path)); kind != "" {
		metadata += ",filetype " + base64.StdEncoding.EncodeToString([]byte(kind))
	}
	r.Header.Set("Upload-Metadata", metadata)
	res, err := u.do(r)
	if err != nil {
		return err
	}
	res.Body.Close()
	location, err := res.Location()
	if err != nil || res.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s is no tus service: it answered %s to a creation", u.Base, res.Status)
	}
	if at := location.String(); !strings.HasPrefix(at, u.Base+"/") {
		return fmt.Errorf("the service sends uploads to %s, which is not under %s: use the URL that it has for its files", at, u.Base)
	}
	u.url, u.confirmed, u.offset, u.sum = location.String(), true, 0, newDigest()
	u.noteFileURL(res)
	return u.URLs.save(u.Base, u.path, u.info, u.url)
}

// fetchOffset asks how far the upload is. One that is not there any more begins anew.
func (u *upload) fetchOffset(ctx context.Context) error {
	r, err := u.request(ctx, http.MethodHead, u.url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	res, err := u.do(r)
	var no *Refusal
	if errors.As(err, &no) && (no.Status == http.StatusNotFound || no.Status == http.StatusGone || no.Status == http.StatusForbidden) {
		u.url, u.offset = "", 0
		return u.URLs.remove(u.Base, u.path, u.info)
	}
	if err != nil {
		return err
	}
	res.Body.Close()
	at, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
	if length := res.Header.Get("Upload-Length"); err != nil || at < 0 || at > u.info.Size() || length != strconv.FormatInt(u.info.Size(), 10) {
		return fmt.Errorf("the service has %q of %q bytes of this upload", res.Header.Get("Upload-Offset"), length)
	}
	u.offset, u.confirmed = at, true
	u.noteFileURL(res)
	return u.sum.catchUp(u.file, at)
}

// send sends what is left (tus 1.0.0, PATCH).
func (u *upload) send(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body := &uploadBody{upload: u, at: u.offset, watch: time.AfterFunc(u.StallTimeout, cancel)}
	r, err := u.request(ctx, http.MethodPatch, u.url, body)
	if err != nil {
		return err
	}
	r.ContentLength = u.info.Size() - u.offset
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	r.Header.Set("Upload-Offset", strconv.FormatInt(u.offset, 10))
	u.confirmed = false
	res, err := u.do(r)
	if fault := body.end(); fault != nil {
		return fmt.Errorf("read the file: %w", fault)
	}
	var no *Refusal
	if errors.As(err, &no) && (no.Status == http.StatusNotFound || no.Status == http.StatusGone) {
		return nil // ask says so too, and begins anew
	}
	if err != nil {
		return err
	}
	res.Body.Close()
	at, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || at <= u.offset || at > u.info.Size() {
		return fmt.Errorf("the service answered offset %q to bytes from %d on", res.Header.Get("Upload-Offset"), u.offset)
	}
	u.offset, u.confirmed = at, true
	u.noteFileURL(res)
	return nil
}

// noteFileURL notes where the file is to be found when the last byte is there.
func (u *upload) noteFileURL(res *http.Response) {
	if u.offset < u.info.Size() {
		return
	}
	u.fileURL = u.Base + "/" + u.url[strings.LastIndexByte(u.url, '/')+1:]
	if at, err := url.Parse(res.Header.Get("Content-Location")); err == nil && at.IsAbs() {
		u.fileURL = at.String()
	}
}

// verify looks whether what was stored is what the file holds.
func (u *upload) verify(ctx context.Context) error {
	if err := u.sum.catchUp(u.file, u.info.Size()); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	if now, err := u.file.Stat(); err != nil || now.Size() != u.info.Size() || !now.ModTime().Equal(u.info.ModTime()) {
		return errors.Join(ErrChanged, err)
	}
	return u.retry(ctx, func() (bool, bool, error) {
		r, err := u.request(ctx, http.MethodHead, u.fileURL, nil)
		if err != nil {
			return false, false, err
		}
		r.Header.Set("Want-Repr-Digest", wantDigest)
		res, err := u.do(r)
		if err != nil {
			return false, false, err
		}
		res.Body.Close()
		return true, true, u.sum.check(res.Header)
	})
}

// uploadBody reads the rest of the file, and hashes it. An HTTP client may read a body after its
// call has failed, so there is an end to it.
type uploadBody struct {
	*upload
	at    int64
	watch *time.Timer // of the stall; the answer is waited for in the client's own time

	mu    sync.Mutex
	ended bool
	err   error
}

func (s *uploadBody) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.info.Size() - s.at
	switch {
	case s.ended:
		return 0, errors.New("the request is over")
	case left <= 0:
		s.watch.Stop()
		return 0, io.EOF
	}
	n, err := s.file.ReadAt(p[:min(int64(len(p)), left)], s.at)
	s.sum.add(p[:n], s.at)
	s.at += int64(n)
	s.report(s.at)
	if n > 0 {
		s.watch.Reset(s.StallTimeout)
		return n, nil
	}
	if errors.Is(err, io.EOF) { // the file has become shorter
		err = io.ErrUnexpectedEOF
	}
	s.err = err
	return 0, err
}

// end ends it, and says whether the file could not be read.
func (s *uploadBody) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.Stop()
	s.ended = true
	return s.err
}
