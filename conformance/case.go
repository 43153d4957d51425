package main

import (
	"strings"
	"time"
)

// Level is how strongly a standard asks for something (RFC 2119).
type Level string

// The levels of requirements.
const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
	May    Level = "MAY"
)

// Case is one requirement of a standard, and the requests that show whether a server meets it.
type Case struct {
	ID       string
	Versions []string // see versions
	Section  string   // number (for the IETF's protocol, of draft -12) and title
	Level    Level
	Asks     string // the requirement, in our own words
	// Extensions are those of tus 1.0.0 that the case needs, besides creation.
	Extensions []string
	Steps      []Step
}

// Step is one request and what its answer must contain. In headers, {offset} stands for the last Upload-Offset in an
// answer, {above} for one more than the last max-size in an answer, {NAME} for the URL that a step saved under NAME,
// and {true} and {false} for the field by which the version says whether the upload ends with the request.
type Step struct {
	Method  string
	At      string   // the name of a saved URL; empty: the endpoint. A suffix after "+" is appended to it.
	Header  []string // "Name: value"; with an empty value the field is not sent, even if it is by default
	Body    Body
	Save    string // keeps the answer's Location under this name; the upload is deleted after the case
	File    string // keeps the answer's Content-Location under this name
	Bare    bool   // without the header fields of the protocol's version
	Needs   string // a field of the answer; without it the server does not support the case
	Want    []Check
	Pause   time.Duration // before the request
	Expired bool          // the request waits until the upload's time is over; see -wait
	// Retry is how many steps, including this one, are repeated for a while until all checks pass: a server may need
	// time to notice that a connection was cut.
	Retry int
}

// Body is a range of the content that all uploads are made of, and how it is sent.
type Body struct {
	From, To int    // To is exclusive; From is Rest for everything from the last answered offset on
	Chunked  bool   // in place of Content-Length
	Trailer  string // "Name: value", after a chunked body
	Wait     bool   // for an interim answer, before the first byte
	Cut      int    // if above 0, the connection is closed after that many bytes
	Hold     bool   // with Cut: the connection is kept open until the case ends
}

// Rest stands for the last offset in an answer.
const Rest = -1

// versions are all versions that the suite knows, in order. "tus" is tus 1.0.0, the numbers are the interop versions
// of the IETF's draft, "final" is the protocol of the future RFC, which has no version header.
func versions() []string { return []string{"tus", "3", "4", "5", "6", "7", "8", "9", "10", "final"} }

// from lists the versions of the IETF's protocol, beginning with first.
func from(first string) []string {
	all := versions()[1:]
	for i, v := range all {
		if v == first {
			return all[i:]
		}
	}
	return nil
}

// until lists the versions from first to last.
func until(first, last string) (list []string) {
	for _, v := range from(first) {
		list = append(list, v)
		if v == last {
			return list
		}
	}
	return list
}

// cases returns all cases of the suite.
func cases() []Case {
	var all []Case
	for _, part := range [][]Case{tusCore(), tusCreation(), tusExtensions(), tusConcatenation(), draftCreation(),
		draftLengths(), draftOffset(), draftAppend(), draftEnds(), draftFiles(), draftLimits(), draftDigests(),
		draftContinue(), draftOldAppend(), tusClock(), draftClock()} {
		all = append(all, part...)
	}
	return all
}

// protocol returns the name of the standard that a version belongs to.
func protocol(version string) string {
	switch version {
	case "tus":
		return "tus 1.0.0"
	case "final":
		return "IETF, no version"
	default:
		return "IETF, interop version " + version
	}
}

// fields returns the header fields with which a request states its version.
func fields(version string) []string {
	switch version {
	case "tus":
		return []string{"Tus-Resumable: 1.0.0"}
	case "final":
		return nil
	default:
		return []string{"Upload-Draft-Interop-Version: " + version}
	}
}

// ends returns the field that says whether the upload is complete, in a version.
func ends(version string, complete bool) string {
	switch {
	case version == "3" && complete:
		return "Upload-Incomplete: ?0"
	case version == "3":
		return "Upload-Incomplete: ?1"
	case complete:
		return "Upload-Complete: ?1"
	default:
		return "Upload-Complete: ?0"
	}
}

// split splits a header line.
func split(line string) (name, value string) {
	name, value, _ = strings.Cut(line, ":")
	return name, strings.TrimSpace(value)
}
