package s3

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/http"
	"syscall"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

// sent is how a request that puts bytes is signed and summed.
type sent struct{ hash, crc, trailer string }

// A real server verifies requests under each setting.
func TestSigning(t *testing.T) {
	s := s3test.Start(t)
	body := random(t, 1<<20)
	sum := sha256.Sum256(body)
	check := crc32.NewIEEE()
	check.Write(body)
	hash, crc := hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(check.Sum(nil))
	unsigned := "UNSIGNED-PAYLOAD"
	inTrailer := sent{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "", "x-amz-checksum-crc32"}
	for _, c := range []struct {
		tls     bool
		signing Signing
		google  bool
		want    sent
	}{
		{false, Unsigned, false, sent{unsigned, crc, ""}},
		{false, Signed, false, sent{hash, crc, ""}},
		{false, SigningDefault, false, sent{hash, crc, ""}},
		{true, Unsigned, false, inTrailer},
		{true, Signed, false, sent{hash, crc, ""}},
		{true, SigningDefault, false, inTrailer},
		{true, Unsigned, true, sent{unsigned, "", ""}},
		{true, SigningDefault, true, sent{unsigned, "", ""}},
		{true, Signed, true, sent{hash, "", ""}},
	} {
		t.Run(fmt.Sprintf("TLS %t, signing %q, Google %t", c.tls, c.signing, c.google), func(t *testing.T) {
			p := newFaultyProxy(t, s, c.tls)
			client := p.client(t, s, func(o *Options) {
				o.Signing = c.signing
				if c.google {
					o.Quirks, _ = Google.Quirks()
				}
			})
			putAllWays(t, p, client, body, c.want)
		})
	}
}

// putAllWays puts body as an object and as a part, each once and again as a retry, which has to be signed alike.
func putAllWays(t *testing.T, p *faultyProxy, client *Client, body []byte, want sent) {
	t.Helper()
	at := file.Location{Bucket: "signing-1", Key: string(file.NewID())}
	id, err := client.BeginMultipart(t.Context(), at, "x/y", false)
	if err != nil {
		t.Fatal(err)
	}
	var part file.Part
	for faults, fault := range []fault{nil, answers(503, "SlowDown")} {
		p.harm("PUT", "", faults, fault)
		if _, err := client.Put(t.Context(), at, "x/y", bytes.NewReader(body), int64(len(body))); err != nil {
			t.Error(err)
		}
		seen := p.requests()
		p.harm("PUT", "", faults, fault)
		if part, err = client.PutPart(t.Context(), at, id, 1, bytes.NewReader(body), int64(len(body))); err != nil {
			t.Error(err)
		}
		for _, r := range append(seen, p.requests()...) {
			got := sent{r.Header.Get("X-Amz-Content-Sha256"), r.Header.Get("X-Amz-Checksum-Crc32"),
				r.Header.Get("X-Amz-Trailer")}
			if r.Method != http.MethodPut || got != want {
				t.Errorf("%s %s\n%+v, want %+v", r.Method, r.RequestURI, got, want)
			}
		}
	}
	if err := client.Complete(t.Context(), at, id, []file.Part{part}); err != nil {
		t.Error(err)
	}
	if got := read(t, client, at, 0, int64(len(body))); !bytes.Equal(got, body) {
		t.Error("other bytes came back")
	}
}

// BenchmarkPutPart sends parts to a second S3 server on this machine.
func BenchmarkPutPart(b *testing.B) {
	s := s3test.Start(b)
	const size = 8 << 20
	part := random(b, size)
	for _, signing := range []Signing{Unsigned, Signed} {
		b.Run(string(signing), func(b *testing.B) {
			c := New(Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
				Signing: signing})
			defer c.Close()
			at := file.Location{Bucket: "bench-1", Key: string(file.NewID())}
			id, err := c.BeginMultipart(b.Context(), at, "x/y", false)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			before := cpu(b)
			for i := int32(0); b.Loop(); i++ {
				if _, err := c.PutPart(b.Context(), at, id, i%16+1, bytes.NewReader(part), size); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpu(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpu returns the processor time of this process, without the server's.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
