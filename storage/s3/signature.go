package s3

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"holdfast/file"
)

// signer signs requests with AWS Signature Version 4, in S3's variant, which escapes the path once. The SDK's signer
// derives the key from the secret for every request, and copies every header; for a short range that costs more than
// the bytes.
type signer struct {
	host, path                   string // of the endpoint; the path has no slash at its end
	region, accessKey, secretKey string
	today                        atomic.Pointer[signingKey]
}

// signingKey is the key of one day.
type signingKey struct {
	day string // YYYYMMDD, UTC
	key []byte
}

// newSigner returns the signer for a store behind an endpoint.
func newSigner(o Options, endpoint *url.URL) *signer {
	host := endpoint.Host
	if endpoint.Port() == "80" { // the default port is not part of Host
		host = strings.TrimSuffix(host, ":80")
	}
	return &signer{host: host, path: strings.TrimSuffix(endpoint.Path, "/"), region: o.Region, accessKey: o.AccessKey,
		secretKey: o.SecretKey}
}

// request is a request to the store, without its body.
type request struct {
	method string
	at     file.Location // without a key: of the bucket
	query  url.Values
	fields []field
	hash   string // the SHA-256 of the body, in hex, or UNSIGNED-PAYLOAD
	size   int64  // of the body, in bytes
}

// field is a header field; its name is in lower case.
type field struct{ name, value string }

// head returns the header of a signed request, as it is sent. All of its fields are signed.
func (s *signer) head(r request, now time.Time) []byte {
	date := now.UTC().Format("20060102T150405Z")
	day := date[:8]
	fields := append(make([]field, 0, len(r.fields)+4), r.fields...)
	fields = append(fields, field{"host", s.host}, field{"x-amz-content-sha256", r.hash}, field{"x-amz-date", date})
	if r.size > 0 {
		fields = append(fields, field{"content-length", strconv.FormatInt(r.size, 10)})
	}
	for i := range fields {
		fields[i].value = oneLine(fields[i].value)
	}
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	path := s.path + "/" + r.at.Bucket
	if r.at.Key != "" {
		path += "/" + r.at.Key
	}
	path, query := httpbinding.EscapePath(path, false), strings.ReplaceAll(r.query.Encode(), "+", "%20")

	names, canonical := make([]byte, 0, 128), make([]byte, 0, 1024)
	canonical = append(canonical, r.method+"\n"+path+"\n"+query+"\n"...)
	for i, f := range fields {
		if i > 0 {
			names = append(names, ';')
		}
		names = append(names, f.name...)
		canonical = append(canonical, f.name+":"+f.value+"\n"...)
	}
	canonical = append(append(append(canonical, '\n'), names...), "\n"+r.hash...)

	scope := day + "/" + s.region + "/s3/aws4_request"
	sum := sha256.Sum256(canonical)
	signature := hex.EncodeToString(mac(s.key(day), "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))

	if query != "" {
		query = "?" + query
	}
	head := append(canonical[:0], r.method+" "+path+query+" HTTP/1.1\r\n"...)
	for _, f := range fields {
		head = append(head, f.name+": "+f.value+"\r\n"...)
	}
	if r.size == 0 && r.method != http.MethodGet {
		head = append(head, "content-length: 0\r\n"...)
	}
	return append(head, "user-agent: holdfast\r\nauthorization: AWS4-HMAC-SHA256 Credential="+s.accessKey+"/"+scope+
		", SignedHeaders="+string(names)+", Signature="+signature+"\r\n\r\n"...)
}

// key returns the signing key of a day.
func (s *signer) key(day string) []byte {
	if k := s.today.Load(); k != nil && k.day == day {
		return k.key
	}
	key := []byte("AWS4" + s.secretKey)
	for _, part := range []string{day, s.region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	s.today.Store(&signingKey{day, key})
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// oneLine returns a field's value as it is signed: without line breaks, and with single spaces.
func oneLine(value string) string {
	if !strings.ContainsAny(value, "\r\n") && !strings.Contains(value, "  ") && strings.TrimSpace(value) == value {
		return value
	}
	return strings.Join(strings.Fields(value), " ")
}
