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
	path string
	file *os.File
	info fs.FileInfo
	url  string // of the upload; empty before it is created
	sure bool   // offset is the service's word
	at   int64  // offset, in bytes
	told int64  // of at, to Moved
	sum  *digest
	done string // the file's URL, as the service gave it
	made int    // how often it was created
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
	u.url = c.Uploads.find(c.Base, path, info)
	if err := c.persist(ctx, func() (bool, bool, error) { return u.step(ctx) }); err != nil {
		return "", fmt.Errorf("upload %s: %w", path, err)
	}
	if err := u.compare(ctx); err != nil {
		return "", fmt.Errorf("upload %s: %w", path, err)
	}
	return u.done, c.Uploads.forget(c.Base, path, info)
}

// step does the next thing that has to be done.
func (u *upload) step(ctx context.Context) (done, moved bool, err error) {
	before := u.at
	switch {
	case u.url == "":
		err = u.create(ctx)
	case !u.sure:
		err = u.ask(ctx)
	default:
		err = u.send(ctx)
	}
	if u.sure {
		u.tell(u.at)
	}
	return u.sure && u.at == u.info.Size(), u.at > before, err
}

func (u *upload) tell(at int64) {
	u.Moved(at - u.told)
	u.told = at
}

// create begins a new upload (tus 1.0.0, Creation).
func (u *upload) create(ctx context.Context) error {
	const most = 3 // a service that loses uploads right away will lose the next one, too
	if u.made++; u.made > most {
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
	u.url, u.sure, u.at, u.sum = location.String(), true, 0, newDigest()
	u.finished(res)
	return u.Uploads.keep(u.Base, u.path, u.info, u.url)
}

// ask asks how far the upload is. One that is not there any more begins anew.
func (u *upload) ask(ctx context.Context) error {
	r, err := u.request(ctx, http.MethodHead, u.url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	res, err := u.do(r)
	var no *Refusal
	if errors.As(err, &no) && (no.Status == http.StatusNotFound || no.Status == http.StatusGone || no.Status == http.StatusForbidden) {
		u.url, u.at = "", 0
		return u.Uploads.forget(u.Base, u.path, u.info)
	}
	if err != nil {
		return err
	}
	res.Body.Close()
	at, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
	if length := res.Header.Get("Upload-Length"); err != nil || at < 0 || at > u.info.Size() || length != strconv.FormatInt(u.info.Size(), 10) {
		return fmt.Errorf("the service has %q of %q bytes of this upload", res.Header.Get("Upload-Offset"), length)
	}
	u.at, u.sure = at, true
	u.finished(res)
	return u.sum.through(u.file, at)
}

// send sends what is left (tus 1.0.0, PATCH).
func (u *upload) send(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body := &sending{upload: u, at: u.at, watch: time.AfterFunc(u.Stall, cancel)}
	r, err := u.request(ctx, http.MethodPatch, u.url, body)
	if err != nil {
		return err
	}
	r.ContentLength = u.info.Size() - u.at
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	r.Header.Set("Upload-Offset", strconv.FormatInt(u.at, 10))
	u.sure = false
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
	if err != nil || at <= u.at || at > u.info.Size() {
		return fmt.Errorf("the service answered offset %q to bytes from %d on", res.Header.Get("Upload-Offset"), u.at)
	}
	u.at, u.sure = at, true
	u.finished(res)
	return nil
}

// finished notes where the file is to be found when the last byte is there.
func (u *upload) finished(res *http.Response) {
	if u.at < u.info.Size() {
		return
	}
	u.done = u.Base + "/" + u.url[strings.LastIndexByte(u.url, '/')+1:]
	if at, err := url.Parse(res.Header.Get("Content-Location")); err == nil && at.IsAbs() {
		u.done = at.String()
	}
}

// compare looks whether what was stored is what the file holds.
func (u *upload) compare(ctx context.Context) error {
	if err := u.sum.through(u.file, u.info.Size()); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	if now, err := u.file.Stat(); err != nil || now.Size() != u.info.Size() || !now.ModTime().Equal(u.info.ModTime()) {
		return errors.Join(ErrChanged, err)
	}
	return u.persist(ctx, func() (bool, bool, error) {
		r, err := u.request(ctx, http.MethodHead, u.done, nil)
		if err != nil {
			return false, false, err
		}
		r.Header.Set("Want-Repr-Digest", wantDigest)
		res, err := u.do(r)
		if err != nil {
			return false, false, err
		}
		res.Body.Close()
		return true, true, u.sum.compare(res.Header)
	})
}

// sending reads the rest of the file, and hashes it. An HTTP client may read a body after its
// call has failed, so there is an end to it.
type sending struct {
	*upload
	at    int64
	watch *time.Timer // of the stall; the answer is waited for in the client's own time

	mu    sync.Mutex
	ended bool
	err   error
}

func (s *sending) Read(p []byte) (int, error) {
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
	s.sum.saw(p[:n], s.at)
	s.at += int64(n)
	s.tell(s.at)
	if n > 0 {
		s.watch.Reset(s.Stall)
		return n, nil
	}
	if errors.Is(err, io.EOF) { // the file has become shorter
		err = io.ErrUnexpectedEOF
	}
	s.err = err
	return 0, err
}

// end ends it, and says whether the file could not be read.
func (s *sending) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.Stop()
	s.ended = true
	return s.err
}
