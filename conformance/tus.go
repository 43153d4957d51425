package main

// Steps of tus 1.0.0 that many cases share.

func tusCreate(length string, more ...string) Step {
	return Step{Method: "POST", Header: append([]string{"Upload-Length: " + length}, more...), Save: "a",
		Want: []Check{status(201), has("Location")}}
}

func tusPatch(at string, body Body, header []string, want ...Check) Step {
	h := append([]string{"Content-Type: application/offset+octet-stream"}, header...)
	return Step{Method: "PATCH", At: at, Header: h, Body: body, Want: want}
}

func head(want ...Check) Step { return Step{Method: "HEAD", At: "a", Want: want} }

func at(n string) []string { return []string{"Upload-Offset: " + n} }

// tusCase is a case of tus 1.0.0.
func tusCase(id, section string, level Level, asks string, steps ...Step) Case {
	return Case{ID: "tus." + id, Versions: []string{"tus"}, Section: section, Level: level, Asks: asks, Steps: steps}
}

// needing adds an extension to all cases of a list.
func needing(extension string, list ...Case) []Case {
	for i := range list {
		list[i].Extensions = append(list[i].Extensions, extension)
	}
	return list
}

// tusCore tests the core protocol.
func tusCore() []Case {
	const core, headers = "Core Protocol: Requests", "Core Protocol: Headers"
	return []Case{
		tusCase("head.offset", core, Must, "HEAD answers with the offset, also if it is 0",
			tusCreate("10"), head(class(2), offset(0, 0))),
		tusCase("head.length", core, Must, "HEAD answers with the length, where it is known",
			tusCreate("10"), head(class(2), field("Upload-Length", "10"))),
		tusCase("head.cache", core, Must, "the answer to HEAD must not be cached",
			tusCreate("10"), head(class(2), lists("Cache-Control", "no-store"))),
		tusCase("head.unknown", core, Should, "HEAD of an upload that is not there: 404, 410 or 403",
			tusCreate("10"), Step{Method: "HEAD", At: "a+x", Want: []Check{status(404, 410, 403)}}),
		tusCase("head.unknown.offset", core, Must, "HEAD of an upload that is not there answers with no offset",
			tusCreate("10"), Step{Method: "HEAD", At: "a+x", Want: []Check{class(4), hasNot("Upload-Offset")}}),
		tusCase("patch", core, Must, "PATCH at the offset is answered with 204 and the new offset",
			tusCreate("10"), tusPatch("a", Body{To: 4}, at("0"), status(204), offset(4, 4)), head(offset(4, 4))),
		tusCase("patch.whole", core, Must, "the last PATCH brings the offset to the length",
			tusCreate("10"), tusPatch("a", Body{To: 4}, at("0"), status(204)),
			tusPatch("a", Body{From: 4, To: 10}, at("4"), status(204), offset(10, 10)), head(offset(10, 10))),
		tusCase("patch.chunked", core, Should, "PATCH without a Content-Length, with chunks",
			tusCreate("10"), tusPatch("a", Body{To: 4, Chunked: true}, at("0"), status(204), offset(4, 4))),
		tusCase("patch.type", core, Should, "PATCH with another Content-Type: 415",
			tusCreate("10"), tusPatch("a", Body{To: 4}, []string{"Upload-Offset: 0", "Content-Type: text/plain"}, status(415))),
		tusCase("patch.conflict", core, Must, "PATCH at another offset is answered with 409 and changes nothing",
			tusCreate("10"), tusPatch("a", Body{To: 4}, at("0"), status(204)),
			tusPatch("a", Body{To: 4}, at("3"), status(409)), head(offset(4, 4))),
		tusCase("patch.unknown", core, Should, "PATCH of an upload that is not there: 404",
			tusCreate("10"), tusPatch("a+x", Body{To: 4}, at("0"), status(404))),
		tusCase("patch.cut", core, Should, "what came before a PATCH broke off is kept, as much as possible",
			tusCreate("60000"), tusPatch("a", Body{To: 60000, Cut: 30000}, at("0")),
			head(class(2), offset(1, 30000)).retry(1)),
		tusCase("patch.resume", core, Must, "after a break the upload goes on at the offset that HEAD told",
			tusCreate("60000"), tusPatch("a", Body{To: 60000, Cut: 30000}, at("0")), head(class(2), offset(0, 30000)),
			tusPatch("a", Body{From: Rest, To: 60000}, at("{offset}"), status(204), offset(60000, 60000)).retry(2)),
		tusCase("options", core, Must, "OPTIONS names the versions, with 204 or 200",
			Step{Method: "OPTIONS", Bare: true, Want: []Check{status(200, 204), lists("Tus-Version", "1.0.0")}}),
		tusCase("resumable", headers, Must, "Tus-Resumable stands in each answer",
			tusCreate("10"), head(field("Tus-Resumable", "1.0.0")),
			tusPatch("a", Body{To: 10}, at("0"), field("Tus-Resumable", "1.0.0"))),
		tusCase("version", headers, Must, "a version that is not spoken: 412 with Tus-Version, and nothing is done",
			tusCreate("10"), tusPatch("a", Body{To: 4}, []string{"Upload-Offset: 0", "Tus-Resumable: 0.0.1"}, status(412),
				lists("Tus-Version", "1.0.0")), head(offset(0, 0))),
		tusCase("override", headers, Must, "X-HTTP-Method-Override counts as the method",
			tusCreate("10"), Step{Method: "POST", At: "a", Header: []string{"X-HTTP-Method-Override: PATCH", "Upload-Offset: 0",
				"Content-Type: application/offset+octet-stream"}, Body: Body{To: 4}, Want: []Check{status(204), offset(4, 4)}}),
	}
}

