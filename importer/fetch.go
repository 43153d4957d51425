package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
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
	r, err := http.NewRequestWithContext(context.WithValue(ctx, inside{}, new(bool)), http.MethodGet, address, nil)
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
		im.http = &http.Client{Transport: newBySource(im.Proxy, isPublic)}
	}
	return im.http
}

// bySource sends requests for URLs of a manifest by one transport, and those to which another host has redirected by
// another one: a public host from which somebody imports must not choose what is read from the importer's own network.
// A host in that network may: stores there redirect to their own nodes.
type bySource struct {
	named, redirected *http.Transport
	public            func(netip.Addr) bool
}

func newBySource(proxy func(*url.URL) (*url.URL, error), public func(netip.Addr) bool) bySource {
	t := bySource{named: http.DefaultTransport.(*http.Transport).Clone(), public: public}
	if t.named.Proxy = nil; proxy != nil {
		t.named.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	}
	t.redirected = t.named.Clone()
	dialer := &net.Dialer{Timeout: 30 * time.Second, Control: t.refusePrivate}
	t.redirected.DialContext = dialer.DialContext
	return t
}

// inside is the key of a *bool in a request's context: whether the manifest's URL leads into the importer's own
// network.
type inside struct{}

func (t bySource) RoundTrip(r *http.Request) (*http.Response, error) {
	proxied := false
	if t.named.Proxy != nil {
		proxy, err := t.named.Proxy(r)
		proxied = proxy != nil || err != nil
	}
	own, _ := r.Context().Value(inside{}).(*bool)
	switch {
	case proxied: // the proxy decides where it connects to
		return t.named.RoundTrip(r)
	case r.Response == nil:
		return t.named.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GotConn: func(c httptrace.GotConnInfo) {
				if to, ok := c.Conn.RemoteAddr().(*net.TCPAddr); ok && own != nil {
					*own = !t.public(to.AddrPort().Addr())
				}
			}})))
	case own != nil && *own || r.Response.Request.URL.Host == r.URL.Host:
		return t.named.RoundTrip(r)
	}
	return t.redirected.RoundTrip(r)
}

var errPrivate = errors.New("the source redirects to an address that is not public: name that URL in the manifest")

// refusePrivate is a net.Dialer's Control that connects to public addresses only.
func (t bySource) refusePrivate(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err == nil && !t.public(to.Addr()) {
		err = fmt.Errorf("%w: %s", errPrivate, to.Addr())
	}
	return err
}

// sharedSpace is the space behind providers' own gateways (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedSpace.Contains(a)
}
