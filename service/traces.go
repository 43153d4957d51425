package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"holdfast/config"
	"holdfast/edge"
	"holdfast/internal/otlp"
)

// flushTimeout is how long the last spans may take to be sent when the service stops. If the collector is down,
// stopping takes that much longer, once.
const flushTimeout = 3 * time.Second

// traces exports spans to a collector. A nil *traces makes none.
type traces struct {
	provider *sdk.TracerProvider
	log      *slog.Logger
}

// openTraces prepares the export of spans; nil if no traces are configured. It never waits for the collector: spans
// that the collector does not accept in time are dropped.
func openTraces(ctx context.Context, c config.Config, log *slog.Logger) (*traces, error) {
	by := c.Traces
	if by.Protocol == config.NoTraces {
		return nil, nil
	}
	certificates, err := collectorTLS(by)
	if err != nil {
		return nil, fmt.Errorf("%w: traces: %w", ErrSettings, err)
	}
	exporter, err := otlp.New(ctx, otlp.Options{Endpoint: by.Endpoint, GRPC: by.Protocol == config.TracesGRPC,
		Headers: by.Headers, Timeout: by.Timeout, Gzip: by.Gzip, TLS: certificates, Proxy: c.Proxies.For})
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name",
		"holdfast")),
		resource.WithFromEnv()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	// By default the SDK writes its own errors past our log.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Debug("OpenTelemetry reports an error", "error", err)
	}))
	provider := sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithBatcher(&loggingExporter{SpanExporter: exporter,
		log: log}))
	return &traces{provider, log}, nil
}

// collectorTLS reads the files with certificates; nil: there are none.
func collectorTLS(by config.Traces) (*tls.Config, error) {
	if by.Roots == "" && by.Certificate == "" {
		return nil, nil
	}
	c := &tls.Config{}
	if by.Roots != "" {
		pem, err := os.ReadFile(by.Roots)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", by.Roots)
		}
	}
	if by.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(by.Certificate, by.Key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// close sends the remaining spans.
func (t *traces) close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last spans were not sent", "error", err)
	}
}

// loggingExporter logs once that the collector accepts no spans, and once that it does again.
type loggingExporter struct {
	sdk.SpanExporter
	log  *slog.Logger
	down atomic.Bool
}

func (e *loggingExporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err == nil && e.down.Swap(false):
		e.log.Info("the trace collector accepts spans again")
	case err != nil && !e.down.Swap(true):
		e.log.Warn("the trace collector does not accept spans: they are dropped", "error", err)
	}
	return nil
}

// traced is anything that makes spans of its calls.
type traced interface {
	Trace(trace.TracerProvider)
}

// traceDependencies has the dependencies make spans.
func (t *traces) traceDependencies(p *Dependencies) {
	if t == nil {
		return
	}
	p.Rows.Trace(t.provider)
	p.Objects.Trace(t.provider)
	if p.redis != nil {
		p.redis.Trace(t.provider)
	}
}

// wrap makes a span of each request; see edge.WithSpans.
func (t *traces) wrap(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return edge.WithSpans(t.provider, next)
}
