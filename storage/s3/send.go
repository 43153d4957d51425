package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdfast/file"
	"holdfast/storage"
)

// The SDK copies a body through buffers of 32 KiB, and a small one costs it more than the bytes do. Bodies in memory
// (storage.InMemory) are therefore sent over plain HTTP/1.1, on the connections of reader: one signature, the CRC32 as
// a header, and header and bytes in one system call (writev). Callers see no difference: errors (RequestSendError
// without an answer, ResponseError with one), retries and time limits are the SDK's.

const (
	// stallLooks is how many write deadlines make limits.stallWrite: at each it is checked whether bytes were taken.
	stallLooks = 4
	// lastWords is how long an answer is waited for after the connection has refused more bytes.
	lastWords = time.Second
	// maxInterim is how many interim answers (1xx) may come before the answer.
	maxInterim = 5
)

// outgoing is a request whose body is in memory.
type outgoing struct {
	at     file.Location
	query  url.Values
	header http.Header
	pieces [][]byte
	size   int64
}

// outgoing returns a request for a body; false: the SDK has to send it.
func (c *Client) outgoing(at file.Location, body io.ReadSeeker, size int64) (o outgoing, ok bool) {
	m, ok := body.(storage.InMemory)
	if !ok || c.reader == nil {
		return o, false
	}
	pieces, ok := m.Pieces()
	o = outgoing{at: at, header: http.Header{}, pieces: pieces}
	crc := crc32.NewIEEE()
	for _, p := range pieces {
		o.size += int64(len(p))
		crc.Write(p)
	}
	if !c.quirks.NoChecksums {
		o.header.Set("X-Amz-Checksum-Crc32", base64.StdEncoding.EncodeToString(crc.Sum(nil)))
	}
	hash := "UNSIGNED-PAYLOAD"
	if c.signing != Unsigned {
		hash = hashOf(pieces)
	}
	o.header.Set("X-Amz-Content-Sha256", hash)
	return o, ok && o.size == size
}

func hashOf(pieces [][]byte) string {
	sum := sha256.New()
	for _, p := range pieces {
		sum.Write(p)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// send makes a call, with its retries, and returns the header of the answer.
func (c *Client) send(ctx context.Context, operation string, o outgoing) (answer http.Header, err error) {
	ctx, end := c.Begin(ctx, operation)
	defer func() { end(err) }()
	for try := 1; ; try++ {
		answer, err = c.reader.put(ctx, c.limits, o)
		if err == nil || try == maxTries || ctx.Err() != nil || !c.retryer.IsErrorRetryable(err) {
			return answer, err
		}
		wait, unknown := c.retryer.RetryDelay(try, err)
		if unknown != nil || sleep(ctx, wait) != nil {
			return nil, err
		}
		c.Retried(operation, 1)
	}
}

// put makes one attempt.
func (r *reader) put(ctx context.Context, l limits, o outgoing) (http.Header, error) {
	req := r.request(http.MethodPut, o.at)
	req.URL.RawQuery, req.Header, req.ContentLength = o.query.Encode(), o.header.Clone(), o.size
	hash := req.Header.Get("X-Amz-Content-Sha256")
	if err := r.signer.SignHTTP(ctx, r.keys, req, hash, "s3", r.region, time.Now()); err != nil {
		return nil, err
	}
	head := headOf(req)
	w, res, err := r.wires.ask(ctx, func(w *wire) (*http.Response, error) {
		return w.put(req, append(net.Buffers{head}, o.pieces...), l)
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil, &smithyhttp.RequestSendError{Err: err}
	}
	if res.StatusCode != http.StatusOK || w.unsent {
		err := refused(res)
		w.drop() // the body may not have been read to its end
		return nil, err
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxErrorBody)); err != nil || n == maxErrorBody ||
		res.Close {
		w.drop() // the answer is complete without the rest
	} else {
		w.give()
	}
	return res.Header, nil
}

// headOf is a request up to its body.
func headOf(req *http.Request) []byte {
	var b bytes.Buffer
	b.WriteString(req.Method + " " + req.URL.RequestURI() + " HTTP/1.1\r\nHost: " + req.Host +
		"\r\nUser-Agent: holdfast\r\n" +
		"Content-Length: " + strconv.FormatInt(req.ContentLength, 10) + "\r\n")
	_ = req.Header.Write(&b) // a Buffer takes all bytes
	b.WriteString("\r\n")
	return b.Bytes()
}

// put sends a request and reads the header of the answer. A store may answer before it has all bytes: the rest is not
// sent then.
func (w *wire) put(req *http.Request, all net.Buffers, l limits) (res *http.Response, err error) {
	w.SetDeadline(time.Time{})
	w.unsent = false
	answered, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		res, err = w.answer(req)
		close(answered)
		w.SetWriteDeadline(time.Unix(1, 0))
	}()
	sent := w.push(all, answered, l.stallWrite)
	w.unsent = sent != nil
	wait := l.stallRead
	if sent != nil {
		wait = lastWords
	}
	w.wait(wait)
	<-over
	if err == nil {
		w.wait(l.stallRead) // for the rest of the answer
		return res, nil
	}
	if sent != nil {
		err = sent
	}
	return nil, err
}

// answer reads the header of the answer, behind interim ones.
func (w *wire) answer(req *http.Request) (*http.Response, error) {
	for range maxInterim + 1 {
		res, err := http.ReadResponse(w.in, req)
		if err != nil || res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			return res, err
		}
	}
	return nil, fmt.Errorf("more than %d interim answers", maxInterim)
}

// push writes all bytes, unless an answer comes before. It fails with os.ErrDeadlineExceeded if the store takes nothing
// for as long as stall; a slow one may take any time.
func (w *wire) push(all net.Buffers, answered <-chan struct{}, stall time.Duration) error {
	for idle := 0; ; {
		w.SetWriteDeadline(time.Now().Add(stall / stallLooks))
		// An answer, or the end of ctx, sets a deadline in the past. If that was before the line above, it is seen here.
		select {
		case <-answered:
			return errAnswered
		case <-w.ctx.Done():
			return w.ctx.Err()
		default:
		}
		n, err := all.WriteTo(w.Conn)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if idle++; n > 0 {
			idle = 0
		}
		if idle == stallLooks {
			return err
		}
	}
}

var errAnswered = errors.New("the store answered before it had all bytes")
