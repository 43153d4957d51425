package service

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// drain stops the service: it reports that it stops, goes on serving for the delay, so that load balancers can notice,
// and then gives the requests that are running the timeout to end.
type drain struct {
	delay, timeout time.Duration
	begun          atomic.Bool
}

// closeConnections makes clients open another connection for their next request once the service stops: a connection
// that they keep would soon be closed during a request that can't be retried.
func (d *drain) closeConnections(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.begun.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// run stops the server. releaseUploads asks the uploads that can resume on another replica to commit what they have and
// to answer; all other requests get time to end. What is still running after the timeout is cut off, which is no error:
// downloads resume by ranges.
func (d *drain) run(server *http.Server, releaseUploads func(), log *slog.Logger) error {
	d.begun.Store(true)
	log.Info("stopping", "delay", d.delay.String(), "timeout", d.timeout.String())
	time.Sleep(d.delay)
	releaseUploads()
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}
