package problem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/file"
)

func TestAnswers(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.7: password=hunter2")
	for _, c := range []struct {
		err    error
		debug  bool
		status int
		body   string
		retry  string
	}{
		{file.ErrUnauthenticated, false, 401, `{"code":"AUTH_001","message":"Authentication failed"}`, ""},
		{file.NotFound("x<y"), false, 404,
			`{"code":"FILE_001","message":"File not found","details":{"reason":"File with ID 'x<y' not found"}}`, ""},
		{file.Refuse(file.ErrDenied, "User 3 has no access to file 'x'"), false, 403,
			`{"code":"FILE_002","message":"Access to file denied","details":{"reason":"User 3 has no access to file 'x'"}}`, ""},
		{file.Refuse(file.ErrTooLarge, "File size 2 bytes exceeds limit 1 bytes"), false, 413,
			`{"code":"FILE_003","message":"File size exceeds limit",` +
				`"details":{"reason":"File size 2 bytes exceeds limit 1 bytes"}}`, ""},
		{fmt.Errorf("read upload: %w: %w", file.ErrDatabase, secret), false, 503,
			`{"code":"DB_001","message":"Database connection failed"}`, "2"},
		{fmt.Errorf("look up: %w: %w", file.ErrRedis, secret), false, 503,
			`{"code":"EXT_001","message":"Redis connection failed"}`, "2"},
		{fmt.Errorf("keys: %w: %w", file.ErrProvider, secret), false, 503,
			`{"code":"EXT_002","message":"Token provider not available"}`, "2"},
		{fmt.Errorf("ask: %w: %w", file.ErrBackend, secret), false, 502,
			`{"code":"EXT_003","message":"Permission check failed"}`, ""},
		{fmt.Errorf("ask: %w: %w", file.ErrBackendTimeout, secret), false, 504,
			`{"code":"EXT_004","message":"Permission check timed out"}`, ""},
		{fmt.Errorf("put: %w: %w", file.ErrStorageWrite, secret), false, 503,
			`{"code":"STORAGE_002","message":"Failed to upload file to storage"}`, "2"},
		{fmt.Errorf("get: %w: %w", file.ErrStorageRead, secret), false, 503,
			`{"code":"STORAGE_003","message":"Failed to download file from storage"}`, "2"},
		{fmt.Errorf("get: %w: %w", file.ErrObjectMissing, secret), false, 404,
			`{"code":"STORAGE_005","message":"File not found in storage"}`, ""},
		{file.Refuse(file.ErrMissingField, "Field 'file' is required"), false, 422,
			`{"code":"VAL_002","message":"Missing required field","details":{"reason":"Field 'file' is required"}}`, ""},
		{file.ErrSize, false, 422, `{"code":"VAL_001","message":"Invalid file size"}`, ""},
		{&file.Later{Kind: file.ErrTooMany, After: 1100 * time.Millisecond}, false, 429,
			`{"code":"RATE_001","message":"Rate limit exceeded","detail":"Rate limit exceeded","retry_after":2}`, "2"},
		{&file.Later{Kind: file.ErrTooMany}, false, 429,
			`{"code":"RATE_001","message":"Rate limit exceeded","detail":"Rate limit exceeded","retry_after":1}`, "1"},
		{secret, false, 500, `{"code":"INFRA_005","message":"Internal server error"}`, ""},
		{errors.New("boom"), true, 500, `{"code":"INFRA_005","message":"Internal server error","details":{"reason":"boom"}}`,
			""},
	} {
		w := httptest.NewRecorder()
		w.Header().Set("ETag", `"of the file"`)
		Responder{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Debug: c.debug}.Write(w, httptest.NewRequest("GET",
			"/x", nil), c.err)
		if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Retry-After") != c.retry ||
			w.Header().Get("ETag") != "" {
			t.Errorf("%v:\n got %d %s %v\nwant %d %s", c.err, w.Code, w.Body, w.Header(), c.status, c.body)
		}
	}
}

func TestEveryKindHasAnAnswer(t *testing.T) {
	for _, row := range table {
		if got := Of(fmt.Errorf("doing: %w", row.kind)); got.Code != row.problem.Code {
			t.Errorf("%v is answered with %s, want %s: a wider kind stands before it", row.kind, got.Code, row.problem.Code)
		}
	}
}

// Each code stands for one response: programs distinguish them by it.
func TestCodes(t *testing.T) {
	seen := map[string]string{}
	for _, p := range All() {
		if before, twice := seen[p.Code]; twice {
			t.Errorf("%s is %q and %q", p.Code, before, p.Message)
		}
		seen[p.Code] = p.Message
	}
}

// A disconnected client gets no response, and is no fault of the service.
func TestClientWentAway(t *testing.T) {
	for name, err := range map[string]error{
		"SQL":   fmt.Errorf("read record: %w", context.Canceled),
		"store": fmt.Errorf("get: %w: %w", file.ErrStorageRead, context.Canceled),
		"Redis": fmt.Errorf("look up: %w: %w", file.ErrRedis, context.Canceled),
	} {
		var log strings.Builder
		var seen Problem
		re := Responder{Log: slog.New(slog.NewTextHandler(&log, nil)), Debug: true, Observe: func(_ *http.Request,
			p Problem) {
			seen = p
		}}
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequest("GET", "/x", nil).WithContext(ctx)
		here := httptest.NewRecorder()
		re.Write(here, r, err)
		if here.Code != 503 || seen.Code == "" || !strings.Contains(log.String(), "ERROR") {
			t.Errorf("%s: a client that is there gets %d %s, the log has %q", name, here.Code, here.Body, log.String())
		}
		cancel()
		log.Reset()
		gone := httptest.NewRecorder()
		re.Write(gone, r, err)
		if gone.Code != 499 || gone.Body.Len() != 0 || seen.Code != "" || log.Len() != 0 {
			t.Errorf("%s: %d %s %q, the log has %q", name, gone.Code, gone.Body, seen.Code, log.String())
		}
		other := httptest.NewRecorder()
		if re.Write(other, r, file.ErrDatabase); other.Code != 503 {
			t.Errorf("%s: another fault meanwhile is %d", name, other.Code)
		}
	}
}
