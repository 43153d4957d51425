// Package openapi describes the service, to programs (OpenAPI 3.1) and to people (a page). Its only source is
// openapi.yaml. That is not generated from the code: the end-to-end tests check every answer against it. The page,
// page.html, is generated from it: `go test ./openapi -update` writes it.
package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

//go:embed openapi.yaml
var source []byte

//go:embed page.html
var page string

// anyBase stands for the URL of the service in page.html. No service has it (RFC 2606, section 2).
const anyBase = "https://files.invalid"

// Handler answers with the description.
type Handler struct{ document, page func() content }

// content is the description in one format.
type content struct {
	mediaType, tag string // tag is the ETag
	policy         string // Content-Security-Policy; empty: the one of all answers
	body           []byte
}

// New returns the description of a service whose URL is base, without a trailing slash. It is built at the first
// request for it. It would panic if openapi.yaml were wrong, which a test excludes.
func New(base string) *Handler {
	document := sync.OnceValue(func() content {
		body, err := Document(base)
		if err != nil {
			panic(err)
		}
		return content{mediaType: "application/json", tag: tag(body), body: body}
	})
	page := sync.OnceValue(func() content {
		body := []byte(strings.ReplaceAll(page, anyBase, html.EscapeString(base)))
		return content{mediaType: "text/html; charset=utf-8", tag: tag(body), policy: policyOf(page), body: body}
	})
	return &Handler{document, page}
}

// Document is the description as JSON.
func Document(base string) ([]byte, error) {
	var d map[string]any
	if err := yaml.Unmarshal(source, &d); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	delete(d, "x-shared")
	d["servers"] = []any{map[string]any{"url": base}}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return b.Bytes(), nil
}

// policyOf is the Content-Security-Policy under which a page works: it allows the page's style, and nothing else.
func policyOf(page string) string {
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

func tag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// Document answers GET and HEAD of the description for programs. Pages of every origin may read it: it contains no
// secret, and viewers on other sites can show it.
func (h *Handler) Document(w http.ResponseWriter, r *http.Request) {
	if w.Header().Get("Access-Control-Allow-Origin") == "" { // not if CORS allows more
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
	h.document().serve(w, r)
}

// Page answers GET and HEAD of the description for people.
func (h *Handler) Page(w http.ResponseWriter, r *http.Request) { h.page().serve(w, r) }

// serve evaluates only the condition that saves sending the body. Ranges, which http.ServeContent would add with
// errors of its own, are of no use here.
func (c content) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("ETag", c.tag)
	header.Set("Cache-Control", "no-cache") // the next version of the service may say something else
	if c.policy != "" {
		header.Set("Content-Security-Policy", c.policy)
	}
	for known := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == c.tag || known == "*" { // RFC 9110, 13.1.2
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	header.Set("Content-Type", c.mediaType)
	header.Set("Content-Length", strconv.Itoa(len(c.body)))
	if r.Method != http.MethodHead {
		w.Write(c.body)
	}
}
