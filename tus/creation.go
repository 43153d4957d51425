package tus

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"

	"holdfast/digest"
	"holdfast/file"
	"holdfast/upload"
)

// create creates the upload of a request. If the request also sends bytes, the row is written together with its lease.
func (o Options) create(e handler.HookEvent) (file.ID, error) {
	c, err := readCreation(e.HTTPRequest.Header)
	if err != nil {
		return "", err
	}
	x := exchangeOf(e.Context)
	c.Size, c.Deferred, c.Partial = e.Upload.Size, e.Upload.SizeIsDeferred, x.partial
	// Clients of the IETF's draft send the file's name and type in Content-Disposition and Content-Type.
	c.Name = cmp.Or(c.Name, e.Upload.MetaData["filename"])
	c.Type = cmp.Or(c.Type, e.Upload.MetaData["filetype"])
	if c.Size == 0 && !c.Deferred {
		if err := x.readNothing(); err != nil {
			return "", err
		}
	}
	if c.Size == 0 && !c.Deferred || x.draft != "" || x.r.Header.Get("Content-Type") == offsetMediaType {
		s, err := o.Engine.Create(e.Context, c, x.body.Interrupt)
		if err != nil {
			return "", err
		}
		x.setSession(s)
	} else if x.upload, err = o.Engine.Begin(e.Context, c); err != nil {
		return "", err
	}
	return x.upload.ID, nil
}

// readNothing reads the body of a request that creates an empty file to its end, and compares its checksum. tusd does
// not read it, so neither bytes that should not be there nor trailers would be noticed.
func (x *exchange) readNothing() error {
	n, err := io.ReadFull(x.body, make([]byte, 1))
	switch {
	case n > 0 && (x.draft != "" || x.r.Header.Get("Content-Type") == offsetMediaType):
		return file.Refuse(file.ErrTooLarge, "The file is to have no bytes, and the body has some")
	case n > 0: // tus 1.0.0 does not give another body a meaning
	case x.err != nil: // the body was refused
		return x.err
	case !errors.Is(err, io.EOF):
		return file.Refuse(file.ErrCutOff, "the body broke off")
	case x.check != nil:
		return x.check.Verify()
	}
	return nil
}

// readCreation reads everything about a new file, except its length, from the headers of a request.
func readCreation(h http.Header) (upload.Creation, error) {
	// tusd's own parser drops what it does not understand.
	header := strings.Join(h.Values(digest.Metadata), ",")
	pairs, err := parseMetadata(header)
	if err != nil {
		return upload.Creation{}, err
	}
	claim, err := parseClaim(pairs, h)
	return upload.Creation{Metadata: header, Name: first(pairs, "filename", "name"), Type: first(pairs, "filetype",
		"type"), Claim: claim}, err
}

// parseClaim reads the SHA-256 of the whole file that a client declares: the metadata "sha256", in hexadecimal digits
// or base64, or the header Repr-Digest. Without either the result is nil. A value that can't be parsed, or two that
// differ, are file.ErrInvalid: a check that a client asks for must not be skipped silently.
func parseClaim(metadata map[string]string, h http.Header) ([]byte, error) {
	var claim []byte
	if v := metadata["sha256"]; v != "" {
		if claim = digest.ParseSum(v); claim == nil {
			return nil, file.Refuse(file.ErrInvalid,
				"Upload-Metadata: sha256 must be 64 hexadecimal digits, or 32 bytes in base64")
		}
	}
	sum, err := digest.Parse(h, "Repr-Digest")
	if err != nil || sum == nil {
		return claim, err
	}
	if claim != nil && !bytes.Equal(claim, sum) {
		return nil, file.Refuse(file.ErrInvalid, "Repr-Digest and the metadata's sha256 differ")
	}
	return sum, nil
}
