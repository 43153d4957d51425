package main

// Steps of the IETF's protocol that many cases share.

// draftCreate creates an upload; complete says that the body is the whole file.
func draftCreate(complete bool, body Body, more ...string) Step {
	return Step{Method: "POST", Header: append([]string{says(complete)}, more...), Body: body, Save: "a"}
}

func says(complete bool) string {
	if complete {
		return "Upload-Complete: {true}"
	}
	return "Upload-Complete: {false}"
}

func (s Step) want(checks ...Check) Step {
	s.Want = append(s.Want[:len(s.Want):len(s.Want)], checks...)
	return s
}

// retry repeats the last n steps for a while, until all checks pass.
func (s Step) retry(n int) Step { s.Retry = n; return s }

func (s Step) needs(field string) Step { s.Needs = field; return s }

// draftAppendTo appends to the upload.
func draftAppendTo(offset string, complete bool, body Body, more ...string) Step {
	h := append([]string{"Content-Type: application/partial-upload", "Upload-Offset: " + offset, says(complete)}, more...)
	return Step{Method: "PATCH", At: "a", Header: h, Body: body}
}

// begun creates an upload with its first five bytes.
func begun(more ...string) Step {
	return draftCreate(false, Body{To: 5}, more...).want(class(2), has("Location"))
}

// draftCase is a case of the IETF's protocol.
func draftCase(id, section string, versions []string, level Level, asks string, steps ...Step) Case {
	return Case{ID: "ietf." + id, Versions: versions, Section: section, Level: level, Asks: asks, Steps: steps}
}

func draftCreation() []Case {
	const section, interims = "4.2 Upload Creation", "5 Status Code 104"
	announced := draftCreate(true, Body{To: 60000, Wait: true})
	unknown := announced
	unknown.Header = append([]string{"Upload-Draft-Interop-Version: 9999"}, unknown.Header...)
	broken := draftCreate(true, Body{To: 60000, Wait: true, Cut: 30000}).needs("Location")
	return []Case{
		draftCase("creation", section, from("3"), Must, "the first bytes of an upload are answered with its URL", begun()),
		draftCase("creation.status", section, until("3", "6"), Must, "and with 201", begun().want(status(201))),
		draftCase("creation.status.later", section, from("7"), Should, "and with 201", begun().want(status(201))),
		draftCase("creation.offset", section, until("3", "6"), Must, "and with the offset", begun().want(offset(5, 5))),
		draftCase("creation.incomplete", section, until("3", "8"), Must,
			"the answer to bytes that are not the last says that the upload is not complete", begun().want(complete(false))),
		draftCase("creation.not-target", section, from("9"), Must,
			"an answer that is not the target's does not say that the upload is complete",
			begun().want(Check{"no Upload-Complete: ?1", func(r *run, a Answer) error {
				if complete(true).See(r, a) == nil {
					return errSaysComplete
				}
				return nil
			}})),
		draftCase("creation.whole", section, from("3"), Must, "a file may come in one request",
			draftCreate(true, Body{To: 10}).want(class(2))),
		draftCase("creation.whole.says", section, from("9"), Must, "its answer is the target's, and says so",
			draftCreate(true, Body{To: 10}).want(class(2), complete(true))),
		draftCase("creation.put", section, from("7"), May, "any method that has content creates uploads",
			Step{Method: "PUT", Header: []string{says(false)}, Body: Body{To: 5}, Save: "a",
				Want: []Check{class(2), has("Location")}}),
		draftCase("creation.empty", section, from("3"), Must, "an upload may begin without bytes",
			draftCreate(false, Body{}).want(class(2), has("Location")), head(class(2), offset(0, 0))),
		draftCase("creation.empty.whole", section, from("3"), Must, "an empty file is a file",
			draftCreate(true, Body{}).want(class(2))),
		draftCase("creation.chunked", section, from("3"), Must, "the content's transfer coding does not count",
			draftCreate(false, Body{To: 5, Chunked: true}).want(class(2), has("Location")), head(offset(5, 5))),
		draftCase("creation.limits", section, from("7"), Must, "if there are limits, the answer that has the URL tells them",
			options().needs("Upload-Limit"), begun().want(has("Upload-Limit"))),
		draftCase("creation.redirect", section, from("9"), Must, "no redirect that would change the method",
			begun().want(notRedirected())),
		draftCase("creation.location", section, from("3"), Must, "all messages of one request have the same Location",
			draftCreate(false, Body{To: 5, Wait: true}).want(oneLocation())),
		draftCase("creation.cut", section, from("3"), Should, "what came before a creation broke off is kept",
			broken, head(class(2), offset(1, 30000)).retry(1)),
		draftCase("creation.cut.incomplete", section, until("3", "9"), Must, "an upload that broke off is not complete",
			broken, head(class(2), complete(false))),
		draftCase("creation.resume", section, from("3"), Must, "and goes on at the offset that HEAD tells",
			broken, head(class(2), offset(0, 30000)),
			draftAppendTo("{offset}", true, Body{From: Rest, To: 60000}).want(class(2)).retry(2)),
		draftCase("104.announce", interims, from("3"), Should, "an upload is announced by 104 before its bytes come",
			announced.want(interim("Location"))),
		draftCase("104.limits", interims, from("7"), Must, "if there are limits, the 104 that has the URL tells them",
			options().needs("Upload-Limit"), announced.want(eachLocated(has("Upload-Limit")))),
		draftCase("104.version", "B Draft Version Identification", until("3", "10"), Must, "each 104 names the version",
			announced.want(eachInterim(has("Upload-Draft-Interop-Version")))),
		draftCase("104.unknown", "B Draft Version Identification", until("3", "10"), Must,
			"no 104 for a version that is not spoken", unknown.want(noInterim())),
	}
}

