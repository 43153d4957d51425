package edge

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"time"

	"holdfast/config"
	"holdfast/limit"
)

// NewLog returns the log of the service: JSON in production, text elsewhere.
func NewLog(c config.Config, w io.Writer) *slog.Logger {
	if c.Mode == config.Production {
		return slog.New(requestIDHandler{slog.NewJSONHandler(w, nil)})
	}
	return slog.New(requestIDHandler{slog.NewTextHandler(w, nil)})
}

type requestIDKey struct{}

// maxRequestID is the longest X-Request-ID that is accepted from a client, in bytes.
const maxRequestID = 128

// withRequestID gives each request an id: the client's X-Request-ID if that is valid, otherwise a new one. It is sent
// back in the answer and added to everything logged with the request's context.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-ID")
		if !validRequestID(id) {
			id = rand.Text()
		}
		w.Header().Set("X-Request-ID", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// validRequestID reports whether an id is safe in a log line.
func validRequestID(id string) bool {
	for _, c := range []byte(id) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return id != "" && len(id) <= maxRequestID
}

// requestIDHandler adds the ids of the request and of the trace to each line.
type requestIDHandler struct{ slog.Handler }

func (h requestIDHandler) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		r.AddAttrs(slog.String("request_id", id))
	}
	if id := traceID(ctx); id != "" {
		r.AddAttrs(slog.String("trace_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestIDHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestIDHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestIDHandler) WithGroup(name string) slog.Handler {
	return requestIDHandler{h.Handler.WithGroup(name)}
}

// withLog writes one log line per request, counts the request and describes its span. The line contains neither the
// path nor the query: the URL of a signed link is as good as a token.
func withLog(log *slog.Logger, proxies limit.Proxies, metrics *Metrics, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, info := time.Now(), &requestInfo{method: methodLabel(r.Method), route: "none"}
		defer func() { // after a panic too
			info.took = time.Since(start)
			log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				append(info.attributes(), slog.String("client", proxies.Client(r).String()))...)
			metrics.observe(info)
			describeSpan(r.Context(), info)
		}()
		info.answer.CaptureMetrics(w, func(w http.ResponseWriter) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), infoKey{}, info)))
		})
	})
}

func (n *requestInfo) attributes() []slog.Attr {
	all := []slog.Attr{slog.String("method", n.method), slog.String("route", n.route), slog.Int("status", n.status()),
		slog.Int64("bytes", n.answer.Written), slog.Duration("took", n.took)}
	for _, a := range []struct{ name, value string }{
		{"file", n.file.String()}, {"identity", string(n.kind)}, {"code", n.code},
	} {
		if a.value != "" {
			all = append(all, slog.String(a.name, a.value))
		}
	}
	return all
}
