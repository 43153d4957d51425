package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Outcome is how a case ended.
type Outcome string

// The outcomes of cases.
const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	NotOffered Outcome = "not offered"
)

// Result is the outcome of a case in one version.
type Result struct {
	Case    Case
	Version string
	Outcome Outcome
	Why     string // of a failure, or why the case does not apply
}

// Protocol returns the name of the standard and version.
func (r Result) Protocol() string { return protocol(r.Version) }

// suite runs cases against a server.
type suite struct {
	endpoint *url.URL
	header   []string // sent with each request, "Name: value"
	wire     wire
	max      int           // the largest body that may be sent, in bytes
	longest  time.Duration // the longest wait for an upload to expire
	tries    int           // how often steps are repeated, see Step.Retry

	extensions []string          // the server's extensions of tus 1.0.0
	refused    map[string]string // why a version is not supported
}

// content returns the first bytes of those that all uploads consist of.
func content(length int) []byte {
	b := make([]byte, length)
	for i := range b {
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[(i+i/36)%36]
	}
	return b
}

// retryAfter is how long a step waits before it is repeated.
const retryAfter = 250 * time.Millisecond

// errNotOffered says that the server does not support what a case tests.
var errNotOffered = errors.New("not offered")

// run is a running case.
type run struct {
	*suite
	version string
	names   map[string]string // the values of {name} in headers
	made    []string          // names of the created uploads, to be deleted
	held    []net.Conn
	expires time.Time // the last Upload-Expires
	ages    []age     // those in answers so far
}

func (s *suite) begin(version string) *run {
	_, yes := split(ends(version, true))
	_, no := split(ends(version, false))
	return &run{suite: s, version: version, names: map[string]string{"true": yes, "false": no, "offset": "0"}}
}

// probe finds out what the server supports of some versions. It returns an error if that is impossible.
func (s *suite) probe(ctx context.Context, asked []string) error {
	s.refused = map[string]string{}
	for _, version := range asked {
		r := s.begin(version)
		step := draftCreate(false, Body{To: 5})
		if version == "tus" {
			step = Step{Method: "OPTIONS", Bare: true}
		}
		a, err := r.send(ctx, step)
		r.clean(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", protocol(version), err)
		case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden ||
			a.Status == http.StatusTooManyRequests:
			return fmt.Errorf("%s: %s answers %d", protocol(version), s.endpoint, a.Status)
		case version == "tus":
			for e := range strings.SplitSeq(a.Header.Get("Tus-Extension"), ",") {
				s.extensions = append(s.extensions, strings.TrimSpace(e))
			}
			if a.Header.Get("Tus-Version") == "" && a.Header.Get("Tus-Resumable") == "" {
				s.refused[version] = fmt.Sprintf("OPTIONS is answered with %d, without Tus-Version", a.Status)
			}
		case a.Status/100 != 2 || a.Header.Get("Location") == "":
			s.refused[version] = fmt.Sprintf("a creation is answered with %d and no upload", a.Status)
		}
	}
	return nil
}

// run runs a case in a version.
func (s *suite) run(ctx context.Context, c Case, version string) Result {
	result := Result{Case: c, Version: version, Outcome: Passed}
	if why := s.missing(c, version); why != "" {
		result.Outcome, result.Why = NotOffered, why
		return result
	}
	r := s.begin(version)
	defer r.clean(ctx)
	tries := 0
	for i := 0; i < len(c.Steps); i++ {
		step := c.Steps[i]
		err := r.step(ctx, step)
		switch {
		case err == nil:
			continue
		case step.Retry > 0 && tries < s.tries && !errors.Is(err, errNotOffered) && ctx.Err() == nil:
			tries++
			time.Sleep(retryAfter)
			i -= step.Retry
			continue
		case errors.Is(err, errNotOffered):
			result.Outcome = NotOffered
		default:
			result.Outcome = Failed
		}
		result.Why = fmt.Sprintf("step %d, %s: %v", i+1, step.name(), err)
		return result
	}
	return result
}

// missing returns what the case needs and the server does not support.
func (s *suite) missing(c Case, version string) string {
	if why := s.refused[version]; why != "" {
		return why
	}
	if version == "tus" {
		for _, e := range append([]string{"creation"}, c.Extensions...) {
			if !slices.Contains(s.extensions, e) && !(e == "creation" && len(c.Steps) == 1 && c.Steps[0].Method == "OPTIONS") {
				return "Tus-Extension does not name " + e
			}
		}
	}
	for _, step := range c.Steps {
		if step.Body.To > s.max {
			return fmt.Sprintf("needs a body of %d bytes, above -max", step.Body.To)
		}
	}
	return ""
}

func (s Step) name() string { return strings.TrimSpace(s.Method + " " + s.At) }