func options() Step { return Step{Method: "OPTIONS"} }

func draftOffset() []Case {
	const section, limit = "4.3 Offset Retrieval", "4.1.4 Upload-Limit"
	get := head(class(2), offset(5, 5))
	get.Method = "GET"
	whole := draftCreate(true, Body{To: 10, Wait: true}).needs("Location").want(class(2))
	missing := head(class(4), hasNot("Upload-Offset"))
	missing.At = "a+x"
	with := func(field string) Step {
		s := head(status(400))
		s.Header = []string{field}
		return s
	}
	return []Case{
		draftCase("offset.with.offset", section, until("3", "6"), Must, "HEAD with an offset is refused with 400", begun(),
			with("Upload-Offset: 5")),
		draftCase("offset.with.complete", section, until("3", "6"), Must,
			"so is one that says whether the upload is complete", begun(), with(says(false))),
		draftCase("offset.with.length", section, []string{"6"}, Must, "and one with a length", begun(),
			with("Upload-Length: 10")),
		draftCase("offset", section, from("3"), Must, "HEAD tells the offset", begun(), head(class(2), offset(5, 5))),
		draftCase("offset.status", section, from("3"), Should, "with 204, or 200", begun(), head(status(200, 204))),
		draftCase("offset.incomplete", section, until("3", "9"), Must, "and that the upload is not complete", begun(),
			head(class(2), complete(false))),
		draftCase("offset.complete", section, until("3", "9"), Must, "or that it is", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 10}).want(class(2)), head(class(2), complete(true))),
		draftCase("offset.length", section, until("7", "9"), Must, "and the length, if the client has told it",
			begun("Upload-Length: 10"), head(class(2), field("Upload-Length", "10"))),
		draftCase("offset.limit", section, from("7"), Must, "and the limits", begun(), head(class(2), has("Upload-Limit"))),
		draftCase("offset.cache", section, from("3"), Should, "the answer must not be cached", begun(),
			head(class(2), lists("Cache-Control", "no-store"))),
		draftCase("offset.get", section, from("9"), Must, "GET answers as HEAD does", begun(), get),
		draftCase("offset.redirect", section, from("9"), Must, "no redirect that would change the method", begun(),
			head(notRedirected())),
		draftCase("offset.whole", section, from("3"), Should, "an upload in one request has an offset too", whole,
			head(class(2), offset(10, 10))),
		draftCase("offset.unknown", section, from("3"), Must, "an upload that is not there has no offset", begun(), missing),
		draftCase("options.limit", limit, from("8"), Must, "OPTIONS tells the limits, at least min-size=0",
			options().want(class(2), has("Upload-Limit"))),
		draftCase("options.limit.7", limit, []string{"7"}, Should, "OPTIONS tells the limits",
			options().want(class(2), has("Upload-Limit"))),
	}
}
