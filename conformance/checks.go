package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Check is a requirement on an answer.
type Check struct {
	Says string                       // the requirement, in words
	See  func(r *run, a Answer) error // nil if the answer meets it
}

func check(see func(r *run, a Answer) error, says string, args ...any) Check {
	return Check{fmt.Sprintf(says, args...), see}
}

// status requires one of some status codes.
func status(want ...int) Check {
	return check(func(_ *run, a Answer) error {
		if !slices.Contains(want, a.Status) {
			return fmt.Errorf("status %d, want %s", a.Status, join(want))
		}
		return nil
	}, "status %s", join(want))
}

// class requires a status code of one of some classes: 2 for 2xx.
func class(want ...int) Check {
	return check(func(_ *run, a Answer) error {
		if !slices.Contains(want, a.Status/100) {
			return fmt.Errorf("status %d, want %sxx", a.Status, join(want))
		}
		return nil
	}, "status %sxx", join(want))
}

func join(numbers []int) string {
	var words []string
	for _, n := range numbers {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, " or ")
}

// field requires a header field with a value, in which names are replaced as in a request's.
func field(name, value string) Check {
	return check(func(r *run, a Answer) error {
		if got, want := a.Header.Get(name), r.expand(value); got != want {
			return fmt.Errorf("%s is %q, want %q", name, got, want)
		}
		return nil
	}, "%s: %s", name, value)
}

// has requires a header field with any value.
func has(name string) Check {
	return check(func(_ *run, a Answer) error {
		if a.Header.Get(name) == "" {
			return fmt.Errorf("no %s", name)
		}
		return nil
	}, "a field %s", name)
}

// hasNot requires that a header field is missing.
func hasNot(name string) Check {
	return check(func(_ *run, a Answer) error {
		if v := a.Header.Get(name); v != "" {
			return fmt.Errorf("%s: %s", name, v)
		}
		return nil
	}, "no field %s", name)
}

// lists requires a word in a comma-separated header field.
func lists(name, word string) Check {
	return check(func(_ *run, a Answer) error {
		for v := range strings.SplitSeq(strings.Join(a.Header.Values(name), ","), ",") {
			if strings.EqualFold(strings.TrimSpace(v), word) {
				return nil
			}
		}
		return fmt.Errorf("%s is %q, without %s", name, a.Header.Get(name), word)
	}, "%s among %s", word, name)
}

// date requires a header field that is an HTTP date.
func date(name string) Check {
	return check(func(_ *run, a Answer) error {
		if _, err := http.ParseTime(a.Header.Get(name)); err != nil {
			return fmt.Errorf("%s is no date: %q", name, a.Header.Get(name))
		}
		return nil
	}, "%s is a date", name)
}

// offset requires an Upload-Offset between two numbers.
func offset(least, most int) Check {
	says := fmt.Sprintf("Upload-Offset is %d", least)
	if least != most {
		says = fmt.Sprintf("Upload-Offset is from %d to %d", least, most)
	}
	return check(func(_ *run, a Answer) error {
		n, err := strconv.Atoi(a.Header.Get("Upload-Offset"))
		if err != nil || n < least || n > most {
			return fmt.Errorf("Upload-Offset is %q, want %d to %d", a.Header.Get("Upload-Offset"), least, most)
		}
		return nil
	}, "%s", says)
}

// complete requires that the answer says whether the upload is complete, with the field of the version.
func complete(want bool) Check {
	return check(func(r *run, a Answer) error {
		name, value := split(ends(r.version, want))
		if got := a.Header.Get(name); got != value {
			return fmt.Errorf("%s is %q, want %q", name, got, value)
		}
		return nil
	}, "the answer says complete: %t", want)
}

// notRedirected refuses redirects that change the method to GET.
func notRedirected() Check {
	return check(func(_ *run, a Answer) error {
		if a.Status >= 301 && a.Status <= 303 {
			return fmt.Errorf("status %d", a.Status)
		}
		return nil
	}, "neither 301, 302 nor 303")
}

// interim requires an interim answer 104 with a field.
func interim(name string) Check {
	return check(func(_ *run, a Answer) error {
		for _, i := range a.Interim {
			if i.Status == 104 && i.Header.Get(name) != "" {
				return nil
			}
		}
		return fmt.Errorf("no 104 with %s among %d interim answers", name, len(a.Interim))
	}, "104 with %s", name)
}

// eachInterim applies a check to every answer 104.
func eachInterim(want Check) Check {
	return check(func(r *run, a Answer) error {
		for _, i := range a.Interim {
			if i.Status != 104 {
				continue
			}
			if err := want.See(r, Answer{Status: i.Status, Header: i.Header}); err != nil {
				return fmt.Errorf("in 104: %w", err)
			}
		}
		return nil
	}, "in each 104: %s", want.Says)
}

// noInterim refuses 104.
func noInterim() Check {
	return check(func(_ *run, a Answer) error {
		for _, i := range a.Interim {
			if i.Status == 104 {
				return fmt.Errorf("a 104 was sent")
			}
		}
		return nil
	}, "no 104")
}

// oneLocation requires the same Location in all messages that answer a request.
func oneLocation() Check {
	return check(func(_ *run, a Answer) error {
		last := a.Header.Get("Location")
		for _, i := range a.Interim {
			at := i.Header.Get("Location")
			if at != "" && last != "" && at != last {
				return fmt.Errorf("one message has the Location %s, another %s", at, last)
			}
			if at != "" {
				last = at
			}
		}
		return nil
	}, "one Location in all messages")
}

// problem requires a body of problem details (RFC 9457) of a registered type, with some members.
func problem(kind string, members ...string) Check {
	want := "https://iana.org/assignments/http-problem-types#" + kind
	return check(func(_ *run, a Answer) error {
		var got map[string]any
		if err := json.Unmarshal(a.Body, &got); err != nil {
			return fmt.Errorf("the body is no problem in JSON: %w", err)
		}
		if got["type"] != want {
			return fmt.Errorf("the problem's type is %v, want %s", got["type"], want)
		}
		for _, m := range members {
			if _, ok := got[m].(float64); !ok {
				return fmt.Errorf("the problem has no number %s", m)
			}
		}
		return nil
	}, "problem of type %s", kind)
}
