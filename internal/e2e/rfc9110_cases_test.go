package e2e

import "strings"

// request is a case: what RFC 9110 says about a GET with these headers, divided by "|",
// of a file of so many digits ("0123456789012..."). {tag}, {date}, {before} and {after} are
// its ETag, its Last-Modified, and a second before and after that; {850} and {asctime} are
// its Last-Modified as old clients write it (5.6.7). ranges are the
// spans that come back: none with 200, one with 206, several in a multipart/byteranges.
type request struct {
	size    int
	headers string
	status  int
	ranges  string
}

// sections are the cases by section of RFC 9110.
var sections = map[string][]request{
	"14.1.2 int-range": {
		{10, "Range: bytes=0-0", 206, "0-0"},
		{10, "Range: bytes=0-4", 206, "0-4"},
		{10, "Range: bytes=2-4", 206, "2-4"},
		{10, "Range: bytes=9-9", 206, "9-9"},
		{10, "Range: bytes=0-9", 206, "0-9"},
		{10, "Range: bytes=0-10", 206, "0-9"}, // last-pos beyond the end means the end
		{10, "Range: bytes=0-99999999999999999999999999", 206, "0-9"},
		{10, "Range: bytes=9-9223372036854775807", 206, "9-9"},
		{10, "Range: bytes=9-9223372036854775808", 206, "9-9"},
		{10, "Range: bytes=000002-0004", 206, "2-4"},
		{10, "Range: bytes=0-", 206, "0-9"},
		{10, "Range: bytes=9-", 206, "9-9"},
		{10, "Range: bytes=10-", 416, ""},
		{10, "Range: bytes=10-20", 416, ""},
		{10, "Range: bytes=9223372036854775807-", 416, ""},
		{10, "Range: bytes=9223372036854775808-", 416, ""},
		{10, "Range: bytes=99999999999999999999999999-", 416, ""},
		{1, "Range: bytes=0-0", 206, "0-0"},
		{1, "Range: bytes=0-", 206, "0-0"},
		{1, "Range: bytes=1-", 416, ""},
		{100, "Range: bytes=50-59", 206, "50-59"},
		{100, "Range: bytes=99-", 206, "99-99"},
		{100, "Range: bytes=100-", 416, ""},
	},
	"14.1.2 suffix-range": {
		{10, "Range: bytes=-1", 206, "9-9"},
		{10, "Range: bytes=-3", 206, "7-9"},
		{10, "Range: bytes=-10", 206, "0-9"},
		{10, "Range: bytes=-11", 206, "0-9"}, // all of it, if it is shorter
		{10, "Range: bytes=-9223372036854775807", 206, "0-9"},
		{10, "Range: bytes=-99999999999999999999999999", 206, "0-9"},
		{10, "Range: bytes=-0", 416, ""},
		{10, "Range: bytes=-000", 416, ""},
		{1, "Range: bytes=-1", 206, "0-0"},
		{100, "Range: bytes=-100", 206, "0-99"},
	},
	"14.1.1 invalid ranges": {
		{10, "Range: bytes=4-2", 416, ""},
		{10, "Range: bytes=-", 416, ""},
		{10, "Range: bytes=", 416, ""},
		{10, "Range: bytes=,", 416, ""},
		{10, "Range: bytes=x", 416, ""},
		{10, "Range: bytes=2", 416, ""},
		{10, "Range: bytes=2-x", 416, ""},
		{10, "Range: bytes=x-4", 416, ""},
		{10, "Range: bytes=--2", 416, ""},
		{10, "Range: bytes=2--4", 416, ""},
		{10, "Range: bytes=2-4-6", 416, ""},
		{10, "Range: bytes=+2-4", 416, ""},
		{10, "Range: bytes=2-+4", 416, ""},
		{10, "Range: bytes=-+4", 416, ""},
		{10, "Range: bytes=0x2-4", 416, ""},
		{10, "Range: bytes=2.0-4", 416, ""},
		{10, "Range: bytes=2 - 4", 416, ""},
		{10, "Range: bytes=2-4;5-6", 416, ""},
		{10, "Range: bytes=2-4 5-6", 416, ""},
		{10, "Range: bytes=0-1,x", 416, ""},
		{10, "Range: bytes=0-1,4-2", 416, ""},
		{10, "Range: bytes=0-1,bytes=2-3", 416, ""},
		{10, "Range: bytes=٢-٤", 416, ""},
	},
	"14.1 range units": {
		{10, "Range: Bytes=2-4", 206, "2-4"}, // names of units have no case
		{10, "Range: BYTES=-2", 206, "8-9"},
		{10, "Range: lines=2-4", 200, ""}, // an unknown unit is ignored
		{10, "Range: bits=0-1", 200, ""},
		{10, "Range: none=0-1", 200, ""},
		{10, "Range: bytes2=0-1", 200, ""},
		{10, "Range: seconds=1-2,5-6", 200, ""},
	},
	"14.2 Range": {
		{10, "Range: bytes", 200, ""},
		{10, "Range: 2-4", 200, ""},
		{10, "Range: =2-4", 200, ""},
		{10, "Range: bytes 2-4", 200, ""},
		{10, "Range: bytes:2-4", 200, ""},
		{10, "Range: bytes = 2-4", 200, ""},
		{10, "Range: bytes=2-4|Range: bytes=6-7", 200, ""}, // it is no list: two lines are no Range
		{0, "Range: bytes=0-0", 200, ""},
		{0, "Range: bytes=0-", 200, ""},
		{0, "Range: bytes=5-", 200, ""},
		{0, "Range: bytes=-5", 200, ""},
		{0, "Range: bytes=-0", 200, ""},
		{0, "Range: bytes=x", 200, ""},
		{0, "", 200, ""},
		{10, "", 200, ""},
		{100, "", 200, ""},
	},
	"14.1.2, 15.3.7.2 several ranges": {
		{10, "Range: bytes=0-0,9-9", 206, "0-0,9-9"},
		{10, "Range: bytes=0-0,-1", 206, "0-0,9-9"},
		{10, "Range: bytes=0-1,4-5,8-9", 206, "0-1,4-5,8-9"},
		{10, "Range: bytes=8-9,0-1", 206, "8-9,0-1"}, // in the order that was asked for
		{10, "Range: bytes=0-4,5-9", 206, "0-4,5-9"},
		{10, "Range: bytes=5-,0-4", 206, "5-9,0-4"},
		{10, "Range: bytes=0-3,2-5", 206, "0-3,2-5"}, // they overlap; no more than the file is sent
		{10, "Range: bytes=0-0,0-0", 206, "0-0,0-0"},
		{10, "Range: bytes=0-1,0-3,0-2", 206, "0-1,0-3,0-2"},
		{10, "Range: bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0", 206, "0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0"},
		{10, "Range: bytes=0-0, 2-2,\t4-4 ,6-6", 206, "0-0,2-2,4-4,6-6"},
		{10, "Range: bytes=,0-0,,9-9,", 206, "0-0,9-9"}, // empty elements of a list count for nothing (5.6.1.2)
		{10, "Range: bytes=0-0,", 206, "0-0"},
		{10, "Range: bytes=0-1,10-", 206, "0-1"}, // what can't be satisfied is left out; one part needs no multipart
		{10, "Range: bytes=10-,0-1", 206, "0-1"},
		{10, "Range: bytes=0-1,-0", 206, "0-1"},
		{10, "Range: bytes=0-1,10-,8-", 206, "0-1,8-9"},
		{10, "Range: bytes=10-,20-", 416, ""},
		{10, "Range: bytes=-0,10-", 416, ""},
		{10, "Range: bytes=-0,-0", 416, ""},
		{100, "Range: bytes=0-9,50-59,-10", 206, "0-9,50-59,90-99"},
	},
	"17.15 too many, or more than there is": {
		{10, "Range: bytes=0-,0-", 200, ""},
		{10, "Range: bytes=0-9,0-0", 200, ""},
		{10, "Range: bytes=-6,0-5", 200, ""},
		{10, "Range: bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0", 200, ""},
		{100, "Range: bytes=" + strings.Repeat("1-1,", 15) + "2-2", 206, strings.Repeat("1-1,", 15) + "2-2"},
		{100, "Range: bytes=" + strings.Repeat("1-1,", 16) + "2-2", 200, ""},
		{100, "Range: bytes=" + strings.Repeat("200-,", 16) + "2-2", 200, ""},
		{100, "Range: bytes=" + strings.Repeat("1-1,", 5000) + "2-2", 200, ""},
		{100, "Range: bytes=" + strings.Repeat("0-,", 15) + "0-", 200, ""},
	},
	"13.1.1 If-Match": {
		{10, "If-Match: {tag}", 200, ""},
		{10, "If-Match: *", 200, ""},
		{10, `If-Match: "x", {tag}`, 200, ""},
		{10, `If-Match: "x,y" , {tag}, "z"`, 200, ""},
		{10, `If-Match: "x"|If-Match: {tag}`, 200, ""},
		{10, `If-Match: "x"`, 412, ""},
		{10, `If-Match: "x", "y"`, 412, ""},
		{10, "If-Match: W/{tag}", 412, ""}, // compared strongly
		{10, `If-Match: "x", W/{tag}`, 412, ""},
		{10, "If-Match: {tag}|Range: bytes=2-4", 206, "2-4"},
		{10, `If-Match: "x"|Range: bytes=2-4`, 412, ""},
		{10, `If-Match: "x"|Range: bytes=99-`, 412, ""},
	},
	"13.1.2 If-None-Match": {
		{10, "If-None-Match: {tag}", 304, ""},
		{10, "If-None-Match: W/{tag}", 304, ""}, // compared weakly
		{10, "If-None-Match: *", 304, ""},
		{10, `If-None-Match: "x", {tag}`, 304, ""},
		{10, `If-None-Match: "x"|If-None-Match: {tag}`, 304, ""},
		{10, `If-None-Match: "x", W/{tag}, "y"`, 304, ""},
		{10, `If-None-Match: "x"`, 200, ""},
		{10, `If-None-Match: W/"x"`, 200, ""},
		{10, `If-None-Match: "x"|Range: bytes=2-4`, 206, "2-4"},
		{10, "If-None-Match: {tag}|Range: bytes=2-4", 304, ""},
		{10, "If-None-Match: {tag}|Range: bytes=99-", 304, ""},
		{0, "If-None-Match: {tag}", 304, ""},
	},
	"13.1.3 If-Modified-Since": {
		{10, "If-Modified-Since: {date}", 304, ""},
		{10, "If-Modified-Since: {after}", 304, ""},
		{10, "If-Modified-Since: {before}", 200, ""},
		{10, "If-Modified-Since: {850}", 304, ""},
		{10, "If-Modified-Since: {asctime}", 304, ""},
		{10, "If-Modified-Since: yesterday", 200, ""}, // not a date: ignored
		{10, "If-Modified-Since: 1700000000", 200, ""},
		{10, "If-Modified-Since: {date}|Range: bytes=2-4", 304, ""},
		{10, "If-Modified-Since: {before}|Range: bytes=2-4", 206, "2-4"},
	},
	"13.1.4 If-Unmodified-Since": {
		{10, "If-Unmodified-Since: {date}", 200, ""},
		{10, "If-Unmodified-Since: {after}", 200, ""},
		{10, "If-Unmodified-Since: {before}", 412, ""},
		{10, "If-Unmodified-Since: {850}", 200, ""},
		{10, "If-Unmodified-Since: yesterday", 200, ""},
		{10, "If-Unmodified-Since: {before}|Range: bytes=2-4", 412, ""},
		{10, "If-Unmodified-Since: {date}|Range: bytes=2-4", 206, "2-4"},
	},
	"13.1.5 If-Range": {
		{10, "If-Range: {tag}|Range: bytes=2-4", 206, "2-4"},
		{10, "If-Range: {tag}|Range: bytes=0-0,9-9", 206, "0-0,9-9"},
		{10, `If-Range: "x"|Range: bytes=2-4`, 200, ""},
		{10, `If-Range: "x"|Range: bytes=0-0,9-9`, 200, ""},
		{10, `If-Range: "x"|Range: bytes=99-`, 200, ""},
		{10, `If-Range: "x"|Range: bytes=x`, 200, ""},
		{10, "If-Range: W/{tag}|Range: bytes=2-4", 200, ""}, // compared strongly
		{10, "If-Range: {date}|Range: bytes=2-4", 206, "2-4"},
		{10, "If-Range: {before}|Range: bytes=2-4", 200, ""},
		{10, "If-Range: {after}|Range: bytes=2-4", 200, ""}, // it must be exactly that date
		{10, "If-Range: yesterday|Range: bytes=2-4", 200, ""},
		{10, "If-Range: *|Range: bytes=2-4", 200, ""},
		{10, "If-Range: {tag}|Range: bytes=99-", 416, ""},
		{10, "If-Range: {tag}", 200, ""},
		{10, `If-Range: "x"`, 200, ""},
	},
}

