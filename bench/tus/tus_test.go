package tus_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"holdfast/bench/tus"
)

// memory is a minimal tus server: one upload, in memory.
type memory struct {
	mu      sync.Mutex
	content []byte
	length  int64
	lie     int64 // added to every offset it answers
}

func (m *memory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Tus-Resumable") != "1.0.0" &&
		r.Method != http.MethodGet {
		http.Error(w, "who is asking?", http.StatusUnauthorized)
		return
	}
	status := http.StatusOK
	switch r.Method {
	case http.MethodPost:
		m.length, _ = strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
		w.Header().Set("Location", "http://"+r.Host+"/files/id+part")
		status = http.StatusCreated
	case http.MethodPatch:
		if r.Header.Get("Upload-Offset") != strconv.Itoa(len(m.content)) {
			http.Error(w, "another offset", http.StatusConflict)
			return
		}
		status = http.StatusNoContent
	case http.MethodGet:
		w.Write(m.content)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if len(body) > 0 && r.Header.Get("Content-Type") != "application/offset+octet-stream" {
		status = http.StatusUnsupportedMediaType
	}
	m.content = append(m.content, body...)
	w.Header().Set("Upload-Offset", strconv.FormatInt(int64(len(m.content))+m.lie, 10))
	w.WriteHeader(status)
}

func serve(t *testing.T, h http.Handler, token string) (tus.Endpoint, *tus.Conn) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	e, err := tus.NewEndpoint(s.URL+"/files/", token)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return e, c
}

// An upload in two pieces, longer than the random block, is sent, requested and downloaded.
func TestUpload(t *testing.T) {
	m := &memory{}
	e, c := serve(t, m, "secret")
	const half, length = 1_500_000, 3_000_000
	content := tus.NewContent()
	path, err := e.Create(c, length)
	if err != nil || path != "/files/id+part" || m.length != length {
		t.Fatal(path, m.length, err)
	}
	for offset := int64(0); offset < length; offset += half {
		if err := e.Append(c, path, offset, content.Section(offset, half)); err != nil {
			t.Fatal(err)
		}
		if err := e.Head(c, path, offset+half); err != nil {
			t.Fatal(err)
		}
	}
	hash, n, err := e.Get(t.Context(), path)
	if err != nil || n != length || hash != content.SHA256(length) {
		t.Error(hash, n, err)
	}
}

// Small requests are sent in another way.
func TestCreateWith(t *testing.T) {
	m := &memory{}
	e, c := serve(t, m, "secret")
	content := tus.NewContent()
	for range 3 {
		m.content = nil
		if path, err := e.CreateWith(c, content.Section(0, 10<<10)); err != nil || path != "/files/id+part" {
			t.Fatal(path, err)
		}
		if want, _ := io.ReadAll(content.Section(0, 10<<10)); !bytes.Equal(m.content, want) {
			t.Errorf("%d bytes came", len(m.content))
		}
	}
}

func TestRefusals(t *testing.T) {
	m := &memory{}
	e, c := serve(t, m, "secret")
	if err := e.Append(c, "/files/id", 5, tus.NewContent().Section(0, 10)); err == nil || !strings.Contains(err.Error(),
		"another offset") {
		t.Error(err)
	}
	m.lie = 1
	if err := e.Append(c, "/files/id", 0, tus.NewContent().Section(0, 10)); !errors.Is(err, tus.ErrWrong) {
		t.Error(err)
	}
	if err := e.Head(c, "/files/id", 10); !errors.Is(err, tus.ErrWrong) {
		t.Error(err)
	}
	stranger, c := serve(t, &memory{}, "")
	if _, err := stranger.Create(c, 1); err == nil || !strings.Contains(err.Error(), "401") {
		t.Error(err)
	}
	nowhere, c := serve(t, http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(http.StatusCreated)
	}), "")
	if _, err := nowhere.Create(c, 1); !errors.Is(err, tus.ErrWrong) {
		t.Error(err)
	}
}

// A section is the same however it is read, and no two parts of 8 MiB are alike: a server that mixes them up is
// noticed.
func TestContent(t *testing.T) {
	content := tus.NewContent()
	var written bytes.Buffer
	if n, err := content.Section(777, 5<<20).WriteTo(&written); n != 5<<20 || err != nil {
		t.Fatal(n, err)
	}
	read, err := io.ReadAll(content.Section(777, 5<<20))
	if err != nil || !bytes.Equal(read, written.Bytes()) {
		t.Error("read and written differ", err)
	}
	seen := map[string]int64{}
	const part = 8 << 20
	for offset := int64(0); offset < 1<<30; offset += part {
		h := sha256.New()
		content.Section(offset, 4096).WriteTo(h)
		sum := hex.EncodeToString(h.Sum(nil))
		if at, known := seen[sum]; known {
			t.Errorf("%d is like %d", offset, at)
		}
		seen[sum] = offset
	}
	if tus.NewContent().SHA256(10) == content.SHA256(10) {
		t.Error("random content is always the same")
	}
}
