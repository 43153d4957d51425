package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// holds requires exactly the first bytes of the content that all uploads consist of.
func holds(length int) Check {
	return check(func(_ *run, a Answer) error {
		if !bytes.Equal(a.Body, content(length)) {
			return fmt.Errorf("%d other bytes, status %d", len(a.Body), a.Status)
		}
		return nil
	}, "the %d bytes that were sent", length)
}

// interimStatus requires an interim answer with this status.
func interimStatus(want int) Check {
	return check(func(_ *run, a Answer) error {
		for _, i := range a.Interim {
			if i.Status == want {
				return nil
			}
		}
		return fmt.Errorf("no %d before %d", want, a.Status)
	}, "an interim answer %d", want)
}

// digestOf returns the value of a digest field for a range of the content.
func digestOf(from, to int) string {
	sum := sha256.Sum256(content(to)[from:])
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// named saves the URL of the file that the answer names.
func (s Step) named() Step { s.File = "file"; return s.needs("Content-Location") }

// draftFiles are cases about the file that an upload becomes, if the server names it.
func draftFiles() []Case {
	const section = "4.4 Upload Append"
	get := func(length int) Step {
		return Step{Method: "GET", At: "file", Bare: true, Want: []Check{status(200), holds(length)}}
	}
	return []Case{
		draftCase("file.whole", "4.2 Upload Creation", from("3"), Must, "a file that came in one request is what was sent",
			draftCreate(true, Body{To: 60000}).want(class(2)).named(), get(60000)),
		draftCase("file.parts", section, from("3"), Must, "and one that came in several", begun(),
			draftAppendTo("5", false, Body{From: 5, To: 30000}).want(class(2)),
			draftAppendTo("30000", true, Body{From: 30000, To: 60000}).want(class(2)).named(), get(60000)),
		draftCase("file.resumed", section, from("3"), Must, "and one whose connection was cut on the way", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 60000, Cut: 30000}), head(class(2), offset(5, 30005)),
			draftAppendTo("{offset}", true, Body{From: Rest, To: 60000}).want(class(2)).named().retry(2), get(60000)),
	}
}

// draftLimits are cases about the fields of a refusal.
func draftLimits() []Case {
	const section = "4.1.4 Upload-Limit"
	over := func(complete bool) Step {
		return draftCreate(complete, Body{}, "Upload-Length: {above}").want(class(4))
	}
	return []Case{
		draftCase("limit.size", section, from("8"), Must, "an upload above max-size is refused",
			options().needs("Upload-Limit"), over(false)),
		draftCase("limit.size.told", section, from("9"), Should, "and the refusal tells the limits",
			options().needs("Upload-Limit"), over(false).want(has("Upload-Limit"))),
	}
}

// draftDigests are cases about digests, which the protocol leaves to RFC 9530.
func draftDigests() []Case {
	const section = "RFC 9530"
	middle := func(digest string) Step {
		return draftAppendTo("5", false, Body{From: 5, To: 10}, "Content-Digest: "+digest)
	}
	last := func(field string) Step { return draftAppendTo("5", true, Body{From: 5, To: 10}, field) }
	return []Case{
		draftCase("digest.content", section, from("7"), May, "a body with its Content-Digest counts", begun(),
			middle(digestOf(5, 10)).want(class(2)), head(class(2), offset(10, 10))),
		draftCase("digest.content.wrong", section, from("7"), May, "one with another does not", begun(),
			middle(digestOf(0, 5)).want(class(4)), head(class(2), offset(5, 5))),
		draftCase("digest.file", section, from("7"), May, "a file with its Repr-Digest is taken",
			begun("Repr-Digest: "+digestOf(0, 10)), last("Repr-Digest: "+digestOf(0, 10)).want(class(2))),
		draftCase("digest.file.wrong", section, from("7"), May, "one with another is not",
			begun("Repr-Digest: "+digestOf(0, 5)), last("Repr-Digest: "+digestOf(0, 5)).want(class(4))),
		draftCase("digest.wanted", section, from("7"), May, "the final answer has the digest that was asked for", begun(),
			last("Want-Repr-Digest: sha-256=1").want(class(2), field("Repr-Digest", digestOf(0, 10)))),
	}
}

// draftContinue are cases about 100 (Continue), which 104 does not replace.
func draftContinue() []Case {
	const section, expect = "5 Status Code 104", "Expect: 100-continue"
	return []Case{
		draftCase("continue.creation", section, from("3"), Should, "a creation that expects 100 gets it",
			draftCreate(true, Body{To: 60000, Wait: true}, expect).want(class(2), interimStatus(100))),
		draftCase("continue.append", section, from("3"), Should, "so does a PATCH", begun(),
			draftAppendTo("5", true, Body{From: 5, To: 60000, Wait: true}, expect).want(class(2), interimStatus(100))),
	}
}
