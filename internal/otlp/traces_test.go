package otlp

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// received is a collector by both protocols, each in Google's or OpenTelemetry's own code.
type received struct {
	collector.UnimplementedTraceServiceServer
	asked  atomic.Int32
	refuse func(n int32) error // of gRPC
	last   *collector.ExportTraceServiceRequest
	token  string
	answer *collector.ExportTraceServiceResponse
}

func (c *received) Export(ctx context.Context,
	r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	if c.refuse != nil {
		if err := c.refuse(c.asked.Add(1)); err != nil {
			return nil, err
		}
	}
	m, _ := metadata.FromIncomingContext(ctx)
	c.last, c.token = r, strings.Join(m.Get("x-token"), "")
	return c.answer, nil
}

func (c *received) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		from, _ = gzip.NewReader(r.Body)
	}
	body, err := io.ReadAll(from)
	c.last, c.token = &collector.ExportTraceServiceRequest{}, r.Header.Get("X-Token")
	if err != nil || proto.Unmarshal(body, c.last) != nil || r.URL.Path != "/v1/traces" ||
		r.Header.Get("Content-Type") != "application/x-protobuf" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b, _ := proto.Marshal(c.answer)
	w.Write(b)
}

// start serves both, and returns their addresses.
func (c *received) start(t *testing.T) (http, rpc string) {
	t.Helper()
	c.answer = &collector.ExportTraceServiceResponse{}
	web := httptest.NewServer(c)
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return web.URL + "/v1/traces", "http://" + l.Addr().String() + "/ignored"
}

// send sends one span.
func send(t *testing.T, o Options) error {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	e, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown(t.Context())
	return e.ExportSpans(t.Context(), []sdk.ReadOnlySpan{tracetest.SpanStub{Name: "a span"}.Snapshot()})
}

func TestBothProtocols(t *testing.T) {
	c := &received{}
	web, rpc := c.start(t)
	for _, zip := range []bool{false, true} {
		for _, o := range []Options{{Endpoint: web}, {Endpoint: rpc, GRPC: true}} {
			o.Gzip, o.Headers, c.last = zip, map[string]string{"X-Token": "secret"}, nil
			if err := send(t, o); err != nil {
				t.Errorf("%+v: %v", o, err)
				continue
			}
			if got := c.last.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0].GetName(); got != "a span" ||
				c.token != "secret" {
				t.Errorf("%+v: %q %q", o, got, c.token)
			}
			c.answer = &collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{
				RejectedSpans: 7, ErrorMessage: "too old"}}
			if err := send(t, o); err == nil || !strings.Contains(err.Error(), "7 spans: too old") {
				t.Errorf("%+v: %v", o, err)
			}
			c.answer = &collector.ExportTraceServiceResponse{}
		}
	}
}

// What is refused for now is sent again, other things are not.
func TestRefusals(t *testing.T) {
	for code, again := range map[int]bool{503: true, 429: true, 502: true, 400: false, 401: false, 500: false,
		307: false} {
		asked := 0
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 1 {
				w.WriteHeader(code)
			}
		}))
		if err := send(t, Options{Endpoint: web.URL}); (err == nil) != again || again != (asked == 2) {
			t.Errorf("%d: asked %d times, %v", code, asked, err)
		}
		web.Close()
	}
	for code, again := range map[codes.Code]bool{codes.Unavailable: true, codes.DataLoss: true,
		codes.Unauthenticated: false,
		codes.Unimplemented:   false} {
		c := &received{refuse: func(n int32) error {
			if n == 1 {
				return status.Error(code, "not now")
			}
			return nil
		}}
		_, rpc := c.start(t)
		if err := send(t, Options{Endpoint: rpc, GRPC: true}); (err == nil) != again || again != (c.asked.Load() == 2) {
			t.Errorf("%s: asked %d times, %v", code, c.asked.Load(), err)
		}
	}
}

// A collector that never answers, or is no collector, ends in an error within the time-out.
func TestNoCollector(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	c := &received{}
	web, _ := c.start(t)
	for _, o := range []Options{{Endpoint: "http://" + mute.Addr().String()},
		{Endpoint: "http://" + mute.Addr().String(), GRPC: true}, {Endpoint: "http://127.0.0.1:1", GRPC: true}} {
		o.Timeout = 100 * time.Millisecond
		if err := send(t, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	if err := send(t, Options{Endpoint: web, GRPC: true, Timeout: 100 * time.Millisecond}); err == nil {
		t.Error("HTTP/1.1 was taken for gRPC")
	}
}

// The collector's certificate is checked, by the authorities that are given.
func TestTLS(t *testing.T) {
	c := &received{answer: &collector.ExportTraceServiceResponse{}}
	web := httptest.NewTLSServer(c)
	defer web.Close()
	var unknown x509.UnknownAuthorityError
	o := Options{Endpoint: web.URL + "/v1/traces", Timeout: 200 * time.Millisecond}
	if err := send(t, o); !errors.As(err, &unknown) && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	o.TLS, o.Timeout = &tls.Config{RootCAs: x509.NewCertPool()}, time.Minute
	o.TLS.RootCAs.AddCert(web.Certificate())
	if err := send(t, o); err != nil {
		t.Error(err)
	}
}
