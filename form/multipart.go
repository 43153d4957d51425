package form

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"

	"holdfast/file"
)

// field is the name of the field with the file.
const field = "file"

// Is reports whether a request to the endpoint of forms has a form, or should have one: it has neither a Content-Type
// nor a body, or is sent as a browser sends a form without a file. Any other body is the file itself. So is the body of
// a client that can resume, which the header fields of resumable uploads show.
func Is(r *http.Request) bool {
	mediaType, _, _ := parseParameters(r.Header.Get("Content-Type"))
	resumes := r.Header.Get("Upload-Complete") != "" || r.Header.Get("Upload-Incomplete") != ""
	switch {
	case strings.HasPrefix(mediaType, "multipart/"):
		return true
	case mediaType == "application/x-www-form-urlencoded":
		return !resumes
	default:
		return mediaType == "" && r.ContentLength == 0 && !resumes
	}
}

// parseContentType returns the boundary of a multipart form.
func parseContentType(header string) (boundary string, err error) {
	mediaType, params, err := parseParameters(header)
	switch {
	case header == "":
		return "", errMissingFile()
	case mediaType == "application/x-www-form-urlencoded": // a form that can't have a file
		return "", file.Refuse(file.ErrMissingField, "Field '%s' is required and must be a file. The Content-Type says that "+
			"the body is a form without one, as curl's --data does by default. Send the file itself with a type of its own "+
			"(-H 'Content-Type: application/octet-stream'), or in a form (-F %s=@NAME)", field, field)
	case mediaType != "multipart/form-data" && err == nil:
		return "", file.Refuse(file.ErrMediaType, "Content-Type must be multipart/form-data")
	case err != nil || params["boundary"] == "":
		return "", file.Refuse(file.ErrInvalid, "Content-Type must be multipart/form-data with a boundary; "+
			"one with other characters than letters, digits and -_.+ belongs in quotes")
	}
	return params["boundary"], nil
}

// parseParameters is like mime.ParseMediaType, but also accepts values that lack the required quotes: boundaries of
// JavaMail and of WebViews, names with spaces. Such a value ends at the next semicolon.
func parseParameters(header string) (value string, params map[string]string, err error) {
	value, params, err = mime.ParseMediaType(header)
	if err == nil {
		return value, params, nil
	}
	value, rest, _ := strings.Cut(header, ";")
	value = strings.ToLower(strings.TrimSpace(value))
	params = map[string]string{}
	for parameter := range strings.SplitSeq(rest, ";") {
		name, text, ok := strings.Cut(parameter, "=")
		name, text = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(text)
		if n := len(text); n > 1 && text[0] == '"' && text[n-1] == '"' {
			text = text[1 : n-1]
		}
		_, twice := params[name]
		switch {
		case name == "" && !ok: // nothing behind the last semicolon
		case !ok || text == "" || twice || strings.ContainsAny(text, `"\`): // quotes that are wrong, not missing
			return value, nil, err
		default:
			params[name] = text
		}
	}
	return value, params, nil
}

func errMissingFile() error {
	return file.Refuse(file.ErrMissingField, "Field '%s' is required and must be a file", field)
}

// part is the file of a form. Its Read returns io.EOF only after the form was read to its end and was found to be
// complete.
type part struct {
	name, mediaType string // as the client says
	claim           []byte // the file's SHA-256 in the part's headers; nil: none

	stream *stream
	parts  *multipart.Reader
	body   io.Reader
	ended  error // the error at the end of the file
}

// findFile reads the form up to the beginning of its file.
func findFile(s *stream, boundary string) (*part, error) {
	p := &part{stream: s, parts: multipart.NewReader(s, boundary)}
	return p, p.next()
}

// next goes to the next part that is a file in the right field. It skips other fields, which may have maxOverhead
// bytes in all.
func (p *part) next() error {
	p.stream.inFile = false
	for {
		m, err := p.parts.NextRawPart() // the bytes as they are sent, whatever Content-Transfer-Encoding says (RFC 7578, 4.7)
		// Only the bare io.EOF is the form's end; wrapped, it is a body that was cut off.
		if err == io.EOF {
			return errMissingFile()
		}
		if err != nil {
			return p.readError()
		}
		// Not m.FileName, which would cut off a path that file.CleanName keeps.
		_, params, err := parseParameters(m.Header.Get("Content-Disposition"))
		switch {
		case err != nil && strings.Contains(m.Header.Get("Content-Disposition"), field):
			return file.Refuse(file.ErrInvalid, "The Content-Disposition of a field can't be read: "+
				"its filename belongs in quotes, and quotes in it are written as %%22")
		case params["name"] != field:
			continue
		case !isFile(params, m.Header.Get("Content-Type")):
			return errMissingFile()
		}
		if e := m.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
			return file.Refuse(file.ErrMediaType, "Content-Encoding of a field is not supported: send the "+
				"bytes of the file itself")
		}
		p.name, p.mediaType, p.body = decodeName(params["filename"]), m.Header.Get("Content-Type"), m
		p.stream.inFile = true
		p.claim, err = declaredDigest(http.Header(m.Header))
		return err
	}
}

// isFile reports whether a field is a file. One with a media type is, even if its client gives it no name (RFC 7578,
// 4.2). An empty name is what browsers send if no file was chosen.
func isFile(params map[string]string, mediaType string) bool {
	name, named := params["filename"]
	return name != "" || !named && mediaType != ""
}

// unescape reverses what browsers do to a name (HTML, multipart/form-data encoding).
var unescape = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n")

// decodeName returns a file's name as its user knows it. Mail libraries, and some of .NET and Java, encode a name as
// in the header of a mail (RFC 2047).
func decodeName(name string) string {
	if strings.HasPrefix(name, "=?") && strings.HasSuffix(name, "?=") {
		if decoded, err := new(mime.WordDecoder).DecodeHeader(name); err == nil && decoded != "" {
			return decoded
		}
	}
	return unescape.Replace(withoutFolders(name))
}

// windowsPath matches the whole path of a file, which Internet Explorer and some programs on Windows send as its name.
// The two backslashes that begin a network path have become one, since the name was in quotes.
var windowsPath = regexp.MustCompile(`^([A-Za-z]:)?\\`)

// withoutFolders returns the last element of a path of Windows (RFC 7578, 4.2), and other names as they are.
func withoutFolders(name string) string {
	if base := name[strings.LastIndex(name, `\`)+1:]; windowsPath.MatchString(name) && base != "" {
		return base
	}
	return name
}

// readError returns why reading the form has failed.
func (p *part) readError() error {
	if p.stream.err != nil {
		return p.stream.err
	}
	return file.Refuse(file.ErrInvalid, "The form is malformed, or it broke off: send it again")
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

// end reads what follows the file, and returns io.EOF if that is valid.
func (p *part) end() error {
	p.stream.inFile = false
	for {
		m, err := p.parts.NextRawPart()
		switch {
		case err == io.EOF:
			return p.stream.verify()
		case err != nil:
			return p.readError()
		}
		if _, params, _ := parseParameters(m.Header.Get("Content-Disposition")); params["name"] == field {
			return file.Refuse(file.ErrInvalid, "The form has more than one field '%s': send one file with each form", field)
		}
	}
}