// step sends one request and checks the answer.
func (r *run) step(ctx context.Context, step Step) error {
	if r.names["above"] == "" && strings.Contains(strings.Join(step.Header, "\n"), "{above}") {
		return fmt.Errorf("%w: no max-size was told", errNotOffered)
	}
	if err := r.wait(ctx, step); err != nil {
		return err
	}
	a, err := r.send(ctx, step)
	if err != nil {
		return err
	}
	if step.Needs != "" && a.first(step.Needs) == "" {
		return fmt.Errorf("%w: no %s (status %d)", errNotOffered, step.Needs, a.Status)
	}
	for _, want := range step.Want {
		if err := want.See(r, a); err != nil {
			return err
		}
	}
	return nil
}

// first returns a field of the final answer, or else of the first interim answer that has it.
func (a Answer) first(field string) string {
	if v := a.Header.Get(field); v != "" {
		return v
	}
	for _, i := range a.Interim {
		if v := i.Header.Get(field); v != "" {
			return v
		}
	}
	return ""
}

// location returns the upload's URL: from an interim answer, or else from the final one, unless that is the target's
// own answer (draft -12, 4.2.2: with Upload-Complete: ?1 its Location need not be the upload's).
func (a Answer) location() string {
	for _, i := range a.Interim {
		if at := i.Header.Get("Location"); at != "" {
			return at
		}
	}
	if a.Header.Get("Upload-Complete") == "?1" {
		return ""
	}
	return a.Header.Get("Location")
}

// send sends a step's request.
func (r *run) send(ctx context.Context, step Step) (Answer, error) {
	to, err := r.url(step.At)
	if err != nil {
		return Answer{}, err
	}
	from := step.Body.From
	if from == Rest {
		if _, err := fmt.Sscan(r.names["offset"], &from); err != nil || from < 0 || from > step.Body.To {
			return Answer{}, fmt.Errorf("the server told the offset %q", r.names["offset"])
		}
	}
	a, held, err := r.wire.send(ctx, message{step.Method, to, r.headers(step), content(step.Body.To)[from:], step.Body})
	if held != nil {
		r.held = append(r.held, held)
	}
	if at := a.location(); step.Save != "" && at != "" {
		full, err := to.Parse(at)
		if err != nil {
			return a, fmt.Errorf("the Location can't be read: %w", err)
		}
		r.names[step.Save] = full.String()
		r.made = append(r.made, step.Save)
	}
	return a, errors.Join(err, r.note(step, to, a))
}

// note keeps values of an answer for later steps.
func (r *run) note(step Step, to *url.URL, a Answer) error {
	if at := a.Header.Get("Content-Location"); step.File != "" && at != "" {
		full, err := to.Parse(at)
		if err != nil {
			return fmt.Errorf("the Content-Location can't be read: %w", err)
		}
		r.names[step.File] = full.String()
	}
	if v := a.Header.Get("Upload-Offset"); v != "" {
		r.names["offset"] = v
	}
	r.noteTimes(a)
	for limit := range strings.SplitSeq(a.Header.Get("Upload-Limit"), ",") {
		if n, ok := strings.CutPrefix(strings.TrimSpace(limit), "max-size="); ok {
			if size, err := strconv.ParseInt(n, 10, 64); err == nil {
				r.names["above"] = strconv.FormatInt(size+1, 10)
			}
		}
	}
	return nil
}

// url returns the URL of a step's request.
func (r *run) url(at string) (*url.URL, error) {
	if at == "" {
		return r.endpoint, nil
	}
	name, more, _ := strings.Cut(at, "+")
	saved := r.names[name]
	if saved == "" {
		return nil, fmt.Errorf("no URL of the upload was told")
	}
	to, err := url.Parse(saved + more)
	if err == nil && to.Host != r.endpoint.Host {
		// The suite sends its credentials to no other host, whatever the server answers.
		return nil, fmt.Errorf("the upload's URL is on another host: %s", to)
	}
	return to, err
}

// headers returns a step's header lines: those of all requests, of the version, and its own, which replace others.
func (r *run) headers(step Step) []string {
	var lines []string
	add := func(line string) {
		name, _ := split(line)
		lines = slices.DeleteFunc(lines, func(l string) bool { n, _ := split(l); return strings.EqualFold(n, name) })
		lines = append(lines, r.expand(line))
	}
	all := slices.Clone(r.header)
	if !step.Bare {
		all = append(all, fields(r.version)...)
	}
	for _, line := range append(all, step.Header...) {
		if strings.HasPrefix(line, "Upload-Complete: {") && r.version == "3" {
			_, value := split(line)
			line = "Upload-Incomplete: " + value
		}
		add(line)
	}
	return lines
}

func (r *run) expand(text string) string {
	for name, value := range r.names {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// clean deletes the uploads of the case, if the server can, and closes open connections.
func (r *run) clean(ctx context.Context) {
	for _, c := range r.held {
		c.Close()
	}
	for _, name := range r.made {
		_, _ = r.send(ctx, Step{Method: "DELETE", At: name}) // not every server can
	}
}
