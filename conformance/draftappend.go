package main

import "errors"

var errSaysComplete = errors.New("the answer says that the target has answered")

// eachLocated applies a check to every answer 104 that has a Location.
func eachLocated(want Check) Check {
	return eachInterim(check(func(r *run, a Answer) error {
		if a.Header.Get("Location") == "" {
			return nil
		}
		return want.See(r, a)
	}, "if it has Location: %s", want.Says))
}

func draftAppend() []Case {
	const section = "4.4 Upload Append"
	middle := draftAppendTo("5", false, Body{From: 5, To: 10})
	last := draftAppendTo("5", true, Body{From: 5, To: 10})
	conflict := draftAppendTo("4", false, Body{From: 4, To: 10}).want(status(409))
	return []Case{
		draftCase("append", section, from("3"), Must, "PATCH at the offset appends", begun(), middle.want(class(2)),
			head(offset(10, 10))),
		draftCase("append.says", section, from("3"), Must, "its answer says that the upload is not complete", begun(),
			middle.want(class(2), complete(false))),
		draftCase("append.last", section, from("3"), Must, "the last bytes complete the upload", begun(),
			last.want(class(2))),
		draftCase("append.last.says", section, from("7"), Must, "and the answer says so", begun(),
			last.want(class(2), complete(true))),
		draftCase("append.known", section, from("6"), Must, "also where the length was told before",
			begun("Upload-Length: 10"), last.want(class(2))),
		draftCase("append.chunked", section, from("3"), Must, "the transfer coding of the content does not count", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 10, Chunked: true}).want(class(2))),
		draftCase("append.empty", section, from("3"), Must, "a PATCH without content changes nothing", begun(),
			draftAppendTo("5", false, Body{}).want(class(2)), head(class(2), offset(5, 5))),
		draftCase("append.empty.last", section, from("3"), Must, "or completes the upload, if it says so", begun(),
			draftAppendTo("5", true, Body{}).want(class(2))),
		draftCase("append.cut", section, from("3"), Should, "what came before a PATCH broke off is kept", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 60000, Cut: 30000}), head(class(2), offset(6, 30005)).retry(1)),
		draftCase("append.resume", section, from("3"), Must, "and the upload goes on at the offset that HEAD tells", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 60000, Cut: 30000}), head(class(2), offset(5, 30005)),
			draftAppendTo("{offset}", true, Body{From: Rest, To: 60000}).want(class(2)).retry(2)),
		draftCase("append.conflict", section, from("3"), Must, "PATCH at another offset: 409 with the right one", begun(),
			conflict.want(offset(5, 5)), head(class(2), offset(5, 5))),
		draftCase("append.conflict.says", section, from("9"), Must, "and that the upload is not complete", begun(),
			conflict.want(complete(false))),
		draftCase("append.conflict.problem", "7.1 Mismatching Offset", from("6"), May,
			"as a problem of the registered type, with both offsets", begun(),
			conflict.want(problem("mismatching-upload-offset", "expected-offset", "provided-offset"))),
		draftCase("append.type", section, from("6"), Should, "a PATCH of another type: 415", begun(),
			draftAppendTo("5", false, Body{From: 5, To: 10}, "Content-Type: text/plain").want(status(415))),
		draftCase("append.no-offset", section, from("3"), Must, "a PATCH without an offset appends nothing", begun(),
			draftAppendTo("", false, Body{From: 5, To: 10}).want(class(4)), head(class(2), offset(5, 5))),
		draftCase("append.after.refused", section, until("6", "8"), Must, "and more bytes for it are refused", begun(),
			last.want(class(2)), draftAppendTo("10", true, Body{From: 10, To: 15}).want(class(4))),
		draftCase("append.after", section, from("3"), Must, "a complete upload does not grow", begun(), last.want(class(2)),
			draftAppendTo("10", true, Body{From: 10, To: 15}),
			head(Check{"no more bytes", func(_ *run, a Answer) error {
				if v := a.Header.Get("Upload-Offset"); v != "" && v != "10" {
					return errors.New("the offset is " + v)
				}
				return nil
			}})),
		draftCase("append.redirect", section, from("9"), Must, "no redirect that would change the method", begun(),
			middle.want(notRedirected())),
		draftCase("append.104", section, from("7"), Must, "a 104 to PATCH has no Location", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 60000, Wait: true}).want(eachInterim(hasNot("Location")))),
		draftCase("append.early", "4.6 Concurrency", from("3"), Should,
			"HEAD ends a PATCH that hangs, and what it tells holds",
			begun(), draftAppendTo("5", true, Body{From: 5, To: 60000, Cut: 30000, Hold: true}),
			head(class(2), offset(5, 30005)),
			draftAppendTo("{offset}", true, Body{From: Rest, To: 60000}).want(class(2))),
	}
}

