package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"holdfast/file"
)

// DefaultPatience is how long a source may send nothing.
const DefaultPatience = time.Minute

// fetch requests a URL. Reading a body that is cut short, or stands still, is an error.
func (im *Importer) fetch(ctx context.Context, address string) (o openedSource, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer func() {
		if err != nil {
			cancel(err)
		}
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return o, err
	}
	r.Header.Set("Accept-Encoding", "identity") // the bytes of the file, not of its compression
	patience := cmp.Or(im.Patience, DefaultPatience)
	body := &patientBody{patience: patience, cancel: cancel}
	body.watch = time.AfterFunc(patience, body.giveUp)
	res, err := im.client().Do(r)
	body.watch.Stop()
	if err != nil {
		if errors.Is(err, errPrivate) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", file.ErrStorageRead, body.why(ctx, err))
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		err := fmt.Errorf("the source answered %s", res.Status)
		if res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
			err = fmt.Errorf("%w: %w", file.ErrStorageRead, err)
		}
		return o, err
	}
	if encoding := res.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		res.Body.Close()
		return o, fmt.Errorf("the source answered with Content-Encoding %q, which was not asked for", encoding)
	}
	body.ReadCloser, body.ctx = res.Body, ctx
	o.body, o.Size, o.Type = body, res.ContentLength, res.Header.Get("Content-Type")
	o.Modified, _ = http.ParseTime(res.Header.Get("Last-Modified")) // zero: not known
	return o, nil
}

// patientBody is a body that is given up when a read takes longer than patience. The time between reads does not count:
// the store takes the bytes meanwhile.
type patientBody struct {
	io.ReadCloser
	ctx      context.Context
	patience time.Duration
	watch    *time.Timer
	cancel   context.CancelCauseFunc
}

func (b *patientBody) giveUp() {
	b.cancel(fmt.Errorf("the source has sent nothing for %s", b.patience))
}

// why is err, or why ctx was canceled.
func (b *patientBody) why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.watch.Reset(b.patience)
	n, err := b.ReadCloser.Read(p)
	b.watch.Stop()
	if err != nil && err != io.EOF {
		err = b.why(b.ctx, err)
	}
	return n, err
}

func (b *patientBody) Close() error {
	b.watch.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// client returns the HTTP client for sources that are URLs.
func (im *Importer) client() *http.Client {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.http == nil {
		named := http.DefaultTransport.(*http.Transport).Clone()
		if named.Proxy = nil; im.Proxy != nil {
			named.Proxy = func(r *http.Request) (*url.URL, error) { return im.Proxy(r.URL) }
		}
		redirected := named.Clone()
		dialer := &net.Dialer{Timeout: 30 * time.Second, Control: refusePrivate}
		redirected.DialContext = dialer.DialContext
		im.http = &http.Client{Transport: bySource{named, redirected}}
	}
	return im.http
}

// bySource sends requests for URLs of a manifest by one transport, and those to which another host has redirected by
// another one: a host from which somebody imports must not choose what is read from the importer's own network.
type bySource struct{ named, redirected *http.Transport }

func (t bySource) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Response == nil || r.Response.Request.URL.Host == r.URL.Host {
		return t.named.RoundTrip(r)
	}
	if t.named.Proxy != nil { // through a proxy, which decides where it connects to
		if proxy, err := t.named.Proxy(r); proxy != nil || err != nil {
			return t.named.RoundTrip(r)
		}
	}
	return t.redirected.RoundTrip(r)
}

var errPrivate = errors.New("the source redirects to an address that is not public: name that URL in the manifest")

// sharedSpace is the space behind providers' own gateways (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// refusePrivate is a net.Dialer's Control that connects to public addresses only.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if a := to.Addr().Unmap(); !a.IsGlobalUnicast() || a.IsPrivate() || sharedSpace.Contains(a) {
		return fmt.Errorf("%w: %s", errPrivate, a)
	}
	return nil
}
