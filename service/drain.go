package service

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// drain is how the service ends: it says so, serves on for the delay, so that whoever sends
// it requests can take notice, and then has the timeout for those that are running.
type drain struct {
	delay, timeout time.Duration
	begun          atomic.Bool
}

// closeConnections has clients open another connection for their next request once the service
// stops: one that they keep would soon be closed under a request that can't be sent twice.
func (d *drain) closeConnections(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.begun.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// run ends the server. letGo asks the uploads that can go on elsewhere to commit what they
// have and to answer; all other requests have time to end. What has not ended then is cut
// off, which is no error: downloads go on by ranges.
func (d *drain) run(server *http.Server, letGo func(), log *slog.Logger) error {
	d.begun.Store(true)
	log.Info("stopping", "delay", d.delay.String(), "timeout", d.timeout.String())
	time.Sleep(d.delay)
	letGo()
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}
