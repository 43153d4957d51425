package resumable

import (
	"cmp"
	"net/http"

	"holdfast/digest"
	"holdfast/file"
	"holdfast/reqbody"
	"holdfast/upload"
)

// create creates an upload from this request (section 4.2). Its path may contain the file's name.
func (x *exchange) create(path string) error {
	c, err := x.readCreation(path)
	if err != nil {
		return err
	}
	check, err := readContentDigest(x.r)
	if err != nil {
		return err
	}
	if err := x.h.Limit(x.r, x.who); err != nil {
		return err
	}
	if x.session, err = x.h.Engine.Create(x.r.Context(), c, x.body.Interrupt); err != nil {
		return err
	}
	x.upload, x.created = x.session.Upload(), true
	progress := x.newInterim()
	progress.sendLocation(x.location(), x.limits())
	return x.receive(check, progress)
}

// readCreation reads the file's name, type and length from the headers. The length is Upload-Length, or Content-Length
// with Upload-Complete: ?1; if both are given they must be equal (section 4.1.3).
func (x *exchange) readCreation(path string) (c upload.Creation, err error) {
	if err := cmp.Or(reqbody.RefuseKey(x.r.Header), x.readComplete()); err != nil {
		return c, err
	}
	if c.Name, c.Type, err = readName(x.r.Header, path); err != nil {
		return c, err
	}
	if c.Claim, err = digest.Parse(x.r.Header, "Repr-Digest"); err != nil {
		return c, err
	}
	length, known := integer(x.r.Header, uploadLength)
	if n := x.r.ContentLength; x.complete && n >= 0 {
		if known && length != n {
			return c, file.Refuse(file.ErrLength, "Upload-Length is %d, but the complete body has %d bytes",
				length, n)
		}
		length, known = n, true
	}
	c.Size, c.Deferred = length, !known
	return c, nil
}

// readComplete reads whether the upload ends with this body. Without that the client may believe that it does. The last
// body must tell its own end, or a file without its bytes would be complete.
func (x *exchange) readComplete() error {
	var given bool
	if x.complete, given = isComplete(x.r.Header); !given {
		return errComplete
	}
	if x.complete {
		return reqbody.CheckLength(x.r)
	}
	return nil
}

// append appends this request's body to an upload (section 4.4).
func (x *exchange) append() error {
	offset, given := integer(x.r.Header, uploadOffset)
	switch {
	case !isPartial(x.r.Header):
		return file.Refuse(file.ErrMediaType, "Content-Type must be %s", partial)
	case !given:
		return file.Refuse(file.ErrInvalid, "Upload-Offset must be a number of bytes")
	case x.upload.Partial || len(x.upload.Sources) > 0:
		return file.Refuse(file.ErrForbidden, "This upload has an Upload-Concat: continue it with tus 1.0.0")
	}
	if err := x.readComplete(); err != nil {
		return err
	}
	check, err := readContentDigest(x.r)
	if err != nil {
		return err
	}
	claim, err := digest.Parse(x.r.Header, "Repr-Digest")
	if err != nil {
		return err
	}
	if !x.upload.Done() {
		if err := x.take(); err != nil {
			return err
		}
	}
	if x.upload.Offset != offset {
		return &file.OffsetError{Expected: x.upload.Offset, Provided: offset}
	}
	if err := x.declare(); err != nil {
		return err
	}
	if x.upload.Done() {
		return x.replay(claim)
	}
	if err := x.session.Claim(claim); err != nil {
		return err
	}
	return x.receive(check, x.newInterim())
}

// declare compares the length in the request with the upload's, or stores it if the upload has none yet (section
// 4.1.3).
func (x *exchange) declare() error {
	u := x.upload
	length, known := integer(x.r.Header, uploadLength)
	if known && length < u.Offset {
		return file.Refuse(file.ErrLength, "Upload-Length is %d, but the upload has %d bytes already", length, u.Offset)
	}
	if n := x.r.ContentLength; x.complete && n >= 0 {
		end := u.Offset + n
		if known && end != length {
			return file.Refuse(file.ErrLength, "Upload-Length is %d, but the upload would be complete at %d bytes", length, end)
		}
		length, known = end, true
	}
	switch {
	case !known:
		return nil
	case !u.Deferred && length != u.Size:
		return file.Refuse(file.ErrLength, "The upload's length is %d, but by this request it would be %d", u.Size, length)
	case u.Deferred:
		return x.session.Declare(length)
	}
	return nil
}

// replay sends the final answer again to a client that has not received it (section 4.4.2).
func (x *exchange) replay(claim []byte) error {
	if err := upload.Matches(x.upload, claim); err != nil {
		return err
	}
	if err := x.requireEmptyBody(); err != nil {
		return err
	}
	if !x.complete {
		return x.answerAppended(http.StatusNoContent)
	}
	return x.answerFile()
}
