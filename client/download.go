package client

import (
	"context"
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
	"time"
)

// Target says where a download goes.
type Target struct {
	// Path is a file's name, a folder in which the file gets the name that the service gives
	// it, or empty for the working folder.
	Path string
	// Overwrite replaces a file that is there.
	Overwrite bool
}

// download is one file on its way here.
type download struct {
	*Client
	url      string
	file     *os.File // NAME.part until it is whole
	size     int64    // bytes; -1: the service does not say
	etag     string   // of what is there so far
	reported int64
	sum      *digest
}

// Download fetches a file and returns where it lies. What a broken one has fetched stays in
// NAME.part, for the next try; its ETag lies beside it in NAME.part.etag.
func (c *Client) Download(ctx context.Context, from string, to Target) (string, error) {
	d := &download{Client: c, url: from, sum: newDigest()}
	var head http.Header
	err := c.retry(ctx, func() (bool, bool, error) {
		var err error
		head, err = d.head(ctx)
		return true, false, err
	})
	var path string
	if err == nil {
		path, err = to.path(from, head)
	}
	if err == nil {
		err = d.fetch(ctx, path, to.Overwrite, head)
	}
	if err != nil {
		return "", fmt.Errorf("download %s: %w", from, err)
	}
	return path, nil
}

// head asks what there is to fetch.
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

// path is the file to write. A name that the service gives may not lead anywhere else.
func (t Target) path(from string, h http.Header) (string, error) {
	if info, err := os.Stat(t.Path); t.Path != "" && (err != nil || !info.IsDir()) {
		return t.Path, nil
	}
	name := ""
	if _, params, err := mime.ParseMediaType(h.Get("Content-Disposition")); err == nil {
		name = params["filename"]
	}
	if u, err := url.Parse(from); err == nil && name == "" {
		name = u.Path
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if name == "" || name == "." || name == ".." || strings.ContainsRune(name, 0) {
		return "", errors.New("the service gives the file no name: say one")
	}
	return filepath.Join(t.Path, name), nil
}

// fetch brings the file to path.
func (d *download) fetch(ctx context.Context, path string, overwrite bool, head http.Header) error {
	if _, err := os.Lstat(path); err == nil && !overwrite {
		return &fs.PathError{Op: "write", Path: path, Err: ErrExists}
	}
	part := path + ".part"
	var err error
	if d.file, err = os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return err
	}
	defer d.file.Close()
	if err := d.resume(part, head); err != nil {
		return err
	}
	if err := d.retry(ctx, func() (bool, bool, error) { return d.step(ctx) }); err != nil {
		return err
	}
	if err := d.sum.check(head); err != nil {
		// Nothing of it can be trusted, so there is nothing to go on with.
		return errors.Join(err, os.Remove(part), os.Remove(part+".etag"))
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return os.Remove(part + ".etag")
}

// resume takes what an earlier download left, if it is of the same file, and notes which file
// this is. A weak tag promises nothing about bytes (RFC 9110, 8.8.1).
func (d *download) resume(part string, head http.Header) error {
	d.etag = head.Get("ETag")
	strong := d.etag != "" && !strings.HasPrefix(d.etag, "W/")
	info, err := d.file.Stat()
	if err != nil {
		return err
	}
	had, err := os.ReadFile(part + ".etag")
	if same := err == nil && strong && string(had) == d.etag; same && info.Size() <= d.size {
		if err := d.sum.catchUp(d.file, info.Size()); err != nil {
			return err
		}
		d.report()
		return nil
	}
	if err := d.file.Truncate(0); err != nil {
		return err
	}
	if !strong {
		d.etag = ""
	}
	return os.WriteFile(part+".etag", []byte(d.etag), 0o666)
}

func (d *download) report() {
	d.Progress(d.sum.at - d.reported)
	d.reported = d.sum.at
}

// step asks for what is missing and writes what comes.
func (d *download) step(ctx context.Context) (done, moved bool, err error) {
	from := d.sum.at
	if from == d.size {
		return true, true, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := d.request(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return false, false, err
	}
	if from > 0 {
		r.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
		r.Header.Set("If-Match", d.etag)
	}
	res, err := d.do(r)
	if err != nil {
		return false, false, err
	}
	defer res.Body.Close()
	switch {
	case from == 0 && res.StatusCode == http.StatusOK:
	case res.StatusCode == http.StatusPartialContent && strings.HasPrefix(res.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from)):
	default:
		return false, false, fmt.Errorf("an answer of %s %s to a request from byte %d on", res.Status, res.Header.Get("Content-Range"), from)
	}
	if tag := res.Header.Get("ETag"); d.etag != "" && tag != d.etag {
		return false, false, fmt.Errorf("the file was replaced meanwhile: %w", ErrDigest)
	}
	watch := time.AfterFunc(d.StallTimeout, cancel)
	defer watch.Stop()
	body := io.Reader(res.Body)
	if d.size >= 0 {
		body = io.LimitReader(body, d.size-from)
	}
	err = d.receive(body, func() { watch.Reset(d.StallTimeout) })
	moved = d.sum.at > from
	if err == nil && !moved && d.size > 0 {
		err = errors.New("an answer without a byte")
	}
	switch {
	case errors.As(err, new(*fs.PathError)): // our disk, not the line
		return false, moved, err
	case err != nil:
		if d.etag == "" { // without a strong tag there is no going on
			err = errors.Join(err, d.restart())
		}
		return false, moved, temporaryError{err: err}
	}
	return d.size < 0 || d.sum.at == d.size, moved, nil
}

// receive writes what comes, behind what is there.
func (d *download) receive(body io.Reader, came func()) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			came()
			if _, err := d.file.WriteAt(buf[:n], d.sum.at); err != nil {
				return err
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

// restart throws away what came.
func (d *download) restart() error {
	d.sum = newDigest()
	d.report()
	return d.file.Truncate(0)
}
