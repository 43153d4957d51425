package form

import (
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"holdfast/file"
)

// field is the name of the field with the file.
const field = "file"

// parseContentType returns the boundary of a multipart form.
func parseContentType(header string) (boundary string, err error) {
	mediaType, params, err := mime.ParseMediaType(header)
	switch {
	case header == "", mediaType == "application/x-www-form-urlencoded":
		return "", errMissingFile() // a form that can't have a file
	case mediaType != "multipart/form-data" && err == nil:
		return "", file.Refuse(file.ErrMediaType, "Content-Type must be multipart/form-data")
	case err != nil || params["boundary"] == "":
		return "", file.Refuse(file.ErrInvalid, "Content-Type must be multipart/form-data with a boundary")
	}
	return params["boundary"], nil
}

func errMissingFile() error {
	return file.Refuse(file.ErrMissingField, "Field '%s' is required and must be a file", field)
}

// part is the file of a form. Its Read ends with io.EOF only after the form was read to
// its end, and found to be whole.
type part struct {
	name, mediaType string // as the client says

	stream *stream
	parts  *multipart.Reader
	body   io.Reader
	ended  error // what ended the file
}

// findFile reads the form until its file begins.
func findFile(s *stream, boundary string) (*part, error) {
	p := &part{stream: s, parts: multipart.NewReader(s, boundary)}
	return p, p.next()
}

// next goes to the next part that is a file under the right name. Other fields are read
// over, as far as maxBeside goes.
func (p *part) next() error {
	p.stream.inFile = false
	for {
		m, err := p.parts.NextRawPart() // as the bytes are sent, whatever Content-Transfer-Encoding says (RFC 7578, 4.7)
		// Only the bare io.EOF is the form's end; wrapped, it is a body that broke off.
		if err == io.EOF {
			return errMissingFile()
		}
		if err != nil {
			return p.readError()
		}
		if m.FormName() != field {
			continue
		}
		// Not m.FileName, which would cut off a path that file.CleanName keeps.
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Disposition"))
		if name := params["filename"]; err == nil && name != "" {
			p.name, p.mediaType, p.body = unescape.Replace(name), m.Header.Get("Content-Type"), m
			p.stream.inFile = true
			return nil
		}
		return errMissingFile()
	}
}

// unescape undoes what browsers do to a name (HTML, multipart/form-data encoding).
var unescape = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n")

// readError is why the form could not be read on.
func (p *part) readError() error {
	if p.stream.err != nil {
		return p.stream.err
	}
	return file.Refuse(file.ErrInvalid, "The form is not well-formed, or broke off")
}

func (p *part) Read(b []byte) (int, error) {
	if p.ended != nil {
		return 0, p.ended
	}
	n, err := p.body.Read(b)
	switch {
	case err == io.EOF:
		p.ended = p.end()
	case err != nil:
		p.ended = p.readError()
	}
	return n, p.ended
}

// end reads what is behind the file, and says io.EOF if that is right.
func (p *part) end() error {
	p.stream.inFile = false
	for {
		m, err := p.parts.NextRawPart()
		switch {
		case err == io.EOF:
			return io.EOF
		case err != nil:
			return p.readError()
		case m.FormName() == field:
			return file.Refuse(file.ErrInvalid, "The form has more than one field '%s'", field)
		}
	}
}
