package s3

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/encoding/httpbinding"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/cenkalti/backoff/v5"

	"holdfast/file"
)

// For a short range of a file the SDK costs more processor time than the bytes. So downloads sign GetObject with the
// SDK's signer and speak HTTP/1.1 over connections of their own, with a small buffer for headers only.

const (
	// readAttempts is how often a read is attempted.
	readAttempts = 3
	// maxErrorBody is how much of an error's body is read, in bytes.
	maxErrorBody = 64 << 10
)

// emptyHash is the SHA-256 of an empty body, in hex, for the signature.
var emptyHash = hex.EncodeToString(sha256.New().Sum(nil))

// reader fetches ranges of objects over plain HTTP.
type reader struct {
	base   *url.URL
	region string
	keys   aws.Credentials
	signer *v4.Signer
	wires  wires
}

// newReader returns nil if the SDK has to read: from AWS, whose addresses it knows, over TLS, and through a proxy.
func newReader(o Options) *reader {
	base, err := url.Parse(o.Endpoint)
	if err != nil || base.Scheme != "http" {
		return nil
	}
	if proxy, err := o.Proxy(base); proxy != nil || err != nil {
		return nil
	}
	address := base.Host
	if base.Port() == "" {
		address = net.JoinHostPort(base.Hostname(), "80")
	}
	dial := o.dialer()
	return &reader{base: base, region: o.Region,
		keys:   aws.Credentials{AccessKeyID: o.AccessKey, SecretAccessKey: o.SecretKey},
		signer: v4.NewSigner(func(so *v4.SignerOptions) { so.DisableURIPathEscaping = true }), // S3 escapes once
		wires:  wires{dial: func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", address) }}}
}

// Read implements storage.Store.
func (c *Client) Read(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	if c.reader == nil || length == 0 {
		b := &body{client: c, ctx: ctx, at: at, etag: etag, offset: offset, left: length}
		if err := b.open(); err != nil {
			return nil, err
		}
		return once{b}, nil
	}
	called, end := c.Begin(ctx, "GetObject")
	// Randomized: many downloads may lose the store at the same moment.
	delays := &backoff.ExponentialBackOff{InitialInterval: 50 * time.Millisecond, MaxInterval: time.Second,
		RandomizationFactor: backoff.DefaultRandomizationFactor, Multiplier: 2}
	body, err := backoff.Retry(called, func() (io.ReadCloser, error) {
		body, err := c.reader.get(called, at, etag, offset, length)
		if err != nil && !passes(err) {
			err = backoff.Permanent(err)
		}
		return body, err
	}, backoff.WithBackOff(delays), backoff.WithMaxTries(readAttempts), backoff.WithNotify(func(error, time.Duration) {
		c.Retried("GetObject", 1)
	}))
	end(err)
	if err != nil {
		return nil, wrap(file.ErrStorageRead, "read object", err)
	}
	return body, nil
}

// passes reports whether a retry may help. An answer about the request itself would be the same again.
func passes(err error) bool {
	s := status(err)
	return !errors.Is(err, file.ErrObjectChanged) && (s == 0 || s >= 500 || s == http.StatusTooManyRequests)
}

// once is a body without continuation: when it breaks it ends.
type once struct{ *body }

func (o once) Read(p []byte) (int, error) { return o.stream.Read(p) }

// get makes one attempt.
func (r *reader) get(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	req := r.request(http.MethodGet, at)
	req.Header.Set("X-Amz-Content-Sha256", emptyHash)
	req.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-"+strconv.FormatInt(offset+length-1, 10))
	if etag != "" {
		req.Header.Set("If-Match", etag)
	}
	if err := r.signer.SignHTTP(ctx, r.keys, req, emptyHash, "s3", r.region, time.Now()); err != nil {
		return nil, err
	}
	w, res, err := r.wires.ask(ctx, func(w *wire) (*http.Response, error) {
		if err := req.Write(w.Conn); err != nil {
			return nil, err
		}
		return http.ReadResponse(w.in, req)
	})
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusPartialContent {
		err := refused(res)
		w.drop() // the body may not have been read to its end
		return nil, err
	}
	begins := "bytes " + strconv.FormatInt(offset, 10) + "-"
	if res.ContentLength != length || !strings.HasPrefix(res.Header.Get("Content-Range"), begins) {
		w.drop()
		return nil, fmt.Errorf("%w: want %d bytes from %d on, %d of %q come", file.ErrObjectChanged, length, offset,
			res.ContentLength, res.Header.Get("Content-Range"))
	}
	return &rangeBody{wire: w, left: length, reuse: !res.Close}, nil
}

func (r *reader) request(method string, at file.Location) *http.Request {
	u := *r.base
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + at.Bucket + "/" + at.Key
	u.RawPath = httpbinding.EscapePath(u.Path, false)
	return &http.Request{Method: method, URL: &u, Host: u.Host, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}}
}

// refused makes an error of an answer, of the same type as the SDK's.
func refused(res *http.Response) error {
	var said struct{ Code, Message string }
	_ = xml.NewDecoder(io.LimitReader(res.Body, maxErrorBody)).Decode(&said) // without a code the status has to do
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: res},
		Err: &smithy.GenericAPIError{Code: said.Code, Message: said.Message}}
}

// rangeBody is the body of an answer. It must be closed.
type rangeBody struct {
	wire  *wire // nil after it was given back
	left  int64 // bytes
	reuse bool
}

func (b *rangeBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.left)]
	begin := b.wire.in.Buffered()
	n, err := b.wire.in.Read(p)
	if n == begin && n < len(p) && err == nil {
		// What came with the header is little. It becomes one piece with what comes next.
		var more int
		more, err = b.wire.Conn.Read(p[n:])
		n += more
	}
	if b.left -= int64(n); b.left > 0 && err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	err = b.wire.why(err)
	b.finish()
	return n, err
}

// finish gives the connection back with the last byte, and not with Close: by then the handler may have ended the
// context, and a connection whose context has ended can't be used again.
func (b *rangeBody) finish() {
	if b.left == 0 {
		b.Close()
	}
}

// Close gives the connection back if the body was read to its end, and closes it otherwise.
func (b *rangeBody) Close() error {
	if b.wire == nil {
		return nil
	}
	w := b.wire
	b.wire = nil
	if b.left == 0 && b.reuse {
		w.give()
	} else {
		w.drop()
	}
	return nil
}

// headerBuffer is the size of the buffer for headers, in bytes. Bodies are read past it.
const headerBuffer = 4 << 10

func newIn(c net.Conn) *bufio.Reader { return bufio.NewReaderSize(c, headerBuffer) }