// preconditions are the cases of RFC 9110, 13.2.2: which condition counts when several
// are given. Each value comes with whether its condition is true.
func preconditions() (cases []request) {
	type value struct {
		header string
		holds  bool
	}
	matches := []value{{"", true}, {"If-Match: {tag}", true}, {`If-Match: "x"`, false}}
	unmodified := []value{{"", true}, {"If-Unmodified-Since: {date}", true}, {"If-Unmodified-Since: {before}", false}}
	noneMatches := []value{{"", true}, {`If-None-Match: "x"`, true}, {"If-None-Match: {tag}", false}}
	modified := []value{{"", true}, {"If-Modified-Since: {before}", true}, {"If-Modified-Since: {date}", false}}
	ranges := []value{{"", true}, {"Range: bytes=2-4", true}, {"Range: bytes=2-4|If-Range: {tag}", true},
		{`Range: bytes=2-4|If-Range: "x"`, false}}
	for _, m := range matches {
		for _, u := range unmodified {
			for _, n := range noneMatches {
				for _, i := range modified {
					for _, r := range ranges {
						c := request{size: 10, status: 200}
						for _, v := range []value{m, u, n, i, r} {
							if v.header != "" {
								c.headers += "|" + v.header
							}
						}
						c.headers = strings.TrimPrefix(c.headers, "|")
						switch {
						case !m.holds, // step 1
							m.header == "" && !u.holds: // step 2, only without If-Match
							c.status = 412
						case !n.holds, // step 3
							n.header == "" && !i.holds: // step 4, only without If-None-Match
							c.status = 304
						case r.header != "" && r.holds: // step 5
							c.status, c.ranges = 206, "2-4"
						}
						cases = append(cases, c)
					}
				}
			}
		}
	}
	return cases
}
