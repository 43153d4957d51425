// Package events delivers events about files to another program: by webhooks, at least once, in order for each file.
// Events wait in SQL, in an outbox that is written in the transaction of what happened. It also asks that program
// whether an upload may begin (Ask).
//
// Requests follow the Standard Webhooks specification (www.standardwebhooks.com): the headers
// webhook-id, webhook-timestamp and webhook-signature, the last an HMAC-SHA256 over all three.
//
// # Errors
//
// An event that is not answered with 2xx is retried for three days, after one second, two, four ... at most an hour;
// then it is dead, until an operator has it sent again.
package events

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/errgroup"

	"holdfast/file"
	"holdfast/internal/chore"
)

const (
	timeout      = 10 * time.Second
	maxAge       = 3 * 24 * time.Hour
	maxDelay     = time.Hour // between two tries
	pollInterval = time.Second
	concurrency  = 8 // requests at the same time

	// The replica that delivers events holds a lease of this length. What it does between two renewals takes less:
	// turn for the rounds, and timeout for the requests that the last round has sent.
	choreTTL  = 24 * time.Second
	turn      = choreTTL / 8
	batchSize = concurrency
)

// Rows is the outbox in SQL. Package db says what each method does.
type Rows interface {
	DueEvents(ctx context.Context, limit int) ([]file.Event, error)
	EventDelivered(ctx context.Context, e file.Event) error
	EventFailed(ctx context.Context, e file.Event, reason string, again time.Duration, dead bool) error
	chore.Rows
}

// Sender sends signed requests to one URL.
type Sender struct {
	url        string
	hook       *webhooks.Webhook
	client     *http.Client
	deliveries deliveries // by Run
}

// NewSender returns a Sender. A secret of the form whsec_... is base64, as other services issue it.
func NewSender(address, secret string, proxy func(*url.URL) (*url.URL, error)) (*Sender, error) {
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, errors.New("the secret of webhooks is not base64")
		}
	}
	hook, err := webhooks.NewWebhookRaw(key)
	if err != nil {
		return nil, err
	}
	// Redirects are not followed: they would send the POST somewhere else, and often as a GET.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.Proxy = nil; proxy != nil {
		transport.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	}
	client := &http.Client{Timeout: timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Sender{address, hook, client, newDeliveries()}, nil
}

// maxResponse is how much of an answer is read, in bytes.
const maxResponse = 64 << 10

// send sends a body under an id, by which the receiver recognizes a body that it has received before.
func (s *Sender) send(ctx context.Context, id string, body []byte) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	now := time.Now()
	signature, err := s.hook.Sign(id, now, body)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	res, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxResponse))
	return res.StatusCode, answer, err
}

// Run delivers the outbox until ctx ends, in one replica at a time.
func (s *Sender) Run(ctx context.Context, rows Rows, log *slog.Logger) {
	chore.New(rows, "events", choreTTL).Every(ctx, pollInterval, func(ctx context.Context) error {
		for began := time.Now(); ctx.Err() == nil && time.Since(began) < turn; {
			if n, err := s.deliverDue(ctx, rows, log); n == 0 || err != nil {
				return err
			}
		}
		return nil
	}, log)
}

// deliverDue delivers a batch of the events that are due, and returns how many there were.
func (s *Sender) deliverDue(ctx context.Context, rows Rows, log *slog.Logger) (int, error) {
	due, err := rows.DueEvents(ctx, batchSize)
	if err != nil {
		return 0, err
	}
	var g errgroup.Group
	g.SetLimit(concurrency)
	for _, e := range due {
		g.Go(func() error { return s.deliver(ctx, rows, e, log) })
	}
	return len(due), g.Wait()
}

// deliver sends one event. It returns only errors of SQL.
func (s *Sender) deliver(ctx context.Context, rows Rows, e file.Event, log *slog.Logger) error {
	status, _, err := s.send(ctx, string(e.File)+"."+string(e.Kind), []byte(e.Payload))
	if err == nil && status >= 200 && status < 300 {
		s.deliveries.WithLabelValues("taken").Inc()
		return rows.EventDelivered(ctx, e)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = fmt.Errorf("the receiver answered %d", status)
	}
	dead := time.Since(e.Created) > maxAge
	result := "failed"
	if dead {
		result = "dead"
		log.Error("an event was given up; see `holdfast events list`", "file", e.File, "kind", e.Kind, "tries", e.Tries+1,
			"error", err)
	}
	s.deliveries.WithLabelValues(result).Inc()
	return rows.EventFailed(ctx, e, err.Error(), retryDelay(e.Tries), dead)
}

// retryDelay returns how long to wait after a failure that followed this many others.
func retryDelay(failed int) time.Duration { return min(maxDelay, time.Second<<min(failed, 20)) }
