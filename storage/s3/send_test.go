package s3

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/internal/test/testproc"
	"holdfast/storage"
	"holdfast/storage/storagetest"
)

// held is a body in memory, in three pieces.
type held struct {
	*bytes.Reader
	all []byte
}

func holding(b []byte) held { return held{bytes.NewReader(b), b} }

func (h held) Pieces() ([][]byte, bool) {
	third := len(h.all) / 3
	return [][]byte{h.all[:third], h.all[third : 2*third], h.all[2*third:]}, true
}

// sender holds each body in memory, as the engine does, so that the client sends it by itself.
type sender struct{ *Client }

func (s sender) Put(ctx context.Context, at file.Location, kind string, body io.ReadSeeker, size int64) (string,
	error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	return s.Client.Put(ctx, at, kind, holding(b), size)
}

func (s sender) PutPart(ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker,
	size int64) (file.Part, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return file.Part{}, err
	}
	return s.Client.PutPart(ctx, at, m, number, holding(b), size)
}

// What the client sends by itself keeps the contract as what the SDK sends.
func TestSendKeepsTheContract(t *testing.T) {
	storagetest.Run(t, sender{direct(t)}, storagetest.PlainKeys, storagetest.CompletesUnknown)
}

// Each fault of the way is met twice, and passes.
func TestSendMeetsFaults(t *testing.T) {
	f := newFaulty(t)
	f.body = func(b []byte) io.ReadSeeker { return holding(b) }
	for name, fault := range map[string]fault{
		"500": answers(500, "InternalError"), "503": answers(503, "SlowDown"), "429": answers(429, "TooManyRequests"),
		"409": answers(409, "ExistingObjectIsDirectory"), "502 of a proxy": answers(502, ""), "reset": resets,
		"cut answer": cuts, "half an answer": ends, "hang": hangs, "stall": stops, "digest": answers(400, "BadDigest"),
	} {
		t.Run("Put "+name, func(t *testing.T) {
			f.proxy.harm("PUT", "faults-1/", 2, fault)
			f.passes(t, f.doPut)
		})
		if name == "409" { // versitygw says it while a folder is being removed
			continue
		}
		t.Run("PutPart "+name, func(t *testing.T) {
			f.proxy.harm("PUT", "partNumber=2", 2, fault)
			f.passes(t, f.doUpload)
		})
	}
}

// A failure is the same as if the SDK had met it, and is tried as often.
func TestSendFailsAsTheSDK(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s, hasty)
	at := file.Location{Bucket: "send-1", Key: "k"}
	if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader(nil), 0); err != nil {
		t.Fatal(err)
	}
	kinds := []error{file.ErrStorageWrite, file.ErrNoSpace, file.ErrObjectMissing, storage.ErrNoUpload, context.Canceled}
	about := func(err error) string {
		text := fmt.Sprintf("%d %s %s, refuses keys: %t, tries: %d", status(err), code(err), reasonOf(err), refusesKeys(err),
			len(p.requests()))
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				text += ", " + kind.Error()
			}
		}
		return text
	}
	b := random(t, 1<<20)
	for name, fault := range map[string]fault{
		"denied": answers(403, "AccessDenied"), "keys": answers(403, "InvalidAccessKeyId"), "full": answers(507, "X"),
		"full MinIO": answers(503, "XMinioStorageFull"), "no upload": answers(404, "NoSuchUpload"),
		"moved": answers(301, "PermanentRedirect"), "large": answers(413, "EntityTooLarge"),
		"throttled": answers(503, "SlowDown"), "broken": answers(500, "InternalError"), "reset": resets, "hang": hangs,
		"quota": answers(403, "QuotaExceeded"), "digest": answers(400, "BadDigest"),
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			for _, body := range []io.ReadSeeker{bytes.NewReader(b), holding(b)} {
				p.harm("PUT", "", 100, fault)
				_, err := c.PutPart(t.Context(), at, file.Multipart{ID: "u"}, 1, body, int64(len(b)))
				said = append(said, about(err))
			}
			if said[0] != said[1] {
				t.Errorf("by the SDK: %s\nby itself:  %s", said[0], said[1])
			}
		})
	}
}

// The end of the context ends a call, wherever it is.
func TestSendEndsWithItsContext(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s, func(o *Options) { o.limits.stallRead, o.limits.stallWrite = time.Minute, time.Minute })
	at := file.Location{Bucket: "send-2", Key: "k"}
	if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader(nil), 0); err != nil {
		t.Fatal(err)
	}
	b := random(t, 16<<20) // more than the connection holds
	for name, stays := range map[string]fault{"while it waits": hangs, "while it sends": stops} {
		ctx, cancel := context.WithCancel(t.Context())
		p.harm("PUT", "", 100, func(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
			go cancel()
			stays(p, w, r)
		})
		if _, err := c.Put(ctx, at, "x/y", holding(b), int64(len(b))); !errors.Is(err, context.Canceled) ||
			!errors.Is(err, file.ErrStorageWrite) || len(p.requests()) != 1 {
			t.Errorf("%s: %v after %d tries", name, err, len(p.requests()))
		}
	}
}

