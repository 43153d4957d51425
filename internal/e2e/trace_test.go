package e2e

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// spans is an OpenTelemetry collector: it receives OTLP by HTTP and by gRPC, and keeps the spans.
type spans struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	raw   bytes.Buffer // all that came
	spans []*otlp.Span
}

func (c *spans) Export(_ context.Context,
	r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := proto.Marshal(r)
	c.raw.Write(b)
	for _, of := range r.GetResourceSpans() {
		for _, s := range of.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, err
}

// startCollector returns a collector, and the setting that leads to it.
func startCollector(t *testing.T) (*spans, string) {
	c := &spans{}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" ||
			proto.Unmarshal(body, &request) != nil {
			t.Errorf("this is no OTLP: %s %s %v", r.Method, r.URL, r.Header)
			return
		}
		answer, _ := c.Export(r.Context(), &request)
		b, _ := proto.Marshal(answer)
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write(b)
	}))
	t.Cleanup(web.Close)
	return c, "OTEL_EXPORTER_OTLP_ENDPOINT=" + web.URL
}

// of are the spans of one trace: the server's, and its children.
func (c *spans) of(t *testing.T, trace string) (server *otlp.Span, children []string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*otlp.Span{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) == trace {
			all[string(s.GetSpanId())] = s
			if s.GetKind() == otlp.Span_SPAN_KIND_SERVER {
				if server != nil {
					t.Errorf("trace %s has two requests: %s, %s", trace, server.GetName(), s.GetName())
				}
				server = s
			}
		}
	}
	if server == nil {
		t.Fatalf("no request has the trace %s", trace)
	}
	for _, s := range all {
		if s == server {
			continue
		}
		children = append(children, s.GetName())
		if s.GetKind() != otlp.Span_SPAN_KIND_CLIENT || !bytes.Equal(s.GetParentSpanId(), server.GetSpanId()) {
			t.Errorf("%s is not a part of %s: %v", s.GetName(), server.GetName(), s)
		}
		if s.GetStartTimeUnixNano() < server.GetStartTimeUnixNano() || s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
			t.Errorf("%s began before its request, or ended before it began", s.GetName())
		}
	}
	slices.Sort(children)
	return server, children
}

func attribute(s *otlp.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// traced is a request of a client that has a trace of its own.
type traced struct {
	trace, span string
	requestID   string
}

func (s *server) traced(t *testing.T, trace byte, method, path string, body any, headers ...string) (answer, traced) {
	t.Helper()
	c := traced{trace: hex.EncodeToString(bytes.Repeat([]byte{trace}, 16)),
		span: hex.EncodeToString(bytes.Repeat([]byte{trace}, 8))}
	a := s.do(t, method, path, body, append(headers, "traceparent: 00-"+c.trace+"-"+c.span+"-01")...)
	c.requestID = a.header.Get("X-Request-ID")
	return a, c
}

// Each request of an upload is one trace, the client's own: in it are the calls to the
// database and to the store that were made for it.
func TestTraceOfUpload(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*testing.T) []string{
		"SQLite":     func(*testing.T) []string { return nil },
		"PostgreSQL": func(t *testing.T) []string { b := startBacking(t); return servers(b.pg, b.s3) },
	} {
		t.Run(name, func(t *testing.T) {
			c, setting := startCollector(t)
			s := start(t, append(prepare(t), setting)...)
			if s.token == "" {
				s.token = s.run("token", "create", "--user", "1", "--account", "1")
			}
			file, requests := s.tracedUpload(t)
			own := s.do(t, "GET", file, nil).header.Get("X-Request-ID") // of a client without a trace
			s.stop()                                                    // sends the spans that are left

			id := file[strings.LastIndex(file, "/")+1:]
			for _, r := range requests {
				if name == "SQLite" { // with the embedded store
					r.has = strings.ReplaceAll(r.has, "S3 ", "disk ")
				}
				c.has(t, r, id)
			}
			log, err := os.ReadFile(s.log)
			if err != nil {
				t.Fatal(err)
			}
			last := requests[2]
			if want := "request_id=" + last.requestID + " trace_id=" + last.trace; !strings.Contains(string(log), want) {
				t.Errorf("no %s in the log", want)
			}
			for _, one := range c.spans { // one request for each trace: background work makes no spans
				trace := hex.EncodeToString(one.GetTraceId())
				if server, _ := c.of(t, trace); attribute(server, "holdfast.request_id") == own &&
					len(server.GetParentSpanId()) > 0 {
					t.Errorf("%s has a parent that no client sent", server.GetName())
				}
			}
		})
	}
}

// tracedRequest is a request of a client with a trace, and the spans that it should have.
type tracedRequest struct {
	traced
	name  string // of the server's span
	has   string // its children, at least
	small bool   // it is about another file
}

