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
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/regular"
)

// upload is one upload in progress.
type upload struct {
	*Client
	flow
	name      string
	source    source
	size      int64  // bytes; -1: a stream whose end was not reached yet
	declared  bool   // the service knows size
	url       string // of the upload; empty before it is created
	confirmed bool   // offset is what the service said last
	doubt     doubt
	offset    int64 // bytes
	reported  int64 // to Progress
	sum       *digest
	fileURL   string // as the service gave it
	created   int    // how often, by this call

	path string // of the file, by which an unfinished upload is found again; empty: a stream
	info fs.FileInfo
}

// Upload sends a file and returns its URL.
func (c *Client) Upload(ctx context.Context, path string) (string, error) {
	f, info, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	u := &upload{Client: c, name: filepath.Base(path), source: fileSource{f, info.Size()}, size: info.Size(),
		declared: true, sum: newDigest(), path: path, info: info, url: c.URLs.find(c.Base, path, info)}
	if err := u.run(ctx); err != nil {
		return "", fmt.Errorf("upload %s: %w", path, err)
	}
	c.warn(c.URLs.remove(c.Base, path, info))
	return u.fileURL, nil
}

// UploadStream uploads what r returns until io.EOF as a file of this name, and returns its URL. The length is declared
// at the end (tus 1.0.0, Upload-Defer-Length). An interrupted stream can't be resumed by another process.
func (c *Client) UploadStream(ctx context.Context, r io.Reader, name string) (string, error) {
	u := &upload{Client: c, name: name, source: newStreamSource(r), size: -1, sum: newDigest()}
	if err := u.run(ctx); err != nil {
		return "", fmt.Errorf("upload %s: %w", name, err)
	}
	return u.fileURL, nil
}

func (u *upload) run(ctx context.Context) error {
	if err := u.transfer(ctx, &u.flow, func() (bool, bool, error) { return u.step(ctx) }); err != nil {
		return err
	}
	err := u.verify(ctx)
	if errors.Is(err, ErrDigest) || errors.Is(err, ErrChanged) {
		err = u.withdraw(ctx, err)
	}
	return err
}

// withdraw removes the file that the upload has made, which is not the one that was to be sent.
func (u *upload) withdraw(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(ctx, u.StallTimeout)
	defer cancel()
	if err := u.Delete(ctx, u.fileURL); err != nil && !isGone(err) {
		return fmt.Errorf("%w; what was stored is still at %s: %w", why, u.fileURL, err)
	}
	if u.path != "" {
		u.warn(u.URLs.remove(u.Base, u.path, u.info))
	}
	return fmt.Errorf("%w; what was stored is removed", why)
}

// step sends the next request.
func (u *upload) step(ctx context.Context) (done, progress bool, err error) {
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
	return u.confirmed && u.declared && u.offset == u.size, u.offset > before, err
}

func (u *upload) report(offset int64) {
	u.Progress(offset - u.reported)
	u.reported = offset
}

