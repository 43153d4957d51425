package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"holdfast/file"
)

// readyTimeout is how long a dependency may take to answer.
const readyTimeout = 3 * time.Second

// Readiness pings the dependencies of the service. Each dependency is pinged at most once at a time, however many
// requests ask and however long it hangs.
type Readiness struct {
	needed []Dependency
	log    *slog.Logger
	asking singleflight.Group

	mu          sync.Mutex
	lastMissing string // what was missing at the last check
}

// Dependency is something that the service can't do without.
type Dependency struct {
	Name string // as /readyz shows it
	Ping func(context.Context) error
}

// NewReadiness returns a Readiness for the needed dependencies.
func NewReadiness(log *slog.Logger, needed []Dependency) *Readiness {
	return &Readiness{needed: needed, log: log}
}

// notReady names the dependencies that don't answer. It gives no details, since anonymous callers may ask.
type notReady struct{ missing []string }

func (n notReady) Error() string { return "not ready: " + strings.Join(n.missing, ", ") }

// NoUploads says that the service is ready for all but uploads, and why.
type NoUploads struct{ Why string }

func (n NoUploads) Error() string { return "ok, but no uploads: " + n.Why }

// Check returns a notReady if a dependency does not answer. The reason is logged once, when the outage begins.
func (r *Readiness) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	answers := make([]<-chan singleflight.Result, len(r.needed))
	for i, p := range r.needed {
		answers[i] = r.asking.DoChan(p.Name, func() (any, error) {
			// Not the request's context: other requests wait for the answer, too.
			ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
			defer cancel()
			return nil, p.Ping(ctx)
		})
	}
	var missing []string
	var why error
	for i, p := range r.needed {
		if err := answer(ctx, answers[i]); err != nil {
			missing, why = append(missing, p.Name), errors.Join(why, fmt.Errorf("%s: %w", p.Name, err))
		}
	}
	if !errors.Is(ctx.Err(), context.Canceled) { // if canceled, the caller has gone away, and the state is unknown
		r.logChange(strings.Join(missing, ", "), why)
	}
	if len(missing) > 0 {
		return notReady{missing}
	}
	return nil
}

// answer waits for the answer of a dependency until ctx ends. An answer that is there by then counts, however long the
// dependencies before it took.
func answer(ctx context.Context, from <-chan singleflight.Result) error {
	select {
	case a := <-from:
		return a.Err
	case <-ctx.Done():
	}
	select {
	case a := <-from:
		return a.Err
	default:
		return fmt.Errorf("no answer within %s", readyTimeout)
	}
}

// logChange logs when other dependencies are missing than before.
func (r *Readiness) logChange(missing string, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case missing == r.lastMissing:
	case missing == "":
		r.log.Info("ready again")
	default:
		r.log.Warn("not ready", "missing", missing, "error", why)
	}
	r.lastMissing = missing
}

// writeHealth answers /healthz and /readyz: as text, or as JSON if the request accepts that.
func writeHealth(w http.ResponseWriter, r *http.Request, err error) {
	said := struct {
		Status  string   `json:"status"`
		Missing []string `json:"missing,omitempty"`
		Uploads string   `json:"uploads,omitempty"` // why uploads are refused
	}{Status: "ok"}
	text, status := "ok", http.StatusOK
	if n, ok := errors.AsType[NoUploads](err); ok {
		said.Uploads, text = n.Why, n.Error()
	} else if err != nil {
		said.Status, text, status = "not ready", "not ready", http.StatusServiceUnavailable
		if n, ok := errors.AsType[notReady](err); ok {
			said.Missing, text = n.missing, n.Error()
		}
		if errors.Is(err, file.ErrStopping) {
			said.Status, text = "stopping", "stopping"
		}
		w.Header().Set("Retry-After", "2")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept")
	body, mediaType := []byte(text+"\n"), "text/plain; charset=utf-8"
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		if body, err = json.Marshal(said); err != nil { // only strings: can't fail
			panic(err)
		}
		mediaType = "application/json"
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	w.Write(body)
}