// tusCreation tests the extensions creation, creation-with-upload and creation-defer-length.
func tusCreation() []Case {
	const section = "Extension: Creation"
	list := []Case{
		tusCase("creation", section, Must, "POST is answered with 201 and the upload's URL", tusCreate("10")),
		tusCase("creation.empty", section, Must, "an upload of no bytes is complete at once",
			tusCreate("0"), head(class(2), offset(0, 0), field("Upload-Length", "0"))),
		tusCase("creation.metadata", section, Must, "HEAD answers with the metadata as the client sent them",
			tusCreate("10", "Upload-Metadata: filename Y29uZm9ybWFuY2UudHh0,empty"),
			head(field("Upload-Metadata", "filename Y29uZm9ybWFuY2UudHh0,empty"))),
		tusCase("creation.max", section, Must, "a length above Tus-Max-Size: 413",
			Step{Method: "OPTIONS", Bare: true, Needs: "Tus-Max-Size"},
			Step{Method: "POST", Header: []string{"Upload-Length: 4611686018427387904"}, Save: "a", Want: []Check{status(413)}}),
	}
	const deferred = "Extension: Creation (deferred length)"
	list = append(list, needing("creation-defer-length",
		tusCase("defer", deferred, Must, "HEAD tells that the length is not known yet",
			tusCreate("", "Upload-Defer-Length: 1"), head(class(2), field("Upload-Defer-Length", "1"))),
		tusCase("defer.later", deferred, Must, "the length may come with a PATCH",
			tusCreate("", "Upload-Defer-Length: 1"), tusPatch("a", Body{To: 4}, at("0"), status(204)),
			tusPatch("a", Body{From: 4, To: 8}, []string{"Upload-Offset: 4", "Upload-Length: 10"}, status(204)),
			head(field("Upload-Length", "10"), hasNot("Upload-Defer-Length"))),
		tusCase("defer.value", deferred, Should, "a value other than 1: 400",
			Step{Method: "POST", Header: []string{"Upload-Defer-Length: 2"}, Save: "a", Want: []Check{status(400)}}))...)
	const withUpload = "Extension: Creation With Upload"
	const binary = "Content-Type: application/offset+octet-stream"
	with := func(body Body, want ...Check) Step {
		s := tusCreate("10", binary)
		s.Body, s.Want = body, append(s.Want, want...)
		return s
	}
	return append(list, needing("creation-with-upload",
		tusCase("with", withUpload, Must, "the answer tells the offset after the bytes that came along",
			with(Body{To: 4}, offset(4, 4)), head(offset(4, 4))),
		tusCase("with.whole", withUpload, Must, "all bytes may come along",
			with(Body{To: 10}, offset(10, 10)), head(offset(10, 10))),
		tusCase("with.none", withUpload, Must, "no bytes may come along", with(Body{}), head(offset(0, 0))))...)
}
