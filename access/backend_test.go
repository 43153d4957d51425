package access

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
)

func asking(header, value string) file.Identity {
	return file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1, Credential: file.NewCredential(header, value)}
}

// The request is exactly what the contract with the backend says, and no data of one request is sent with the next.
func TestQuestion(t *testing.T) {
	var asked []*http.Request
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked, bodies = append(asked, r), append(bodies, string(body))
		http.SetCookie(w, &http.Cookie{Name: "sessionid", Value: "of-the-first", Path: "/"})
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	b := NewBackend(server.URL)
	defer b.Close()
	credentials := [][2]string{{"Authorization", "Bearer tok"}, {"X-Guest-Authorization", "a.b.c"},
		{"X-Public-Authorization", "Token abcdefgh"}}
	for i, c := range credentials {
		if err := b.Check(t.Context(), asking(c[0], c[1]), "a b&file_id=x/ü%"); err != nil {
			t.Fatal(err)
		}
		r := asked[i]
		if r.Method != "POST" || r.RequestURI != "/attachments/check-permission" ||
			bodies[i] != "file_id=a+b%26file_id%3Dx%2F%C3%BC%25" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Cookie") != "" ||
			r.Header["Idempotency-Key"] != nil {
			t.Errorf("%s %s %v %q", r.Method, r.RequestURI, r.Header, bodies[i])
		}
		for _, other := range credentials {
			want := ""
			if other == c {
				want = c[1]
			}
			if got := r.Header.Get(other[0]); got != want {
				t.Errorf("%s: %q, want %q", other[0], got, want)
			}
		}
	}
	if err := b.Check(t.Context(), file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1},
		"r"); !errors.Is(err, file.ErrDenied) || len(asked) != 3 {
		t.Errorf("without a credential: %v, %d questions", err, len(asked))
	}
}

func TestAnswers(t *testing.T) {
	status := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		if r.URL.Path == "/elsewhere" {
			t.Error("a redirect was followed")
		}
	}))
	defer server.Close()
	b := NewBackend(server.URL)
	defer b.Close()
	for code, want := range map[int]error{204: nil, 400: file.ErrDenied, 401: file.ErrDenied, 403: file.ErrDenied,
		200: file.ErrBackend, 201: file.ErrBackend,
		302: file.ErrBackend, 307: file.ErrBackend, 404: file.ErrBackend, 429: file.ErrBackend, 500: file.ErrBackend,
		502: file.ErrBackend, 504: file.ErrBackend} {
		status = code
		err := b.Check(t.Context(), asking("Authorization", "Bearer secret-token"), "r")
		if !errors.Is(err, want) || errors.Is(err, file.ErrBackendTimeout) {
			t.Errorf("%d: %v, want %v", code, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret-token") {
			t.Errorf("the error shows the token: %v", err)
		}
	}
}

func TestBackendThatIsNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	b := NewBackend("http://" + l.Addr().String())
	if err := b.Check(t.Context(), asking("Authorization", "x"), "r"); !errors.Is(err, file.ErrBackend) ||
		errors.Is(err, file.ErrBackendTimeout) {
		t.Errorf("refused: %v", err)
	}
}

// The timeout ends the wait for a slow backend: for its answer, and for callers that wait for a connection.
func TestBackendThatHangs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // else the server would not notice that the client is gone
		<-r.Context().Done()
	}))
	defer server.Close()
	b := NewBackend(server.URL)
	b.timeout = 300 * time.Millisecond
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // so that the test ends even if a check hangs
	defer cancel()
	var wg sync.WaitGroup
	for range 4 * backendConnections {
		wg.Go(func() {
			if err := b.Check(ctx, asking("Authorization", "x"), "r"); !errors.Is(err, file.ErrBackendTimeout) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		t.Error("they were waited for until the test gave up")
	}
}

// However many callers ask at once, the backend has backendConnections questions at a time.
func TestBackendConnections(t *testing.T) {
	var arrived, open, most atomic.Int64
	full := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := open.Add(1)
		defer open.Add(-1) // before the client sees the answer, and asks the next question
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if arrived.Add(1) == backendConnections {
			close(full)
		}
		<-full
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	b := NewBackend(server.URL)
	b.timeout = time.Minute
	defer b.Close()
	var wg sync.WaitGroup
	for range 4 * backendConnections {
		wg.Go(func() {
			if err := b.Check(t.Context(), asking("Authorization", "x"), "r"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n != backendConnections {
		t.Errorf("%d questions at the same time", n)
	}
}

// The backend closed an idle connection, as it does when it is restarted.
func TestBackendThatClosedAConnection(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if asked++; asked == 2 { // on the reused connection
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.Close()
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	b := NewBackend(server.URL)
	defer b.Close()
	for range 2 {
		if err := b.Check(t.Context(), asking("Authorization", "x"), "r"); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
}
