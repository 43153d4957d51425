// Package parts is a client of Holdfast's direct uploads: it has URLs signed for the parts of a file, sends them to the
// store, and has the service complete the upload. It checks every answer.
package parts

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/bench/tus"
)

const (
	atOnce = 5  // parts that are sent at the same time, as by the SDK
	batch  = 16 // parts for which URLs are asked at once
)

// ErrWrong says that a server did not do what its answer says.
var ErrWrong = errors.New("wrong")

// Client sends files in parts. It may be used by several goroutines.
type Client struct {
	files string // URL of the files, with a slash at its end
	token string
	http  *http.Client
}

// New returns a client of the service with this URL of its files.
func New(files, token string) *Client {
	return &Client{files: files, token: token, http: &http.Client{Timeout: 5 * time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 2 * atOnce, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}}}
}

// Upload is an upload that was begun.
type Upload struct {
	ID       string `json:"id"`
	PartSize int64  `json:"part_size"` // bytes of every part but the last
	Parts    int64  `json:"parts"`
}

// Begin begins an upload of size bytes; sha256, in hex, may be empty.
func (c *Client) Begin(ctx context.Context, size int64, sha256 string) (u Upload, err error) {
	err = c.ask(ctx, "direct/", http.StatusCreated, map[string]any{"name": "bench.bin", "size": size, "sha256": sha256,
		"checksum": "crc32"}, &u)
	return u, err
}

// signed is a request that stores one part.
type signed struct {
	Number int64             `json:"number"`
	URL    string            `json:"url"`
	Header map[string]string `json:"headers"`
}

// Send sends all parts of an upload, with their CRC32.
func (c *Client) Send(ctx context.Context, u Upload, content tus.Content, size int64) error {
	section := func(number int64) *tus.Section {
		at := (number - 1) * u.PartSize
		return content.Section(at, min(u.PartSize, size-at))
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for first := int64(1); first <= u.Parts && ctx.Err() == nil; first += batch {
		var wanted []map[string]any
		for n := first; n < first+batch && n <= u.Parts; n++ {
			sum := crc32.NewIEEE()
			if _, err := section(n).WriteTo(sum); err != nil {
				return err
			}
			text := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
			wanted = append(wanted, map[string]any{"number": n, "crc32": text})
		}
		var answer struct {
			Parts []signed `json:"parts"`
		}
		if err := c.ask(ctx, "direct/"+u.ID+"/parts", http.StatusOK, map[string]any{"parts": wanted}, &answer); err != nil {
			return errors.Join(err, g.Wait())
		}
		for _, p := range answer.Parts {
			g.Go(func() error { return c.put(ctx, p, section(p.Number)) })
		}
	}
	return g.Wait()
}

func (c *Client) put(ctx context.Context, p signed, body *tus.Section) error {
	size := body.Len()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, p.URL, io.NopCloser(body))
	if err != nil {
		return err
	}
	r.ContentLength = size
	for name, value := range p.Header {
		r.Header.Set(name, value)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("part %d: %w", p.Number, err)
	}
	return finish(resp, http.StatusOK, nil)
}

// Complete makes an upload a file, and waits until it is one.
func (c *Client) Complete(ctx context.Context, u Upload) error {
	return c.ask(ctx, "direct/"+u.ID+"/complete", http.StatusCreated, map[string]any{}, nil)
}

// Digest returns the Repr-Digest of a file; empty while its SHA-256 is not known.
func (c *Client) Digest(ctx context.Context, u Upload) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, c.files+u.ID, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(r)
	if err != nil {
		return "", err
	}
	return resp.Header.Get("Repr-Digest"), finish(resp, http.StatusOK, nil)
}

// ask sends a request of JSON to the service, and reads the answer.
func (c *Client) ask(ctx context.Context, path string, want int, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.files+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	return finish(resp, want, into)
}

// finish reads an answer to its end.
func finish(resp *http.Response, want int, into any) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer: %w", err)
	case resp.StatusCode != want:
		return fmt.Errorf("%w: answer %s instead of %d: %.500s", ErrWrong, resp.Status, want, text)
	case into != nil:
		return json.Unmarshal(text, into)
	}
	return nil
}
