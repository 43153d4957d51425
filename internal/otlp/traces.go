// Package otlp sends spans to an OpenTelemetry collector, by OTLP over HTTP (protobuf) or over gRPC.
//
// OpenTelemetry's own exporters, also the one for HTTP, bring all of google.golang.org/grpc into the program. Of gRPC
// one call is needed here: a POST of HTTP/2 with five bytes before its body. https://opentelemetry.io/docs/specs/otlp/
package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// export is the path of the call by gRPC.
const export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 1 << 20

// Options say where spans are sent, and how.
type Options struct {
	Endpoint string // the URL; with GRPC its path is not used
	GRPC     bool
	Headers  map[string]string // of every request
	Timeout  time.Duration     // for one batch of spans, with its repetitions
	Gzip     bool
	TLS      *tls.Config // nil: the system's roots
	Proxy    func(*url.URL) (*url.URL, error)
}

// pingAfter is how long a connection on which nothing arrives is taken to be alive: then it is tested with a ping.
const pingAfter = 15 * time.Second

// New returns an exporter. It does not connect before there are spans.
func New(ctx context.Context, o Options) (*otlptrace.Exporter, error) {
	t := &http.Transport{TLSClientConfig: o.TLS, Proxy: o.proxy, Protocols: new(http.Protocols),
		IdleConnTimeout: time.Minute, HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter}}
	t.Protocols.SetHTTP2(true)
	if o.GRPC {
		t.Protocols.SetUnencryptedHTTP2(true)
		at, err := url.Parse(o.Endpoint)
		if err != nil {
			return nil, err
		}
		o.Endpoint = at.Scheme + "://" + at.Host + export
	} else {
		t.Protocols.SetHTTP1(true)
	}
	c := &client{options: o, http: &http.Client{Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return otlptrace.New(ctx, c)
}

func (o Options) proxy(r *http.Request) (*url.URL, error) {
	if o.Proxy == nil {
		return nil, nil
	}
	return o.Proxy(r.URL)
}

// client implements otlptrace.Client.
type client struct {
	options Options
	http    *http.Client
}

// Start implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. Errors that may pass are retried within the time-out.
func (c *client) UploadTraces(ctx context.Context, all []*spans.ResourceSpans) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	// The request's message, ExportTraceServiceRequest, has the same one field. Its package would bring gRPC.
	message, err := proto.Marshal(&spans.TracesData{ResourceSpans: all})
	if err != nil {
		return err
	}
	body, err := c.body(message)
	if err != nil {
		return err
	}
	_, err = backoff.Retry(ctx, func() (none struct{}, err error) { return none, c.send(ctx, body) })
	return err
}

// body is a request's body.
func (c *client) body(message []byte) ([]byte, error) {
	if c.options.Gzip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(message)
		if err = errors.Join(err, z.Close()); err != nil {
			return nil, err
		}
		message = b.Bytes()
	}
	if !c.options.GRPC {
		return message, nil
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	if c.options.Gzip {
		frame[0] = 1
	}
	return append(frame, message...), nil
}

// send makes one attempt. Its error is a backoff.PermanentError if another attempt would not help.
func (c *client) send(ctx context.Context, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.options.Endpoint, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(err)
	}
	for name, value := range c.options.Headers {
		r.Header.Set(name, value)
	}
	encoding, media := "Content-Encoding", "application/x-protobuf"
	if c.options.GRPC {
		encoding, media = "Grpc-Encoding", "application/grpc+proto"
		r.Header.Set("TE", "trailers")
	}
	r.Header.Set("Content-Type", media)
	if c.options.Gzip {
		r.Header.Set(encoding, "gzip")
	}
	res, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return refused(res)
	}
	if c.options.GRPC {
		return byStatus(res, answer)
	}
	return partly(answer)
}

// refused is the error for a status of HTTP.
func refused(res *http.Response) error {
	err := fmt.Errorf("the collector answers %s", res.Status)
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if seconds, bad := strconv.Atoi(res.Header.Get("Retry-After")); bad == nil && seconds > 0 {
			return backoff.RetryAfter(seconds)
		}
		return err
	}
	return backoff.Permanent(err)
}

// byStatus is the error for a status of gRPC, which is in the trailers, or in the header if there is no body.
func byStatus(res *http.Response, answer []byte) error {
	from := res.Trailer
	if from.Get("Grpc-Status") == "" {
		from = res.Header
	}
	code, err := strconv.Atoi(from.Get("Grpc-Status"))
	if err != nil {
		return backoff.Permanent(errors.New("the collector's answer is not gRPC's"))
	}
	if code == 0 {
		return partly(unframed(answer))
	}
	err = fmt.Errorf("the collector answers with status %d of gRPC: %s", code, from.Get("Grpc-Message"))
	// Those that OTLP calls retryable: canceled, deadline exceeded, aborted, out of range, unavailable, data loss.
	if slices.Contains([]int{1, 4, 10, 11, 14, 15}, code) {
		return err
	}
	return backoff.Permanent(err)
}

// unframed is the message behind a frame's head: whether it is compressed (servers answer by gzip to gzip), and its
// length. A frame that can't be read has no message: the collector has taken the spans all the same.
func unframed(frame []byte) []byte {
	const head = 5
	if len(frame) < head || frame[0] == 0 {
		return frame[min(head, len(frame)):]
	}
	z, err := gzip.NewReader(bytes.NewReader(frame[head:]))
	if err != nil {
		return nil
	}
	message, err := io.ReadAll(io.LimitReader(z, maxAnswer))
	if err != nil {
		return nil
	}
	return message
}

// partly is an error if the collector has taken the request, but not all spans: field 1 of the answer has their number
// (1) and the reason (2).
func partly(answer []byte) error {
	var rejected uint64
	var why string
	var read func(b []byte, within bool)
	read = func(b []byte, within bool) {
		for len(b) > 0 {
			number, kind, n := protowire.ConsumeTag(b)
			if n < 0 {
				return
			}
			b = b[n:]
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return
			}
			switch {
			case number == 1 && kind == protowire.BytesType && !within:
				message, _ := protowire.ConsumeBytes(b)
				read(message, true)
			case number == 1 && kind == protowire.VarintType && within:
				rejected, _ = protowire.ConsumeVarint(b)
			case number == 2 && kind == protowire.BytesType && within:
				why, _ = protowire.ConsumeString(b)
			}
			b = b[n:]
		}
	}
	read(answer, false)
	if rejected > 0 {
		return backoff.Permanent(fmt.Errorf("the collector has not taken %d spans: %s", rejected, why))
	}
	return nil
}
