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

// LinkRows keeps links: file.ErrNotFound for one that is not there (any more).
type LinkRows interface {
	CreateLink(ctx context.Context, l file.Link) error
	Link(ctx context.Context, id string) (file.Link, error)
	LinksEnded(ctx context.Context, id file.ID) (bool, error)
}

// Links signs links that open one file without a token, and knows them again. A link
// says in its query until when it is good and how the file is to be shown, and has a secret of
// its own; the signature is an HMAC-SHA256 (RFC 2104) over those and the file's id. Whose link
// it is, is kept in a row: it opens what its maker may read.
//
// A backend has to be asked with what the maker came with. That lies in the row, too, under a
// key made of the secret: neither the row nor the link alone tells it.
type Links struct {
	keys [][]byte
	rows LinkRows
	now  func() time.Time
}

// NewLinks returns Links that sign with the first key and accept all: to change keys, put
// a new one in front, and take the old one away when its last link has expired. There
// must be at least one.
func NewLinks(keys [][]byte, rows LinkRows, now func() time.Time) *Links {
	return &Links{keys, rows, now}
}

const (
	linkExpires     = "expires"     // seconds since 1970 UTC
	linkDisposition = "disposition" // attachment or inline; may be missing
	linkSecret      = "link"        // links of the version before have none
	linkSignature   = "signature"
)

// Make keeps a link to the file id that opens it as maker, and returns its query and its own
// id.
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

// Maker says as whom somebody with a link may read its file. The zero Identity stands for a link
// of the version before, which nobody knows the maker of: it opens its file until it expires or
// all links of the file are ended. The error is file.ErrLink for a link that was ended.
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

// mac signs the parts of a link; quoted, none can run into the next.
func mac(key []byte, id file.ID, secret string, expires int64, disposition string) []byte {
	h := hmac.New(sha256.New, key)
	if secret == "" { // as the version before signed
		fmt.Fprintf(h, "holdfast link 1\n%d\n%q\n%q", expires, disposition, id)
	} else {
		fmt.Fprintf(h, "holdfast link 2\n%d\n%q\n%q\n%q", expires, disposition, id, secret)
	}
	return h.Sum(nil)
}
