package s3

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash/crc32"
	"net/http"
	"syscall"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

// What arrives at a real server, which checks it, under each setting.
func TestSigning(t *testing.T) {
	s := s3test.Start(t)
	body := random(t, 1<<20)
	sum := sha256.Sum256(body)
	hash, unsigned, trailer := hex.EncodeToString(sum[:]), "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	check := crc32.NewIEEE()
	check.Write(body)
	crc := base64.StdEncoding.EncodeToString(check.Sum(nil))
	for _, c := range []struct {
		tls                   bool
		signing               Signing
		google                bool
		hash, crc, crcTrailer string
	}{
		{false, Unsigned, false, unsigned, crc, ""},
		{false, Signed, false, hash, crc, ""},
		{false, SigningDefault, false, hash, crc, ""},
		{true, Unsigned, false, trailer, "", "x-amz-checksum-crc32"},
		{true, Signed, false, hash, crc, ""},
		{true, SigningDefault, false, trailer, "", "x-amz-checksum-crc32"},
		{true, Unsigned, true, unsigned, "", ""},
		{true, SigningDefault, true, unsigned, "", ""},
		{true, Signed, true, hash, "", ""},
	} {
		p := newFaultyProxy(t, s, c.tls)
		client := p.client(t, s, func(o *Options) {
			o.Signing = c.signing
			if c.google {
				o.Quirks, _ = Google.Quirks()
			}
		})
		at := file.Location{Bucket: "signing-1", Key: string(file.NewID())}
		id, err := client.BeginMultipart(t.Context(), at, "x/y", false)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		// The second try must be signed alike.
		for i, fault := range []fault{nil, answers(503, "SlowDown")} {
			p.harm("PUT", "", i, fault)
			if _, err := client.Put(t.Context(), at, "x/y", bytes.NewReader(body), 1<<20); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			seen := p.requests()
			p.harm("PUT", "", i, fault)
			part, err := client.PutPart(t.Context(), at, id, 1, bytes.NewReader(body), 1<<20)
			if err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			for _, r := range append(seen, p.requests()...) {
				h := r.Header
				if r.Method != http.MethodPut || h.Get("X-Amz-Content-Sha256") != c.hash ||
					h.Get("X-Amz-Checksum-Crc32") != c.crc || h.Get("X-Amz-Trailer") != c.crcTrailer {
					t.Errorf("%+v: %s %s\nhash %q, crc %q, trailer %q", c, r.Method, r.RequestURI, h.Get("X-Amz-Content-Sha256"),
						h.Get("X-Amz-Checksum-Crc32"), h.Get("X-Amz-Trailer"))
				}
			}
			if i == 1 {
				if err := client.Complete(t.Context(), at, id, []file.Part{part}); err != nil {
					t.Errorf("%+v: %v", c, err)
				}
			}
		}
		if got := read(t, client, at, 0, 1<<20); !bytes.Equal(got, body) {
			t.Errorf("%+v: other bytes came back", c)
		}
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

// cpu is what this process, without the server, has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
