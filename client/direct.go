package client

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/internal/regular"
)

// ErrNoDirect means that the service takes no parts for its store. Use Upload.
var ErrNoDirect = errors.New("the service takes no direct uploads")

// directParallel is how many parts are sent at the same time.
const directParallel = 4

// directUpload is one upload whose parts go to the store.
type directUpload struct {
	*Client
	flow
	path     string
	info     fs.FileInfo
	source   fileSource
	sum      *digest
	url      string // of the upload; empty before it is begun
	partSize int64  // bytes
	sums     bool   // each part comes with its CRC32
	missing  []int64
	known    bool // missing is what the service said last
	doubt    doubt
	begun    int // how often, by this call
	reported int64
	fileURL  string
}

// UploadDirect sends a file to the service's store, part by part, and returns its URL. The service compares it with its
// SHA-256 before it is a file. ErrNoDirect if the service takes no such uploads, or the file is empty.
func (c *Client) UploadDirect(ctx context.Context, path string) (string, error) {
	f, info, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info.Size() == 0 {
		return "", fmt.Errorf("upload %s: %w of empty files", path, ErrNoDirect)
	}
	u := &directUpload{Client: c, path: path, info: info, source: fileSource{f, info.Size()}, sum: newDigest()}
	u.url = c.URLs.find(u.endpoint(), path, info)
	if err := u.run(ctx); err != nil {
		return "", fmt.Errorf("upload %s: %w", path, err)
	}
	c.warn(c.URLs.remove(u.endpoint(), path, info))
	return u.fileURL, nil
}

// endpoint is where direct uploads begin, without a trailing slash.
func (u *directUpload) endpoint() string { return u.Base + "/direct" }

func (u *directUpload) run(ctx context.Context) error {
	if err := u.capabilities(ctx); err != nil {
		return err
	}
	if err := u.sum.catchUp(u.source, u.info.Size()); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	return u.transfer(ctx, &u.flow, func() (bool, bool, error) {
		before, asks := u.reported, !u.known // and does nothing else
		err := u.step(ctx)
		gone, err := u.isOver(ctx, asks, err)
		if gone {
			u.url, u.known = "", false // begin it again
			u.warn(u.URLs.remove(u.endpoint(), u.path, u.info))
			err = nil
		}
		return u.fileURL != "", u.reported > before, err
	})
}

// isOver decides by the error of a step whether the upload is no more, or another user's. Its state is what tells.
func (u *directUpload) isOver(ctx context.Context, asked bool, err error) (bool, error) {
	switch {
	case u.url == "":
		return false, err
	case !asked:
		return isGone(err), ofKnown(err)
	case isForeign(err):
		return true, nil
	}
	return u.doubt.gone(ctx, u.Client, err)
}

// capabilities asks whether the service takes direct uploads.
func (u *directUpload) capabilities(ctx context.Context) error {
	return u.retry(ctx, func() (bool, bool, error) {
		err := u.once(ctx, http.MethodGet, u.endpoint()+"/", nil, nil)
		if u.url == "" && errors.Is(err, fs.ErrNotExist) || isGone(err) {
			err = ErrNoDirect
		}
		return true, false, ofKnown(err)
	})
}

// step sends the next requests.
func (u *directUpload) step(ctx context.Context) error {
	switch {
	case u.url == "":
		return u.begin(ctx)
	case !u.known:
		return u.readStatus(ctx)
	case len(u.missing) > 0:
		return u.send(ctx)
	}
	return u.complete(ctx)
}

// begin begins the upload.
func (u *directUpload) begin(ctx context.Context) error {
	const most = 3 // a service that loses uploads at once will lose the next one, too
	if u.begun == most {
		return errors.New("the service forgets uploads that it has just begun, or refuses what is in them")
	}
	var answer struct{ ID string }
	err := u.once(ctx, http.MethodPost, u.endpoint()+"/", map[string]any{"name": filepath.Base(u.path),
		"type": mime.TypeByExtension(filepath.Ext(u.path)), "size": u.info.Size(),
		"sha256": hex.EncodeToString(u.sum.Sum(nil)), "checksum": "crc32"}, &answer)
	if err != nil {
		return err
	}
	u.begun++
	u.url = u.endpoint() + "/" + url.PathEscape(answer.ID)
	u.warn(u.URLs.save(u.endpoint(), u.path, u.info, u.url))
	return nil
}

