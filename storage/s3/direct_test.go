package s3

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// sendSigned sends a part to a URL, with a body that may be another than the one that was signed.
func sendSigned(t *testing.T, method string, signed storage.SignedPart, body []byte) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, signed.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range signed.Header {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// elsewhere is a signed URL with another query.
func elsewhere(t *testing.T, signed storage.SignedPart, change func(url.Values)) storage.SignedPart {
	t.Helper()
	u, err := url.Parse(signed.URL)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	change(query)
	u.RawQuery = query.Encode()
	return storage.SignedPart{URL: u.String(), Header: signed.Header}
}

func sumOf(b []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)))
}

// A URL is good for one part, of the size and the checksum that were signed, as long as it is valid, and for nothing
// else.
func TestSignedPartIsExactlyThatPart(t *testing.T) {
	c := direct(t)
	ctx, at := t.Context(), file.Location{Bucket: "direct-1", Key: string(file.NewID())}
	sign, whole := c.PartSigner(""), []byte("whole")
	for _, copies := range []bool{false, true} {
		m, err := c.BeginMultipart(ctx, at, "text/plain", copies)
		if err != nil {
			t.Fatal(err)
		}
		p := storage.PartPut{Multipart: m, Number: 2, Size: 5, TTL: time.Minute}
		if m.Sums {
			p.CRC32 = sumOf(whole)
		}
		signed, err := sign(ctx, at, p)
		if err != nil {
			t.Fatal(err)
		}
		for name, refused := range map[string]*http.Response{
			"longer":       sendSigned(t, "PUT", signed, []byte("whole!")),
			"shorter":      sendSigned(t, "PUT", signed, []byte("whol")),
			"empty":        sendSigned(t, "PUT", signed, nil),
			"DELETE":       sendSigned(t, "DELETE", signed, whole),
			"another part": sendSigned(t, "PUT", elsewhere(t, signed, func(q url.Values) { q.Set("partNumber", "3") }), whole),
			"the object": sendSigned(t, "PUT",
				elsewhere(t, signed, func(q url.Values) { q.Del("partNumber"); q.Del("uploadId") }),
				whole),
			"for longer": sendSigned(t, "PUT", elsewhere(t, signed, func(q url.Values) { q.Set("X-Amz-Expires", "600") }),
				whole),
		} {
			if refused.StatusCode < 400 || refused.StatusCode >= 500 {
				t.Errorf("%s: %s", name, refused.Status)
			}
		}
		if m.Sums {
			if resp := sendSigned(t, "PUT", signed, []byte("WHOLE")); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("other bytes: %s", resp.Status)
			}
		}
		if parts, err := c.Parts(ctx, at, m, 0); err != nil || len(parts) != 0 {
			t.Errorf("what was refused is there: %+v %v", parts, err)
		}
		resp := sendSigned(t, "PUT", signed, whole)
		parts, err := c.Parts(ctx, at, m, 0)
		if resp.StatusCode != http.StatusOK || err != nil || len(parts) != 1 || parts[0].Number != 2 || parts[0].Size != 5 ||
			parts[0].ETag != resp.Header.Get("ETag") || m.Sums && parts[0].CRC32 != p.CRC32 {
			t.Fatalf("%s %+v %v", resp.Status, parts, err)
		}
		if err := c.Abort(ctx, at, m.ID); err != nil {
			t.Fatal(err)
		}
		if resp := sendSigned(t, "PUT", signed, whole); resp.StatusCode != http.StatusNotFound {
			t.Errorf("after the end: %s", resp.Status)
		}
		if _, err := c.Parts(ctx, at, m, 0); !errors.Is(err, storage.ErrNoUpload) {
			t.Errorf("parts after the end: %v", err)
		}
	}
}

func TestSignedPartExpires(t *testing.T) {
	c := direct(t)
	ctx, at := t.Context(), file.Location{Bucket: "direct-1", Key: string(file.NewID())}
	m, err := c.BeginMultipart(ctx, at, "text/plain", true)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.PartSigner("")(ctx, at, storage.PartPut{Multipart: m, Number: 1, Size: 5, TTL: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	// A second by the store's clock, not by ours.
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if resp := sendSigned(t, "PUT", signed, []byte("whole")); resp.StatusCode == http.StatusForbidden {
			return
		}
	}
	t.Error("a URL is good for ever")
}

// Parts come in pages, in the order of their numbers.
func TestPartsArePaged(t *testing.T) {
	c := direct(t)
	ctx, at := t.Context(), file.Location{Bucket: "direct-1", Key: string(file.NewID())}
	m, err := c.BeginMultipart(ctx, at, "text/plain", false)
	if err != nil {
		t.Fatal(err)
	}
	const last = 1003
	for n := int32(1); n <= last; n++ {
		if _, err := c.PutPart(ctx, at, m, n, strings.NewReader("x"), 1); err != nil {
			t.Fatal(err)
		}
	}
	seen := int32(0)
	for pages := 0; ; pages++ {
		page, err := c.Parts(ctx, at, m, seen)
		if err != nil || len(page) > 1000 || pages > 3 {
			t.Fatal(len(page), err)
		}
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			if seen++; p.Number != seen || p.Size != 1 {
				t.Fatalf("%+v as number %d", p, seen)
			}
		}
	}
	if seen != last {
		t.Errorf("%d of %d parts", seen, last)
	}
}

