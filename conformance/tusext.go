package main

import (
	"crypto/sha1"
	"encoding/base64"
)

// sum returns an Upload-Checksum of bytes of the content.
func sum(from, to int) string {
	s := sha1.Sum(content(to)[from:])
	return "Upload-Checksum: sha1 " + base64.StdEncoding.EncodeToString(s[:])
}

// tusExtensions tests expiration, checksums and termination.
func tusExtensions() []Case {
	const expires = "Extension: Expiration"
	list := needing("expiration",
		tusCase("expiration", expires, Must, "PATCH answers with the time at which an unfinished upload ends",
			Step{Method: "POST", Header: []string{"Upload-Length: 10"}, Save: "a", Needs: "Upload-Expires"},
			tusPatch("a", Body{To: 4}, at("0"), status(204), date("Upload-Expires"))),
		tusCase("expiration.creation", expires, Must, "the time is a date as HTTP writes it",
			Step{Method: "POST", Header: []string{"Upload-Length: 10"}, Save: "a", Needs: "Upload-Expires",
				Want: []Check{date("Upload-Expires")}}))
	return append(append(list, tusChecksums()...), tusTermination()...)
}

func tusChecksums() []Case {
	const section, trailer = "Extension: Checksum", "Extension: Checksum (trailer)"
	wrong := sum(10, 20)
	list := needing("checksum",
		tusCase("checksum.options", section, Must, "OPTIONS names the algorithms, sha1 among them",
			Step{Method: "OPTIONS", Bare: true, Want: []Check{lists("Tus-Checksum-Algorithm", "sha1")}}),
		tusCase("checksum.right", section, Must, "a PATCH with the right checksum counts", tusCreate("10"),
			tusPatch("a", Body{To: 10}, []string{"Upload-Offset: 0", sum(0, 10)}, status(204), offset(10, 10))),
		tusCase("checksum.wrong", section, Must, "a PATCH with a wrong checksum: 460, and nothing is kept", tusCreate("10"),
			tusPatch("a", Body{To: 4}, []string{"Upload-Offset: 0", wrong}, status(460)), head(offset(0, 0))),
		tusCase("checksum.again", section, Must, "after a wrong checksum the same bytes count with the right one",
			tusCreate("10"), tusPatch("a", Body{To: 4}, []string{"Upload-Offset: 0", wrong}, status(460)),
			tusPatch("a", Body{To: 4}, []string{"Upload-Offset: 0", sum(0, 4)}, status(204), offset(4, 4))),
		tusCase("checksum.unknown", section, Must, "an algorithm that is not known: 400, and nothing is kept",
			tusCreate("10"),
			tusPatch("a", Body{To: 4}, []string{"Upload-Offset: 0", "Upload-Checksum: nonesuch AAAA"}, status(400)),
			head(offset(0, 0))))
	return append(list, needing("checksum-trailer",
		tusCase("trailer.right", trailer, Must, "a checksum may follow the body", tusCreate("10"),
			tusPatch("a", Body{To: 4, Chunked: true, Trailer: sum(0, 4)}, at("0"), status(204), offset(4, 4))),
		tusCase("trailer.wrong", trailer, Must, "a wrong checksum after the body: 460, and nothing is kept", tusCreate("10"),
			tusPatch("a", Body{To: 4, Chunked: true, Trailer: wrong}, at("0"), status(460)), head(offset(0, 0))))...)
}

func tusTermination() []Case {
	const section = "Extension: Termination"
	remove := Step{Method: "DELETE", At: "a", Want: []Check{status(204)}}
	return needing("termination",
		tusCase("termination", section, Must, "DELETE of an unfinished upload: 204", tusCreate("10"), remove),
		tusCase("termination.after", section, Should, "an upload that was deleted: 404 or 410", tusCreate("10"), remove,
			head(status(404, 410)), tusPatch("a", Body{To: 4}, at("0"), status(404, 410))))
}

// tusConcatenation tests the concatenation of uploads.
func tusConcatenation() []Case {
	const section = "Extension: Concatenation"
	part := func(name string, from, to int) []Step {
		s := tusCreate("5", "Upload-Concat: partial")
		s.Save = name
		return []Step{s, tusPatch(name, Body{From: from, To: to}, at("0"), status(204))}
	}
	parts := append(part("a", 0, 5), part("b", 5, 10)...)
	join := Step{Method: "POST", Header: []string{"Upload-Concat: final;{a} {b}"}, Save: "c",
		Want: []Check{status(201), has("Location")}}
	final := func(after ...Step) []Step { return append(append(append([]Step{}, parts...), join), after...) }
	unfinished := tusCreate("5", "Upload-Concat: partial")
	return needing("concatenation",
		tusCase("concat.partial", section, Must, "HEAD of a partial upload says what it is",
			unfinished, head(class(2), field("Upload-Concat", "partial"))),
		tusCase("concat.final", section, Must, "two partial uploads become one", final()...),
		tusCase("concat.head", section, Must, "HEAD of a final upload says what it was made of, as the client sent it",
			final(Step{Method: "HEAD", At: "c", Want: []Check{class(2), field("Upload-Concat", "final;{a} {b}")}})...),
		tusCase("concat.length", section, Must, "HEAD of a final upload tells its length, the sum of the parts'",
			final(Step{Method: "HEAD", At: "c", Want: []Check{class(2), field("Upload-Length", "10")}})...),
		tusCase("concat.offset", section, Must, "the offset of a final upload, if it is told, is its length",
			final(Step{Method: "HEAD", At: "c", Needs: "Upload-Offset", Want: []Check{offset(10, 10)}})...),
		tusCase("concat.patch", section, Must, "PATCH of a final upload: 403",
			final(tusPatch("c", Body{To: 4}, at("10"), status(403)))...))
}
