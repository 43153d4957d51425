package direct_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/internal/test/uploadtest"
	"holdfast/storage"
	"holdfast/storage/s3"
)

func TestMain(m *testing.M) { uploadtest.Main(m) }

const partSize = 8 << 20

// world is uploadtest's over a store to which clients can send parts.
type world struct {
	*uploadtest.World
	store *s3.Client
}

// worlds runs a test on each kind of database.
func worlds(t *testing.T, test func(*world)) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		server := s3test.Start(w.T)
		c := s3.New(s3.Options{Endpoint: server.Endpoint, Region: server.Region, AccessKey: server.AccessKey,
			SecretKey: server.SecretKey})
		w.T.Cleanup(c.Close)
		w.Objects, w.Parts = c, c
		w.Start()
		test(&world{w, c})
	})
}

// answer is an answer of the service.
type answer struct {
	status int
	header http.Header
	body   string

	ID       file.ID   `json:"id"`
	PartSize int64     `json:"part_size"`
	Expires  time.Time `json:"expires"`
	Checksum string    `json:"checksum"`
	State    string    `json:"state"`
	Code     string    `json:"code"`
	Sent     []struct {
		Number int64  `json:"number"`
		Size   int64  `json:"size"`
		ETag   string `json:"etag"`
	} `json:"sent"`
	Signed []signed `json:"-"`
	FileID file.ID  `json:"file_id"`
}

type signed struct {
	Number int64 `json:"number"`
	Size   int64 `json:"size"`
	storage.SignedPart
}

// try sends a request below the endpoint. After an error the status is 0.
func (w *world) try(method, path, body string, header ...string) (a answer, err error) {
	r, err := http.NewRequestWithContext(w.T.Context(), method, w.URL+"/files/direct/"+path, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := w.Client.Do(r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	a.status, a.header, a.body = resp.StatusCode, resp.Header, string(text)
	if strings.HasPrefix(a.body, "{") {
		_ = json.Unmarshal(text, &a)
		var b struct{ Parts json.RawMessage }
		_ = json.Unmarshal(text, &b)
		_ = json.Unmarshal(b.Parts, &a.Signed)
	}
	return a, err
}

// ask is try for requests that are answered with this status.
func (w *world) ask(status int, method, path, body string, header ...string) answer {
	w.T.Helper()
	a, err := w.try(method, path, body, header...)
	if err != nil || a.status != status {
		w.T.Fatalf("%s %s: %d %s %v, want %d", method, path, a.status, a.body, err, status)
	}
	return a
}

// begin begins an upload; more are members of the request's JSON.
func (w *world) begin(size int, more string) file.ID {
	w.T.Helper()
	b, _ := json.Marshal(map[string]any{"name": "a file.txt", "type": "text/plain", "size": size})
	return w.ask(http.StatusCreated, "POST", "", strings.TrimSuffix(string(b), "}")+more+"}").ID
}

// sign has URLs signed for parts.
func (w *world) sign(id file.ID, numbers ...int64) []signed {
	w.T.Helper()
	var parts []map[string]int64
	for _, n := range numbers {
		parts = append(parts, map[string]int64{"number": n})
	}
	b, _ := json.Marshal(map[string]any{"parts": parts})
	return w.ask(http.StatusOK, "POST", string(id)+"/parts", string(b)).Signed
}

// put sends a part to the store, and returns its status and tag.
func (w *world) put(s signed, body []byte) (int, string) {
	w.T.Helper()
	r, err := http.NewRequestWithContext(w.T.Context(), "PUT", s.URL, bytes.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	for name, value := range s.Header {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("ETag")
}

// send sends all parts of an upload.
func (w *world) send(id file.ID, content []byte) {
	w.T.Helper()
	for n := int64(1); len(content) > 0; n++ {
		k := min(len(content), partSize)
		if status, _ := w.put(w.sign(id, n)[0], content[:k]); status != http.StatusOK {
			w.T.Fatalf("part %d: %d", n, status)
		}
		content = content[k:]
	}
}

// whole checks that an upload is a file with this content; sum says that its SHA-256 must be known already.
func (w *world) whole(id file.ID, content []byte, sum bool) {
	w.T.Helper()
	ctx := w.T.Context()
	rec, err := w.Rows.File(ctx, id)
	if err != nil || rec.Size != int64(len(content)) {
		w.T.Fatalf("record %+v %v", rec, err)
	}
	want := sha256.Sum256(content)
	if rec.SHA256 != nil && !bytes.Equal(rec.SHA256, want[:]) || sum && rec.SHA256 == nil {
		w.T.Fatalf("recorded with the SHA-256 %x, want %x", rec.SHA256, want)
	}
	body, err := w.store.Open(ctx, rec.Location, rec.ETag, 0, rec.Size)
	if err != nil {
		w.T.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, content) {
		w.T.Fatalf("other bytes came back (%v)", err)
	}
}

// gone checks that nothing is left of an upload, besides the row that is kept for late writes.
func (w *world) gone(id file.ID) {
	w.T.Helper()
	if w.Lives(id) {
		w.T.Error("the upload is still there")
	}
	if _, err := w.Rows.File(w.T.Context(), id); err == nil {
		w.T.Error("it is a file")
	}
	bucket := w.Layout.Object(1, id).Bucket
	left, err := w.store.Leftovers(w.T.Context(), bucket, id)
	if _, missing := w.store.Stat(w.T.Context(), w.Layout.Object(1, id)); err != nil || missing == nil ||
		len(left.Keys)+len(left.Multiparts) > 0 {
		w.T.Errorf("left in the store: %+v %v", left, err)
	}
}

// waitFor waits for a condition.
func (w *world) waitFor(what string, ok func() bool) {
	w.T.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.T.Fatal("in vain: ", what)
		}
	}
}

func hexSum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func crcOf(b []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)))
}

var bob = file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1}