// create creates the upload (tus 1.0.0, Creation).
func (u *upload) create(ctx context.Context) error {
	const most = 3 // a service that loses uploads at once will lose the next one, too
	if u.created == most {
		return errors.New("the service forgets uploads that it has just begun")
	}
	r, err := u.request(ctx, http.MethodPost, u.Base+"/tus/", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	if u.declared {
		r.Header.Set("Upload-Length", strconv.FormatInt(u.size, 10))
	} else {
		r.Header.Set("Upload-Defer-Length", "1")
	}
	metadata := "filename " + base64.StdEncoding.EncodeToString([]byte(u.name))
	if kind := mime.TypeByExtension(filepath.Ext(u.name)); kind != "" {
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
		return fmt.Errorf("the service sends uploads to %s, which is not under %s: "+
			"use the URL that it has for its files", at, u.Base)
	}
	u.created++
	u.url, u.confirmed, u.offset = location.String(), true, 0
	if u.path == "" {
		return nil
	}
	u.sum = newDigest()
	u.noteFileURL(res)
	u.warn(u.URLs.save(u.Base, u.path, u.info, u.url))
	return nil
}

// fetchOffset asks how far the upload is. One that is gone, or another user's, is created again.
func (u *upload) fetchOffset(ctx context.Context) error {
	r, err := u.request(ctx, http.MethodHead, u.url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	res, err := u.do(r)
	gone, err := u.doubt.gone(ctx, u.Client, err)
	if gone || isForeign(err) {
		u.url, u.offset = "", 0
		if u.path == "" {
			u.declared = false
			return nil
		}
		u.warn(u.URLs.remove(u.Base, u.path, u.info))
		return nil
	}
	if err != nil {
		return err
	}
	res.Body.Close()
	at, length := res.Header.Get("Upload-Offset"), res.Header.Get("Upload-Length")
	offset, err := strconv.ParseInt(at, 10, 64)
	u.declared = length != ""
	wrongLength := u.path != "" && !u.declared || u.declared && length != strconv.FormatInt(u.size, 10)
	if err != nil || offset < 0 || wrongLength || u.size >= 0 && offset > u.size {
		return fmt.Errorf("the service has %q of %q bytes of this upload", at, length)
	}
	u.offset, u.confirmed = offset, true
	u.noteFileURL(res)
	return u.sum.catchUp(u.source, offset)
}

// send sends what the source has from the offset on (tus 1.0.0, PATCH).
func (u *upload) send(ctx context.Context) error {
	end, last, err := u.source.load(ctx, u.offset)
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	u.moved() // a stream may have had nothing for long
	if last {
		u.size = end
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body := &uploadBody{upload: u, at: u.offset, end: end, watch: time.AfterFunc(u.StallTimeout, cancel)}
	r, err := u.request(ctx, http.MethodPatch, u.url, body)
	if err != nil {
		return err
	}
	r.ContentLength = end - u.offset
	if end == u.offset { // or net/http would send a chunked body
		r.Body = http.NoBody
	}
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	r.Header.Set("Upload-Offset", strconv.FormatInt(u.offset, 10))
	if last && !u.declared {
		r.Header.Set("Upload-Length", strconv.FormatInt(end, 10))
	}
	u.confirmed = false
	res, err := u.do(r)
	if fault := body.close(); fault != nil {
		return fmt.Errorf("read the file: %w", fault)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = temporaryError{err: err} // fetchOffset finds out whether it is gone
	}
	if err != nil {
		return err
	}
	res.Body.Close()
	offset, err := strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset > end || offset <= u.offset && end > u.offset || offset < u.offset {
		return fmt.Errorf("the service answered offset %q to bytes from %d on",
			res.Header.Get("Upload-Offset"), u.offset)
	}
	if err := u.sum.catchUp(u.source, offset); err != nil {
		return err
	}
	u.offset, u.confirmed, u.declared = offset, true, u.declared || last
	u.noteFileURL(res)
	return nil
}

// noteFileURL keeps the file's URL when the upload is complete.
func (u *upload) noteFileURL(res *http.Response) {
	if !u.declared || u.offset < u.size {
		return
	}
	u.fileURL = u.Base + "/" + u.url[strings.LastIndexByte(u.url, '/')+1:]
	if at, err := url.Parse(res.Header.Get("Content-Location")); err == nil && at.IsAbs() {
		u.fileURL = at.String()
	}
}

// verify compares what was stored with what the file holds.
func (u *upload) verify(ctx context.Context) error {
	if err := u.sum.catchUp(u.source, u.size); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	if f, ok := u.source.(fileSource); ok {
		now, err := f.Stat()
		if err != nil || now.Size() != u.info.Size() || !now.ModTime().Equal(u.info.ModTime()) {
			return errors.Join(ErrChanged, err)
		}
	}
	return u.retry(ctx, func() (bool, bool, error) {
		r, err := u.request(ctx, http.MethodHead, u.fileURL, nil)
		if err != nil {
			return false, false, err
		}
		r.Header.Set("Want-Repr-Digest", wantDigest)
		res, err := u.do(r)
		if err != nil {
			return false, false, ofKnown(err)
		}
		res.Body.Close()
		return true, true, u.sum.check(res.Header)
	})
}
