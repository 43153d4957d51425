package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"holdfast/file"
)

// Links signs links that open one file without a token, and knows them again. A link
// says in its query until when it is good and how the file is to be shown; the signature
// is an HMAC-SHA256 (RFC 2104) over that and the file's id.
type Links struct {
	keys [][]byte
	now  func() time.Time
}

// NewLinks returns Links that sign with the first key and accept all: to change keys, put
// a new one in front, and take the old one away when its last link has expired. There
// must be at least one.
func NewLinks(keys [][]byte, now func() time.Time) *Links { return &Links{keys, now} }

const (
	linkExpires     = "expires"     // seconds since 1970 UTC
	linkDisposition = "disposition" // attachment or inline; may be missing
	linkSignature   = "signature"
)

// Sign returns the query of a link.
func (l *Links) Sign(id file.ID, expires time.Time, disposition string) string {
	q := url.Values{
		linkExpires:   {strconv.FormatInt(expires.Unix(), 10)},
		linkSignature: {base64.RawURLEncoding.EncodeToString(mac(l.keys[0], id, expires.Unix(), disposition))},
	}
	if disposition != "" {
		q.Set(linkDisposition, disposition)
	}
	return q.Encode()
}

// IsLink says whether a query claims to be a link's. Whoever comes with one is judged by
// it alone.
func IsLink(q url.Values) bool { return q.Has(linkSignature) }

// Identify says who comes with a link to the file id: somebody who may read that file,
// and nothing else. The error is file.ErrLink, or file.ErrLinkExpired for a link that was
// good once.
func (l *Links) Identify(id file.ID, q url.Values) (file.Identity, error) {
	expires, err := strconv.ParseInt(q.Get(linkExpires), 10, 64)
	if err != nil {
		return file.Identity{}, fmt.Errorf("when it expires: %w", file.ErrLink)
	}
	signature, err := base64.RawURLEncoding.DecodeString(q.Get(linkSignature))
	if err != nil {
		return file.Identity{}, fmt.Errorf("signature: %w", file.ErrLink)
	}
	good := false
	for _, key := range l.keys {
		good = hmac.Equal(signature, mac(key, id, expires, q.Get(linkDisposition))) || good
	}
	switch {
	case !good:
		return file.Identity{}, file.ErrLink
	case !l.now().Before(time.Unix(expires, 0)):
		return file.Identity{}, file.ErrLinkExpired
	}
	return file.Identity{Kind: file.KindLink, File: id}, nil
}

// mac signs the parts of a link; quoted, none can run into the next.
func mac(key []byte, id file.ID, expires int64, disposition string) []byte {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "holdfast link 1\n%d\n%q\n%q", expires, disposition, id)
	return h.Sum(nil)
}