// readStatus asks which parts the store has.
func (u *directUpload) readStatus(ctx context.Context) error {
	var state struct {
		PartSize int64 `json:"part_size"`
		Parts    int64
		State    string
		Checksum string
		Sent     []struct{ Number, Size int64 }
	}
	if err := u.once(ctx, http.MethodGet, u.url, nil, &state); err != nil {
		return err
	}
	if state.PartSize < 1 || (u.info.Size()+state.PartSize-1)/state.PartSize != state.Parts {
		return fmt.Errorf("the service has %d parts of %d bytes for a file of %d", state.Parts, state.PartSize, u.info.Size())
	}
	u.partSize, u.sums, u.missing, u.known = state.PartSize, state.Checksum != "", nil, true
	there, bytes := map[int64]bool{}, int64(0)
	for _, p := range state.Sent {
		if there[p.Number] = p.Size == u.size(p.Number); there[p.Number] {
			bytes += p.Size
		}
	}
	for n := int64(1); n <= state.Parts && state.State == "open"; n++ {
		if !there[n] {
			u.missing = append(u.missing, n)
		}
	}
	if len(u.missing) == 0 {
		bytes = u.info.Size()
	}
	u.Progress(bytes - u.reported)
	u.reported = bytes
	return nil
}

// size is the size of a part, in bytes.
func (u *directUpload) size(number int64) int64 {
	return min(u.partSize, u.info.Size()-(number-1)*u.partSize)
}

// signedPut is a request that stores a part.
type signedPut struct {
	Number  int64
	URL     string
	Headers map[string]string
}

// wantedPart is a part for which the service makes a URL.
type wantedPart struct {
	Number int64  `json:"number"`
	CRC32  string `json:"crc32,omitempty"` // in base64
}

func (u *directUpload) want(number int64) (w wantedPart, err error) {
	w.Number = number
	if u.sums {
		h := crc32.NewIEEE()
		if _, err = io.Copy(h, io.NewSectionReader(u.source, (number-1)*u.partSize, u.size(number))); err != nil {
			return w, fmt.Errorf("read the file: %w", err)
		}
		w.CRC32 = base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return w, nil
}

// send sends the next few parts that are missing.
func (u *directUpload) send(ctx context.Context) error {
	const batch = 2 * directParallel
	var wanted []wantedPart
	for _, n := range u.missing[:min(batch, len(u.missing))] {
		w, err := u.want(n)
		if err != nil {
			return err
		}
		wanted = append(wanted, w)
	}
	u.moved()       // reading may have taken long
	u.known = false // unless all goes well
	var answer struct{ Parts []signedPut }
	if err := u.once(ctx, http.MethodPost, u.url+"/parts", map[string]any{"parts": wanted}, &answer); err != nil {
		return err
	}
	group, failing := errgroup.WithContext(ctx)
	group.SetLimit(directParallel)
	sent := int64(0)
	for _, p := range answer.Parts {
		sent += u.size(p.Number)
		group.Go(func() error {
			if failing.Err() != nil {
				return nil // only the parts that are under way are sent
			}
			return u.put(ctx, p)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	u.missing, u.known = u.missing[len(wanted):], true
	u.Progress(sent)
	u.reported += sent
	return nil
}

// put sends a part to the store. Its errors do not have the URL, which is as good as a token for that part.
func (u *directUpload) put(ctx context.Context, p signedPut) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stalled := time.AfterFunc(u.StallTimeout, cancel)
	defer stalled.Stop()
	size := u.size(p.Number)
	body := &watchedReader{io.NewSectionReader(u.source, (p.Number-1)*u.partSize, size),
		func() { stalled.Reset(u.StallTimeout); u.moved() }}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, p.URL, body)
	if err != nil {
		return errors.New("the service's URL for a part can't be read")
	}
	r.ContentLength = size
	for name, value := range p.Headers {
		r.Header.Set(name, value)
	}
	res, err := u.HTTP.Do(r)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		if errors.Is(err, ErrChanged) {
			return fmt.Errorf("read the file: %w", err)
		}
		return temporaryError{err: fmt.Errorf("send part %d to the store: %w", p.Number, err)}
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return temporaryError{err: fmt.Errorf("send part %d: the store answered %s", p.Number, res.Status)}
	}
	return nil
}

// watchedReader tells whoever watches that bytes are read.
type watchedReader struct {
	io.Reader
	moved func()
}

func (w *watchedReader) Read(p []byte) (int, error) { w.moved(); return w.Reader.Read(p) }

// complete has the service make a file of the parts.
func (u *directUpload) complete(ctx context.Context) error {
	if now, err := u.source.Stat(); err != nil || now.Size() != u.info.Size() || !now.ModTime().Equal(u.info.ModTime()) {
		return errors.Join(ErrChanged, err)
	}
	u.known = false // parts that are missing are found out
	var answer struct {
		URL   string `json:"public_url"`
		State string
	}
	if err := u.once(ctx, http.MethodPost, u.url+"/complete", nil, &answer); err != nil {
		return err
	}
	if answer.URL == "" { // the content is still being looked at
		u.known = true
		return temporaryError{err: errors.New("the service still completes the upload"), after: time.Second}
	}
	u.fileURL = answer.URL
	return nil
}