// tracedUpload uploads a file in three requests and a small one in a single request, and downloads the first.
func (s *server) tracedUpload(t *testing.T) (file string, requests []tracedRequest) {
	t.Helper()
	content := random(17 * mebi)
	created, post := s.traced(t, 1, "POST", "/files/tus/", nil, "Upload-Length: 17825792")
	location := created.header.Get("Location")
	half, first := s.traced(t, 2, "PATCH", location, content[:9*mebi], octets, "Upload-Offset: 0")
	rest, last := s.traced(t, 3, "PATCH", location, content[9*mebi:], octets, "Upload-Offset: 9437184")
	file = rest.header.Get("Content-Location")
	small, whole := s.traced(t, 4, "POST", "/files/tus/", "small", "Upload-Length: 5", octets)
	got, download := s.traced(t, 5, "GET", file, nil)
	if created.status != 201 || half.status != 204 || rest.status != 204 || small.status != 201 ||
		!bytes.Equal(got.body, content) {
		t.Fatalf("%v\n%v\n%v\n%v\n%d bytes", created, half, rest, small, len(got.body))
	}
	return file, []tracedRequest{
		{post, "POST /tus/", "SQL create upload", false},
		{first, "PATCH /tus/{id}", "SQL take lease,SQL take part number,S3 CreateMultipartUpload,S3 UploadPart,S3 " +
			"PutObject,SQL commit,SQL commit transaction", false},
		{last, "PATCH /tus/{id}", "SQL take lease,S3 UploadPart,SQL read parts,S3 CompleteMultipartUpload,S3 " +
			"HeadObject,SQL record file,SQL commit transaction", false},
		{whole, "POST /tus/", "SQL create upload,S3 PutObject,SQL record file", true},
		{download, "GET /{id}", "S3 GetObject", false},
	}
}

// has checks the spans of a request about the file with this id.
func (c *spans) has(t *testing.T, r tracedRequest, id string) {
	t.Helper()
	server, children := c.of(t, r.trace)
	if server.GetName() != r.name || hex.EncodeToString(server.GetParentSpanId()) != r.span {
		t.Errorf("%q, a part of %x; want %q, of %s", server.GetName(), server.GetParentSpanId(), r.name, r.span)
	}
	_, route, _ := strings.Cut(r.name, " ")
	if attribute(server, "holdfast.request_id") != r.requestID || attribute(server, "url.path") != route ||
		attribute(server, "http.route") != route || attribute(server, "holdfast.identity") == "" ||
		(attribute(server, "holdfast.file") == id) == r.small {
		t.Errorf("%s has %v", r.name, server.GetAttributes())
	}
	for want := range strings.SplitSeq(r.has, ",") {
		if !slices.Contains(children, want) {
			t.Errorf("%s has no %s, but %v", r.name, want, children)
		}
	}
}

// Calls to Redis, to the backend and to PRE_CREATE_URL are parts of a trace too. The called service gets the trace
// and can continue it.
func TestTraceOfPermission(t *testing.T) {
	t.Parallel()
	c := &spans{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := grpc.NewServer()
	collector.RegisterTraceServiceServer(rpc, c)
	go rpc.Serve(listener)
	t.Cleanup(rpc.Stop)

	parent := make(chan string, 1)
	asking := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		parent <- r.Header.Get("traceparent")
	}))
	t.Cleanup(asking.Close)
	d := startDjango(t)
	d.allow("*", "*")
	s := start(t, append(d.all(), "RATE_LIMIT_ENABLED=on", "PRE_CREATE_URL="+asking.URL, "WEBHOOK_SECRET="+webhookSecret,
		"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+listener.Addr().String(),
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc")...)
	d.user("ownerstoken", 1, 1)
	s.token = "ownerstoken"
	_, begun := s.traced(t, 6, "POST", "/files/tus/", nil, "Upload-Length: 1")
	if at := <-parent; !strings.HasPrefix(at, "00-"+begun.trace+"-") || strings.Contains(at, "-"+begun.span+"-") {
		t.Errorf("who was asked is told of %q", at)
	}
	file, _ := s.upload(t, []byte("x"))
	<-parent
	s.do(t, "GET", "/readyz", nil)
	a, asked := s.traced(t, 7, "GET", file, nil, d.user("otherstoken", 2, 1))
	if a.status != 200 {
		t.Fatal(a)
	}
	s.stop()
	if _, children := c.of(t, begun.trace); !slices.Contains(children, "HTTP POST") {
		t.Errorf("it was begun by %v", children)
	}
	_, children := c.of(t, asked.trace)
	for _, one := range c.spans {
		if one.GetKind() != otlp.Span_SPAN_KIND_SERVER && len(one.GetParentSpanId()) == 0 {
			t.Errorf("%s is no part of a request", one.GetName())
		}
	}
	for _, want := range []string{"Redis GETRANGE", "Redis SET", "HTTP POST", "SQL read grant", "disk GetObject"} {
		if !slices.Contains(children, want) {
			t.Errorf("no %s in %v", want, children)
		}
	}
	for _, secret := range []string{"ownerstoken", "otherstoken", djangoSecret} {
		if bytes.Contains(c.raw.Bytes(), []byte(secret)) {
			t.Errorf("%s is in a span", secret)
		}
	}
}

// If there is no collector, or it accepts a connection and never answers, no request fails, and the service still
// stops.
func TestCollectorGone(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	for name, endpoint := range map[string]string{"nobody": "http://127.0.0.1:1", "mute": "http://" +
		mute.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			s := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_BSP_SCHEDULE_DELAY=10")
			content := random(100_000)
			for range 5 {
				file, _ := s.upload(t, content)
				s.holds(t, file, content)
			}
			s.stop()
			log, _ := os.ReadFile(s.log)
			if !strings.Contains(string(log), "spans") {
				t.Error("nobody is told")
			}
		})
	}
}