// What is signed and summed is what the SDK signs and sums over plain HTTP.
func TestSendSigns(t *testing.T) {
	s := s3test.Start(t)
	for _, signing := range []Signing{SigningDefault, Signed, Unsigned} {
		p := newFaultyProxy(t, s, false)
		c := p.client(t, s, func(o *Options) { o.Signing = signing })
		at := file.Location{Bucket: "send-3", Key: "a key/with ü+&"}
		b := random(t, 1<<20)
		var seen [2]http.Header
		for i, body := range []io.ReadSeeker{bytes.NewReader(b), holding(b)} {
			if _, err := c.Put(t.Context(), at, "x/y; a=b", body, int64(len(b))); err != nil {
				t.Fatal(err)
			}
			seen[i] = p.requests()[len(p.requests())-1].Header
		}
		for _, name := range []string{"X-Amz-Content-Sha256", "X-Amz-Checksum-Crc32", "Content-Type", "Content-Length"} {
			if !slices.Equal(seen[0][name], seen[1][name]) {
				t.Errorf("%q %s: %q, the SDK sends %q", signing, name, seen[1][name], seen[0][name])
			}
		}
	}
}

// raw is a server of one connection after the other, which answers by itself.
func raw(t *testing.T, answer func(*bufio.Reader, net.Conn)) *Client {
	t.Helper()
	address := testproc.Listen(t, func(conn net.Conn) { answer(bufio.NewReader(conn), conn) })
	limits := testLimits
	limits.write, limits.stallRead, limits.stallWrite = time.Hour, time.Hour, time.Hour // nothing here may wait for them
	c := New(Options{Endpoint: "http://" + address, Region: "us-east-1", AccessKey: "a", SecretKey: "s",
		Signing: Unsigned, limits: limits})
	t.Cleanup(c.Close)
	return c
}

// putPart sends a part of some MiB, which is more than a connection holds.
func putPart(t *testing.T, c *Client) (file.Part, error) {
	t.Helper()
	b := make([]byte, 16<<20)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // ends what would not
	defer cancel()
	part, err := c.PutPart(ctx, file.Location{Bucket: "raw-1", Key: "k"}, file.Multipart{ID: "u", Sums: true}, 1,
		holding(b), int64(len(b)))
	if ctx.Err() != nil {
		t.Error("it waited until its time was over")
	}
	return part, err
}

// A store that takes nothing more is given up.
func TestSendGivesUpAStall(t *testing.T) {
	c := raw(t, func(*bufio.Reader, net.Conn) { <-t.Context().Done() })
	c.limits.stallWrite = time.Second
	if _, err := putPart(t, c); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, file.ErrStorageWrite) {
		t.Error(err)
	}
}

// A store that refuses before it has read the body, and reads no more, is not waited for.
func TestSendTakesAnEarlyAnswer(t *testing.T) {
	c := raw(t, func(in *bufio.Reader, conn net.Conn) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 36\r\n\r\n<Error><Code>AccessDenied</Code></Er")
		<-t.Context().Done() // and neither reads nor closes
	})
	_, err := putPart(t, c)
	if status(err) != http.StatusForbidden || !errors.Is(err, file.ErrStorageWrite) {
		t.Error(err)
	}
}

// Interim answers are passed over, a few of them; and a connection that the store has closed while it was idle is
// replaced.
func TestSendReadsTheAnswer(t *testing.T) {
	after := func(head string) *Client {
		return raw(t, func(in *bufio.Reader, conn net.Conn) {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			io.WriteString(conn, head)
			io.Copy(io.Discard, r.Body)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nX-Amz-Checksum-Crc32: crc\r\nContent-Length: 0\r\n\r\n")
		})
	}
	for _, head := range []string{"", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"} {
		c := after(head)
		for range 2 {
			part, err := putPart(t, c)
			if err != nil || part.ETag != `"x"` || part.CRC32 != "crc" {
				t.Errorf("after %q: %+v %v", head, part, err)
			}
		}
	}
	c := after(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", maxInterim+1))
	if _, err := putPart(t, c); !errors.Is(err, file.ErrStorageWrite) {
		t.Error("interim answers without end:", err)
	}
}

// A success without a tag is not the store's, and neither is one before the store has the bytes.
func TestSendBelievesOnlyTheStore(t *testing.T) {
	for name, early := range map[string]bool{"no tag": false, "early": true} {
		c := raw(t, func(in *bufio.Reader, conn net.Conn) {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if early {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n")
				<-t.Context().Done()
				return
			}
			io.Copy(io.Discard, r.Body)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		})
		if _, err := putPart(t, c); !errors.Is(err, file.ErrStorageWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A body that is not as long as was said is not sent.
func TestSendCountsTheBytes(t *testing.T) {
	c := direct(t)
	at := file.Location{Bucket: "send-4", Key: "k"}
	if _, err := c.Put(t.Context(), at, "x/y", holding([]byte("hello")), 6); err == nil {
		t.Error("five bytes were taken for six")
	}
}