// A part that was replaced since it was listed is not made part of the object.
func TestCompleteNamesWhatWasListed(t *testing.T) {
	c := direct(t)
	ctx, at := t.Context(), file.Location{Bucket: "direct-1", Key: string(file.NewID())}
	m, err := c.BeginMultipart(ctx, at, "text/plain", true)
	if err != nil {
		t.Fatal(err)
	}
	put := func(body string) {
		signed, err := c.PartSigner("")(ctx, at, storage.PartPut{Multipart: m, Number: 1, Size: 5, TTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if resp := sendSigned(t, "PUT", signed, []byte(body)); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	put("first")
	listed, err := c.Parts(ctx, at, m, 0)
	if err != nil {
		t.Fatal(err)
	}
	put("other")
	if err := c.Complete(ctx, at, m, listed); !errors.Is(err, storage.ErrPartChanged) {
		t.Errorf("completed with another part: %v", err)
	}
	put("first")
	if err := c.Complete(ctx, at, m, listed); err != nil {
		t.Error(err)
	}
}

func TestCheckDirect(t *testing.T) {
	c := direct(t)
	if needsSums, err := c.CheckDirect(t.Context(), "direct-1"); err != nil || !needsSums {
		t.Errorf("%t %v, and versitygw keeps parts that broke off", needsSums, err)
	}
	nothingIsLeft(t, c, "direct-1")
}

// nothingIsLeft checks that a bucket has neither objects nor multipart uploads.
func nothingIsLeft(t *testing.T, c *Client, bucket string) {
	t.Helper()
	begun := 0
	err := c.Multiparts(t.Context(), bucket, func(storage.MultipartUpload) error { begun++; return nil })
	if objects, unlisted := c.List(t.Context(), bucket, "", ""); err != nil || unlisted != nil || len(objects)+begun > 0 {
		t.Errorf("left: %d objects, %d multipart uploads (%v, %v)", len(objects), begun, err, unlisted)
	}
}

// A store that completes an upload only if it is told the sum of each part, which it does not list, as SeaweedFS does,
// is found out, and uploads to it have the sum of the whole object.
func TestCheckDirectFindsWholeSums(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s)
	perPart := func(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
		whole := slices.ContainsFunc(p.requests(), func(r *http.Request) bool {
			return r.URL.Query().Has("uploads") && r.Header.Get("X-Amz-Checksum-Type") == "FULL_OBJECT"
		})
		if whole {
			p.pass.ServeHTTP(w, r)
			return
		}
		answers(http.StatusBadRequest, "InvalidRequest")(p, w, r)
	}
	p.harm("POST", "uploadId=", 100, perPart)
	if _, err := c.CheckDirect(t.Context(), "direct-1"); err != nil {
		t.Fatal(err)
	}
	nothingIsLeft(t, c, "direct-1")
	if probes(t, p) == 0 {
		t.Error("there was no probe")
	}
}

// The store is also asked about parts that break off where it is reached through a proxy.
func TestCheckDirectByProxy(t *testing.T) {
	s := s3test.Start(t)
	proxy := newFaultyProxy(t, s, false)
	by, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{Endpoint: "http://store.invalid:9000", Region: s.Region, AccessKey: s.AccessKey,
		SecretKey: s.SecretKey, Proxy: func(*url.URL) (*url.URL, error) { return by, nil }, limits: testLimits})
	t.Cleanup(c.Close)
	if needsSums, err := c.CheckDirect(t.Context(), "direct-1"); err != nil || !needsSums {
		t.Errorf("%t %v, and versitygw keeps parts that broke off", needsSums, err)
	}
}

// unsafeStore answers some requests in place of a store.
type unsafeStore struct {
	name   string
	answer func(w http.ResponseWriter, r *http.Request) bool // false: the store answers
	says   string                                            // the error
}

func unsafe() []unsafeStore {
	begun := 0 // multipart uploads
	return []unsafeStore{
		{"any length", func(_ http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
		}, "longer"},
		{"no part", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || !r.URL.Query().Has("partNumber") {
				return false
			}
			w.WriteHeader(http.StatusForbidden)
			return true
		}, "refuses a part"},
		{"no list", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !r.URL.Query().Has("uploadId") {
				return false
			}
			w.WriteHeader(http.StatusNotImplemented)
			return true
		}, "does not list"},
		{"no object", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || !r.URL.Query().Has("uploadId") {
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "<Error><Code>InvalidRequest</Code></Error>")
			return true
		}, "makes no object"},
		{"parts that broke off", func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Has("uploads") {
				begun++
			}
			id := r.URL.Query().Get("uploadId")
			if r.Method != http.MethodGet || id == "" || begun == 1 { // the first upload is the one with whole parts
				return false
			}
			fmt.Fprintf(w, "<ListPartsResult><UploadId>%s</UploadId><Part><PartNumber>1</PartNumber></Part></ListPartsResult>",
				id)
			return true
		}, "broke off"},
	}
}

// A store that does not keep to what was signed is found out.
func TestCheckDirectFindsOut(t *testing.T) {
	behind := s3test.Start(t)
	to, err := url.Parse(behind.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range unsafe() {
		t.Run(test.name, func(t *testing.T) {
			proxy := httputil.NewSingleHostReverseProxy(to)
			between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !test.answer(w, r) {
					proxy.ServeHTTP(w, r)
				}
			}))
			defer between.Close()
			c := New(Options{Endpoint: between.URL, Region: behind.Region, AccessKey: behind.AccessKey,
				SecretKey: behind.SecretKey, limits: testLimits})
			defer c.Close()
			_, err := c.CheckDirect(t.Context(), "direct-1")
			if !errors.Is(err, storage.ErrNoDirect) || !strings.Contains(err.Error(), test.says) {
				t.Error(err)
			}
		})
	}
}
