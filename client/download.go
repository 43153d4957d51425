package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// download is one download in progress.
type download struct {
	*Client
	flow
	url      string
	out      sink
	size     int64 // bytes; -1: the service does not say
	etag     string
	reported int64 // to Progress
	sum      *digest
}

// sink is where the bytes go. Write appends to those that came before.
type sink interface {
	io.Writer
	// restart discards what was written.
	restart() error
}

type streamSink struct {
	io.Writer
	written bool
}

func (s *streamSink) Write(p []byte) (int, error) {
	s.written = true
	return s.Writer.Write(p)
}

func (s *streamSink) restart() error {
	if s.written {
		return errors.New("standard output can't be rewound")
	}
	return nil
}

// localError is an error of this machine, which retrying the request can't fix.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

// Download fetches a file and returns its path. What an interrupted download has fetched stays in PATH.part for the
// next try, and its ETag in PATH.part.etag. Other files of these names are kept: the download fails.
func (c *Client) Download(ctx context.Context, from string, to Target) (string, error) {
	d := &download{Client: c, url: from, sum: newDigest()}
	head, err := d.headWithRetries(ctx)
	var path string
	if err == nil {
		path, err = to.path(from, head)
	}
	if err == nil {
		err = d.fetch(ctx, path, to, head)
	}
	if err != nil {
		return "", fmt.Errorf("download %s: %w", from, err)
	}
	return path, nil
}

// Stream writes a file to w as its bytes come, over as many connections as that takes. If the SHA-256 turns out to be
// wrong, w has received all bytes already.
func (c *Client) Stream(ctx context.Context, from string, w io.Writer) error {
	d := &download{Client: c, url: from, sum: newDigest(), out: &streamSink{Writer: w}}
	head, err := d.headWithRetries(ctx)
	if err == nil {
		d.etag = strongETag(head)
		err = d.transfer(ctx, &d.flow, func() (bool, bool, error) { return d.step(ctx) })
	}
	if err == nil {
		err = d.sum.check(head)
	}
	if err != nil {
		return fmt.Errorf("download %s: %w", from, err)
	}
	return nil
}

func (d *download) headWithRetries(ctx context.Context) (head http.Header, err error) {
	err = d.retry(ctx, func() (bool, bool, error) {
		var err error
		head, err = d.head(ctx)
		return true, false, err
	})
	return head, err
}

// head asks for the file's size, ETag, digest and name.
func (d *download) head(ctx context.Context) (http.Header, error) {
	r, err := d.request(ctx, http.MethodHead, d.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Want-Repr-Digest", wantDigest)
	res, err := d.do(r)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("an answer of %s", res.Status)
	}
	d.size = res.ContentLength
	return res.Header, nil
}

// strongETag returns the ETag, or nothing for a weak one, which does not identify bytes (RFC 9110, 8.8.1).
func strongETag(h http.Header) string {
	if tag := h.Get("ETag"); !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return ""
}

// fetch downloads the file to path.
func (d *download) fetch(ctx context.Context, path string, to Target, head http.Header) error {
	if to.Begin != nil {
		if err := to.Begin(ctx, path, partPath(path)); err != nil {
			return err
		}
	}
	p, err := openPartial(path, to)
	if err != nil {
		return err
	}
	// Closed last: the lock is to last until the file has its name.
	defer p.Close()
	d.out = p
	if err := d.resume(p, head); err != nil {
		return err
	}
	if err := d.transfer(ctx, &d.flow, func() (bool, bool, error) { return d.step(ctx) }); err != nil {
		return err
	}
	if err := errors.Join(p.Sync(), p.check(d.sum.at)); err != nil {
		return err
	}
	if err := d.sum.check(head); err != nil {
		// Nothing of it can be trusted, so there is nothing to resume.
		return errors.Join(err, p.discard())
	}
	// Again: the download may have taken hours.
	if err := to.check(path); err != nil {
		return err
	}
	return p.complete()
}

// resume keeps what an earlier download of the same file left in p.
func (d *download) resume(p *partial, head http.Header) error {
	d.etag = strongETag(head)
	info, err := p.Stat()
	if err != nil {
		return err
	}
	if d.etag == "" || p.etag != d.etag || info.Size() > d.size {
		return p.begin(d.etag)
	}
	if err := d.sum.catchUp(p, info.Size()); err != nil {
		return err
	}
	d.report()
	_, err = p.Seek(0, io.SeekEnd)
	return err
}

func (d *download) report() {
	d.Progress(d.sum.at - d.reported)
	d.reported = d.sum.at
}

// step requests the bytes that are missing, and writes them.
func (d *download) step(ctx context.Context) (done, progress bool, err error) {
	from := d.sum.at
	if from == d.size {
		return true, true, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := d.get(ctx, from)
	if err != nil {
		return false, false, err
	}
	defer res.Body.Close()
	watch := time.AfterFunc(d.StallTimeout, cancel)
	defer watch.Stop()
	body := io.Reader(res.Body)
	if d.size >= 0 {
		body = io.LimitReader(body, d.size-from)
	}
	err = d.receive(body, func() { watch.Reset(d.StallTimeout); d.moved() })
	progress = d.sum.at > from
	if err == nil && d.sum.at < d.size && (!progress || d.etag == "") {
		err = errors.New("the answer ended early")
	}
	switch {
	case errors.As(err, new(localError)):
		return false, progress, err
	case err != nil && d.etag == "": // without a strong ETag there is no resuming
		if restart := d.restart(); restart != nil {
			return false, progress, errors.Join(restart, err)
		}
		return false, false, temporaryError{err: err}
	case err != nil:
		return false, progress, temporaryError{err: err}
	}
	return d.size < 0 || d.sum.at == d.size, progress, nil
}

// get requests the file's bytes from an offset on.
func (d *download) get(ctx context.Context, from int64) (*http.Response, error) {
	r, err := d.request(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		r.Header.Set("If-Match", d.etag)
	}
	res, err := d.do(r)
	if err != nil {
		return nil, ofKnown(err)
	}
	got := res.Header.Get("Content-Range")
	switch {
	case from == 0 && res.StatusCode == http.StatusOK:
	case res.StatusCode == http.StatusPartialContent && strings.HasPrefix(got, fmt.Sprintf("bytes %d-", from)):
	default:
		res.Body.Close()
		return nil, fmt.Errorf("status %s with %s for a request from byte %d on", res.Status, got, from)
	}
	if tag := res.Header.Get("ETag"); d.etag != "" && tag != d.etag {
		res.Body.Close()
		return nil, fmt.Errorf("the file was replaced meanwhile: %w", ErrDigest)
	}
	return res, nil
}

// receive appends body to what was written before. It calls came after every read.
func (d *download) receive(body io.Reader, came func()) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			came()
			if _, err := d.out.Write(buf[:n]); err != nil {
				return localError{err}
			}
			d.sum.add(buf[:n], d.sum.at)
			d.report()
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// restart discards what came.
func (d *download) restart() error {
	d.sum = newDigest()
	d.report()
	return d.out.restart()
}