// draftOldAppend are cases of versions that want a status of their own.
func draftOldAppend() []Case {
	const section = "4.4 Upload Append"
	return []Case{
		draftCase("append.status", section, until("3", "6"), Must, "PATCH is answered with 201", begun(),
			draftAppendTo("5", false, Body{From: 5, To: 10}).want(status(201))),
		draftCase("append.last.status", section, until("3", "6"), Should, "so is that with the last bytes", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 10}).want(status(201))),
	}
}

func draftLengths() []Case {
	const lengths, fields = "4.1.3 Upload-Length", "4.1 Header Fields"
	differs := draftCreate(true, Body{To: 5}, "Upload-Length: 10").want(status(400))
	later := draftAppendTo("5", true, Body{From: 5, To: 8})
	tooLong := draftAppendTo("5", true, Body{From: 5, To: 30, Chunked: true}).want(class(4))
	return []Case{
		draftCase("length.differs", lengths, from("7"), Must, "lengths that differ in one request are refused", differs),
		draftCase("length.differs.problem", "7.2 Inconsistent Length", from("7"), May, "as a problem of the registered type",
			differs.want(problem("inconsistent-upload-length"))),
		draftCase("length.later", lengths, from("7"), Must, "lengths that differ between requests are refused",
			begun("Upload-Length: 10"), later.want(class(4))),
		draftCase("length.exceeded", "4.4 Upload Append", from("7"), Must, "a PATCH past the length is refused",
			begun("Upload-Length: 10"), tooLong),
		draftCase("length.exceeded.after", "4.4 Upload Append", from("8"), Must, "and the upload is refused from then on",
			begun("Upload-Length: 10"), tooLong, draftAppendTo("10", true, Body{}).want(class(4))),
		draftCase("field.offset", fields, from("7"), Must, "an Upload-Offset that is no number counts as none", begun(),
			draftAppendTo("?1", false, Body{From: 5, To: 10}).want(class(4)), head(class(2), offset(5, 5))),
		draftCase("field.length", fields, from("7"), Must, "an Upload-Length that is no number is ignored",
			draftCreate(false, Body{To: 5}, "Upload-Length: \"ten\"").want(class(2), has("Location"))),
		draftCase("field.negative", fields, from("7"), Must, "a negative Upload-Length is ignored",
			draftCreate(false, Body{To: 5}, "Upload-Length: -1").want(class(2), has("Location"))),
		draftCase("field.parameter", fields, from("7"), Must, "parameters of a field do not matter", begun(),
			draftAppendTo("5;a=1", false, Body{From: 5, To: 10}).want(class(2)), head(class(2), offset(10, 10))),
	}
}

func draftEnds() []Case {
	const section = "4.5 Upload Cancellation"
	remove := Step{Method: "DELETE", At: "a"}
	with := func(field string) Step {
		s := remove.want(status(400))
		s.Header = []string{field}
		return s
	}
	return []Case{
		draftCase("cancel.offset", section, until("3", "6"), Must, "DELETE with an offset is refused with 400", begun(),
			with("Upload-Offset: 5"), head(class(2), offset(5, 5))),
		draftCase("cancel.complete", section, until("3", "6"), Must, "so is one that says whether the upload is complete",
			begun(), with(says(true)), head(class(2), offset(5, 5))),
		draftCase("cancel", section, from("3"), Should, "DELETE ends an upload", begun(), remove.want(class(2)),
			head(class(4))),
		draftCase("cancel.status", section, until("3", "7"), Must, "with 204", begun(), remove.want(status(204))),
		draftCase("cancel.after", section, from("3"), Must, "an upload that was deleted does not grow", begun(),
			remove.want(class(2)), draftAppendTo("5", false, Body{From: 5, To: 10}).want(class(4))),
		draftCase("cancel.redirect", section, from("9"), Must, "no redirect that would change the method", begun(),
			remove.want(notRedirected())),
		draftCase("cancel.running", section, from("3"), Should, "DELETE ends a PATCH that hangs first", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 60000, Cut: 30000, Hold: true}), remove.want(class(2))),
	}
}
