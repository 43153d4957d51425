package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"holdfast/file"
)

// LinkRows stores links. The error is file.ErrNotFound for a link that does not exist, or no longer.
type LinkRows interface {
	CreateLink(ctx context.Context, l file.Link) error
	Link(ctx context.Context, id string) (file.Link, error)
	LinksEnded(ctx context.Context, id file.ID) (bool, error)
}

// Links signs and verifies links that open one file without a token. The query of a link has
// its expiry, the disposition of the file and a secret of its own. The signature is an
// HMAC-SHA256 (RFC 2104) over those and the file's id. The maker of a link is stored in a row:
// the link opens its file only while the maker may read it.
//
// The backend is asked with the credential that the maker presented. The row has that, too,
// encrypted with a key derived from the secret: neither the row nor the link alone reveals it.
type Links struct {
	keys [][]byte
	rows LinkRows
	now  func() time.Time
}

// NewLinks returns Links that sign with the first key and accept all keys. To rotate keys, put
// a new one in front, and remove the old one when its last link has expired. There must be at
// least one key.
func NewLinks(keys [][]byte, rows LinkRows, now func() time.Time) *Links {
	return &Links{keys, rows, now}
}

const (
	linkExpires     = "expires"     // seconds since 1970 UTC
	linkDisposition = "disposition" // attachment or inline; may be missing
	linkSecret      = "link"        // links of the previous version have none
	linkSignature   = "signature"
)

// Make stores a link that opens the file id with the rights of maker. It returns the link's
// query and its id.
func (l *Links) Make(ctx context.Context, id file.ID, maker file.Identity, expires time.Time,
	disposition string) (query, link string, err error) {
	if maker.Kind == "" || maker.Kind == file.KindLink {
		return "", "", fmt.Errorf("make link: %w", file.ErrForbidden)
	}
	secret := newSecret()
	sealed, err := seal(secret, maker.Credential)
	if err != nil {
		return "", "", err
	}
	link = Fingerprint(secret)
	if err := l.rows.CreateLink(ctx, file.Link{ID: link, File: id, Maker: maker, Sealed: sealed,
		ExpiresAt: expires}); err != nil {
		return "", "", err
	}
	return l.sign(id, secret, expires, disposition), link, nil
}

// sign returns the query of a link.
func (l *Links) sign(id file.ID, secret string, expires time.Time, disposition string) string {
	q := url.Values{
		linkExpires:   {strconv.FormatInt(expires.Unix(), 10)},
		linkSignature: {base64.RawURLEncoding.EncodeToString(mac(l.keys[0], id, secret, expires.Unix(), disposition))},
	}
	if secret != "" {
		q.Set(linkSecret, secret)
	}
	if disposition != "" {
		q.Set(linkDisposition, disposition)
	}
	return q.Encode()
}

// IsLink reports whether a query claims to be that of a link. Such a request is authenticated
// by the link alone.
func IsLink(q url.Values) bool { return q.Has(linkSignature) }

// Identify returns the identity of the bearer of a link to the file id, who may read that file
// and nothing else. The error is file.ErrLink, or file.ErrLinkExpired for a link that was
// good once.
func (l *Links) Identify(id file.ID, q url.Values) (file.Identity, error) {
	expires, err := strconv.ParseInt(q.Get(linkExpires), 10, 64)
	if err != nil {
		return file.Identity{}, fmt.Errorf("expiry: %w", file.ErrLink)
	}
	signature, err := base64.RawURLEncoding.DecodeString(q.Get(linkSignature))
	if err != nil {
		return file.Identity{}, fmt.Errorf("signature: %w", file.ErrLink)
	}
	good := false
	for _, key := range l.keys {
		good = hmac.Equal(signature, mac(key, id, q.Get(linkSecret), expires, q.Get(linkDisposition))) || good
	}
	switch {
	case !good:
		return file.Identity{}, file.ErrLink
	case !l.now().Before(time.Unix(expires, 0)):
		return file.Identity{}, file.ErrLinkExpired
	}
	return file.Identity{Kind: file.KindLink, File: id, Credential: file.NewCredential(linkSecret, q.Get(linkSecret))}, nil
}

// Maker returns the maker of a link, with whose rights the bearer, who, reads the file. The zero
// Identity stands for a link of the previous version, whose maker is unknown: it opens its file
// until it expires or all links of the file are revoked. The error is file.ErrLink for a revoked link.
func (l *Links) Maker(ctx context.Context, who file.Identity) (file.Identity, error) {
	_, secret := who.Credential.Reveal()
	if secret == "" {
		ended, err := l.rows.LinksEnded(ctx, who.File)
		if err == nil && ended {
			err = file.ErrLink
		}
		return file.Identity{}, err
	}
	row, err := l.rows.Link(ctx, Fingerprint(secret))
	switch {
	case errors.Is(err, file.ErrNotFound) || err == nil && row.File != who.File:
		return file.Identity{}, fmt.Errorf("ended: %w", file.ErrLink)
	case err != nil:
		return file.Identity{}, err
	}
	row.Maker.Credential, err = unseal(secret, row.Sealed)
	return row.Maker, err
}

// mac signs the parts of a link. They are quoted, so that none can run into the next.
func mac(key []byte, id file.ID, secret string, expires int64, disposition string) []byte {
	h := hmac.New(sha256.New, key)
	if secret == "" { // the previous version's form
		fmt.Fprintf(h, "holdfast link 1\n%d\n%q\n%q", expires, disposition, id)
	} else {
		fmt.Fprintf(h, "holdfast link 2\n%d\n%q\n%q\n%q", expires, disposition, id, secret)
	}
	return h.Sum(nil)
}
