package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast/file"
)

const (
	backendTimeout        = 10 * time.Second // for one request, including the wait for a connection
	backendConnectTimeout = 5 * time.Second
	// backendConnections is the maximum of concurrent requests.
	backendConnections = 32
)

// Backend asks the backend, which decides about permissions, about one file at a time.
type Backend struct {
	url     string
	client  *http.Client
	timeout time.Duration
	metrics metrics
}

// NewBackend returns a Backend at the URL base, which has no trailing slash.
func NewBackend(base string) *Backend {
	return &Backend{url: base + "/attachments/check-permission", timeout: backendTimeout, metrics: newMetrics(),
		client: &http.Client{
			// No Jar: cookies from one caller's request must not be sent with another's.
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: backendConnectTimeout}).DialContext,
				TLSHandshakeTimeout: backendConnectTimeout,
				MaxConnsPerHost:     backendConnections, MaxIdleConnsPerHost: backendConnections, IdleConnTimeout: time.Minute,
				MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
			},
			// A redirect must not carry the credential to another server.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
}

// Close ends connections that are not in use.
func (b *Backend) Close() { b.client.CloseIdleConnections() }

// Check asks whether the caller, who, may read a file. A caller without a credential that the
// backend knows is denied.
func (b *Backend) Check(ctx context.Context, who file.Identity, id file.ID) error {
	header, value := who.Credential.Reveal()
	if header == "" {
		return file.ErrDenied
	}
	began := time.Now()
	err := b.ask(ctx, header, value, id)
	b.metrics.durations.Observe(time.Since(began).Seconds())
	if errors.Is(err, file.ErrBackend) && !errors.Is(err, context.Canceled) {
		b.metrics.errors.Inc()
	}
	return err
}

// ask sends the request with this header and value as the credential.
func (b *Backend) ask(ctx context.Context, header, value string, id file.ID) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url,
		strings.NewReader(url.Values{"file_id": {string(id)}}.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set(header, value)
	// This header is for net/http and is not sent: it allows a retry on a new connection if
	// the backend has just closed the idle one.
	r.Header["Idempotency-Key"] = nil
	res, err := b.client.Do(r)
	if err != nil {
		return errUnanswered(err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // an unread body would keep the connection from being reused
	switch res.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return file.ErrDenied
	}
	return fmt.Errorf("ask for permission: %w: answered with %s", file.ErrBackend, res.Status)
}

// errUnanswered returns the error for a request without a response.
func errUnanswered(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("ask for permission: %w: %w", file.ErrBackendTimeout, err)
	}
	return fmt.Errorf("ask for permission: %w: %w", file.ErrBackend, err)
}
