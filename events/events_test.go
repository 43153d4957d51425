package events

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A receiver that uses a library of the specification accepts our requests, and no others.
func TestSignature(t *testing.T) {
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789012345678901234567"))
	their, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	var verified error
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		verified = their.Verify(body, r.Header)
	}))
	defer receiver.Close()
	for key, good := range map[string]bool{secret: true, "0123456789012345678901234567": true,
		"another secret of some length": false} {
		s, err := NewSender(receiver.URL, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, err := s.send(t.Context(), "id", []byte(`{"a": 1}`)); status != 200 || err != nil ||
			(verified == nil) != good {
			t.Errorf("%q: %d %v, verified: %v", key, status, err, verified)
		}
	}
	if _, err := NewSender(receiver.URL, "whsec_?", nil); err == nil {
		t.Error("a secret that is not base64")
	}
}

// A receiver's redirect counts as its answer, and the event is not sent to where it points.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		t.Error("the event went elsewhere")
	}))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		receiver := httptest.NewServer(http.RedirectHandler(elsewhere.URL, code))
		defer receiver.Close()
		s, err := NewSender(receiver.URL, "0123456789012345678901234567", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, err := s.send(t.Context(), "id", []byte(`{}`)); status != code || err != nil {
			t.Errorf("%d: %d %v", code, status, err)
		}
	}
}

func TestBackoff(t *testing.T) {
	for failed, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second,
		11: 2048 * time.Second, 12: time.Hour, 1000: time.Hour} {
		if got := retryDelay(failed); got != want {
			t.Errorf("after %d failures: %s, want %s", failed, got, want)
		}
	}
}
