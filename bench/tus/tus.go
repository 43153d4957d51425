// Package tus is a client for the tus protocol (tus 1.0.0) that uses as little processor time as possible, since it
// shares the machine with the servers that it measures. It checks every answer.
package tus

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// ErrWrong says that a server did not do what its answer says.
var ErrWrong = errors.New("wrong")

// Endpoint is where uploads are created.
type Endpoint struct {
	url   *url.URL
	token string
}

// NewEndpoint returns the Endpoint with this URL; token may be empty.
func NewEndpoint(address, token string) (Endpoint, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Endpoint{}, fmt.Errorf("the tus endpoint: %w", err)
	}
	return Endpoint{url: u, token: token}, nil
}

// Dial connects to the server.
func (e Endpoint) Dial(ctx context.Context) (*Conn, error) {
	c, err := Dial(ctx, e.url.Host)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", e.url, err)
	}
	return c, nil
}

func (e Endpoint) do(c *Conn, method, path string, body *Section, want int, header ...string) (http.Header, error) {
	if e.token != "" {
		header = append(header, "Authorization", "Bearer "+e.token)
	}
	h, err := c.do(method, e.url.Host, path, body, want, header...)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return h, nil
}

// metadata names the file bench.bin.
const metadata = "filename YmVuY2guYmlu"

// Create creates an upload of length bytes and returns its path on the server.
func (e Endpoint) Create(c *Conn, length int64) (path string, err error) {
	h, err := e.do(c, http.MethodPost, e.url.Path, nil, http.StatusCreated,
		"Upload-Length", strconv.FormatInt(length, 10), "Upload-Metadata", metadata)
	if err != nil {
		return "", err
	}
	return location(h)
}

// CreateWith creates an upload and sends all of it in the same request (creation-with-upload).
func (e Endpoint) CreateWith(c *Conn, body *Section) (path string, err error) {
	length := body.Len()
	h, err := e.do(c, http.MethodPost, e.url.Path, body, http.StatusCreated,
		"Upload-Length", strconv.FormatInt(length, 10), "Upload-Metadata", metadata)
	if err != nil {
		return "", err
	}
	if err := expect(h, "Upload-Offset", length); err != nil {
		return "", err
	}
	return location(h)
}

// Append sends body at offset with one PATCH.
func (e Endpoint) Append(c *Conn, path string, offset int64, body *Section) error {
	end := offset + body.Len()
	h, err := e.do(c, http.MethodPatch, path, body, http.StatusNoContent, "Upload-Offset", strconv.FormatInt(offset, 10))
	if err != nil {
		return err
	}
	return expect(h, "Upload-Offset", end)
}

// Head requests the offset of an upload, which must be this one.
func (e Endpoint) Head(c *Conn, path string, offset int64) error {
	h, err := e.do(c, http.MethodHead, path, nil, http.StatusOK)
	if err != nil {
		return err
	}
	return expect(h, "Upload-Offset", offset)
}

// Delete terminates an upload, or deletes the file that it became.
func (e Endpoint) Delete(c *Conn, path string) error {
	_, err := e.do(c, http.MethodDelete, path, nil, http.StatusNoContent)
	return err
}

// Get downloads a finished upload and returns its SHA-256 in hex and its length. Both
// servers answer a GET of the upload's own path.
func (e Endpoint) Get(ctx context.Context, path string) (hash string, length int64, err error) {
	address := e.url.Scheme + "://" + e.url.Host + path
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", 0, err
	}
	if e.token != "" {
		r.Header.Set("Authorization", "Bearer "+e.token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", 0, fmt.Errorf("GET %s: answer %s", address, resp.Status)
	}
	h := sha256.New()
	length, err = io.Copy(h, resp.Body)
	if err != nil {
		return "", 0, fmt.Errorf("GET %s: %w", address, err)
	}
	return sum(h), length, nil
}

// location returns the path of the upload that was created. A server may send a whole URL or a path.
func location(h http.Header) (string, error) {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.EscapedPath() == "" {
		return "", fmt.Errorf("%w: Location %q", ErrWrong, h.Get("Location"))
	}
	return u.EscapedPath(), nil
}

func expect(h http.Header, name string, want int64) error {
	if got := h.Get(name); got != strconv.FormatInt(want, 10) {
		return fmt.Errorf("%w: %s is %q, not %d", ErrWrong, name, got, want)
	}
	return nil
}
