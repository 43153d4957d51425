package s3

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"holdfast/file"
)

// A request is signed as the SDK signs it, on every day, and is sent as it was signed.
func TestSignsAsTheSDK(t *testing.T) {
	key := "objects/a b/ü+&=~(x)'*"
	days := []time.Time{time.Date(2026, 11, 29, 23, 59, 59, 0, time.UTC), time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 30, 1, 30, 0, 0, time.FixedZone("", 2*3600))} // that is still the day before
	for _, endpoint := range []string{"http://store:9000", "http://store:80/", "http://[::1]:9000/a/path"} {
		base, err := url.Parse(endpoint)
		if err != nil {
			t.Fatal(err)
		}
		s := newSigner(Options{Region: "eu-central-1", AccessKey: "AKIA", SecretKey: "secret/+ ü"}, base)
		for name, r := range map[string]request{
			"range": {method: http.MethodGet, at: file.Location{Bucket: "b-1", Key: key}, hash: emptyHash,
				fields: []field{{"range", "bytes=0-9"}, {"if-match", `"a"`}}},
			"part": {method: http.MethodPut, at: file.Location{Bucket: "b-1", Key: key}, hash: "UNSIGNED-PAYLOAD", size: 10,
				query: url.Values{"uploadId": {"a b+/="}, "partNumber": {"7"}}},
			"object": {method: http.MethodPut, at: file.Location{Bucket: "b-1", Key: key}, hash: emptyHash,
				fields: []field{{"content-type", " text/plain;  a=\"b\r\nc\"  "}, {"x-amz-checksum-crc32", "AAAA"}}},
			"bucket": {method: http.MethodPost, at: file.Location{Bucket: "b-1"}, hash: emptyHash, size: 3,
				query: url.Values{"delete": {""}}},
		} {
			for _, now := range days {
				head := s.head(r, now)
				got, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, head)
				}
				if got.Header.Get("X-Amz-Content-Sha256") != r.hash || got.ContentLength != r.size {
					t.Errorf("%s: %v", name, got)
				}
				if want := bySDK(t, s, r, now); got.Header.Get("Authorization") != want.Header.Get("Authorization") ||
					got.RequestURI != want.URL.RequestURI() {
					t.Errorf("%s, %s, %s\n%s\n%s\nwant %s\n%s", endpoint, name, now, got.RequestURI,
						got.Header.Get("Authorization"), want.URL.RequestURI(), want.Header.Get("Authorization"))
				}
			}
		}
	}
}

// bySDK is the same request, signed by the SDK.
func bySDK(t *testing.T, s *signer, r request, now time.Time) *http.Request {
	t.Helper()
	path := s.path + "/" + r.at.Bucket
	if r.at.Key != "" {
		path += "/" + r.at.Key
	}
	req := &http.Request{Method: r.method, Header: http.Header{"X-Amz-Content-Sha256": {r.hash}}, Host: s.host,
		URL: &url.URL{Scheme: "http", Host: s.host, Path: path, RawPath: httpbinding.EscapePath(path, false),
			RawQuery: r.query.Encode()}, ContentLength: r.size}
	for _, f := range r.fields {
		req.Header.Set(f.name, oneLine(f.value))
	}
	sdk := v4.NewSigner(func(so *v4.SignerOptions) { so.DisableURIPathEscaping = true })
	if err := sdk.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: s.accessKey, SecretAccessKey: s.secretKey}, req,
		r.hash, "s3", s.region, now); err != nil {
		t.Fatal(err)
	}
	return req
}

func BenchmarkSign(b *testing.B) {
	base, err := url.Parse("http://store:9000")
	if err != nil {
		b.Fatal(err)
	}
	s, now := newSigner(Options{Region: "us-east-1", AccessKey: "a", SecretKey: "s"}, base), time.Now()
	r := request{method: http.MethodGet, at: file.Location{Bucket: "b-1", Key: fmt.Sprintf("objects/%s", file.NewID())},
		hash: emptyHash, fields: []field{{"range", "bytes=0-65535"}, {"if-match", `"a"`}}}
	b.ReportAllocs()
	for b.Loop() {
		s.head(r, now)
	}
}
