package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/bench/report"
	"holdfast/bench/tus"
)

// load is the amount of work.
type load struct {
	content     tus.Content
	stream      int64         // bytes of the one long upload
	file        int64         // bytes of each of several files, and of the one that is sent in pieces
	files       int           // concurrent uploads
	small       int64         // bytes of a small file
	connections int           // for requests
	lasting     time.Duration // the duration of a row of requests
	requests    int           // at most, for each connection; 0: as many as there is time for
}

func fullLoad() load {
	return load{content: tus.NewContent(), stream: 1 << 30, file: 100 << 20, files: 8, small: 10 << 10, connections: 16,
		lasting: 5 * time.Second}
}

// tenth returns a smaller load, for a quick check that everything works.
func (l load) tenth() load {
	l.stream, l.file, l.lasting = l.stream/10, l.file/10, l.lasting/10
	return l
}

// counted returns the load of the pass in which calls to the store are counted: few operations, one after the other.
func (l load) counted() load {
	l.stream, l.file = min(l.stream, 100<<20), min(l.file, 50<<20)
	l.files, l.connections, l.requests = 2, 1, 20
	l.lasting = time.Minute
	return l
}

// row is a line of the table.
type row struct {
	name      string
	title     func(load) string
	operation func(load) string // the unit for which calls are counted
	unit      report.Unit
	peers     []string
	// do runs the row once for one peer: it prepares, lets the peer time the rest, and checks the result.
	do func(context.Context, load, *peer) (report.Measured, error)
}

var (
	both        = []string{report.Holdfast, report.Tusd}
	downloaders = []string{report.Holdfast, report.Tusd, report.Direct, report.Nginx}
	// others take part where -others is given, in these rows: S3 takes no parts of 1 MiB from the Python service, and
	// @tus/server knows no ranges.
	others = map[string][]string{
		report.Node:   {"stream", "parallel", "patch1", "patch5", "post", "head", "get"},
		report.Python: {"stream", "parallel", "patch5", "post", "head", "get", "ranges"},
	}
)

// withOthers returns rows in which those peers take part as well.
func withOthers(chosen []row) []row {
	chosen = slices.Clone(chosen)
	for i, r := range chosen {
		chosen[i].peers = slices.Clone(r.peers)
		for _, name := range []string{report.Node, report.Python} {
			if slices.Contains(others[name], r.name) {
				chosen[i].peers = append(chosen[i].peers, name)
			}
		}
	}
	return chosen
}

// onFiles returns rows for servers that keep files themselves: there is nothing to put to directly.
func onFiles(chosen []row) (left []row) {
	for _, r := range chosen {
		r.peers = slices.DeleteFunc(slices.Clone(r.peers), func(name string) bool { return name == report.Direct })
		if !slices.Contains([]string{"direct", "claimed", "sum"}, r.name) {
			left = append(left, r)
		}
	}
	return left
}

// rows are all measurements.
var rows = []row{
	{"stream", say("%s in one stream", stream), say("upload of %s", stream), report.Megabytes,
		[]string{report.Holdfast, report.Tusd, report.Direct}, uploadStream},
	{"direct", say("%s in parts to the store itself", stream), say("direct upload of %s", stream), report.Megabytes,
		[]string{report.Holdfast, report.Direct}, uploadDirect(false)},
	{"claimed", say("the same with the SHA-256 declared: %s", stream), say("declared direct upload of %s", stream),
		report.Megabytes, []string{report.Holdfast}, uploadDirect(true)},
	{"sum", say("its SHA-256, computed afterwards: %s", stream), say("SHA-256 of %s", stream), report.Megabytes,
		[]string{report.Holdfast}, sumAfterwards},
	{"parallel", func(l load) string { return fmt.Sprintf("%d x %s at once", l.files, size(l.file)) },
		say("upload of %s", file), report.Megabytes, both, uploadSeveral},
	{"patch1", say("%s in PATCHes of 1 MiB", file), fixed("PATCH of 1 MiB"), report.Megabytes, both, uploadIn(1 << 20)},
	{"patch5", say("%s in PATCHes of 5 MiB", file), fixed("PATCH of 5 MiB"), report.Megabytes, both, uploadIn(5 << 20)},
	{"post", at("POST with %s", small), say("POST with %s", small), report.Requests, both, createSmall},
	{"head", at("HEAD of an unfinished upload", nil), fixed("HEAD"), report.Requests, both, askUnfinished},
	{"get", say("download of %s", stream), say("download of %s", stream), report.Megabytes, downloaders, downloadWhole},
	{"ranges", at("64 KiB at random places", nil), fixed("GET of 64 KiB"), report.Requests, downloaders, downloadRanges},
}

// targets are the results that Holdfast should reach, in the main table.
var targets = []report.Target{
	{Row: "stream", Metric: report.Speed, Beside: report.Tusd, Value: 1.5},
	{Row: "stream", Metric: report.Speed, Beside: report.Direct, Value: 0.85},
	{Row: "stream", Metric: report.CPU, Beside: report.Tusd, AtMost: true, Value: 0.6},
	{Row: "direct", Metric: report.Speed, Beside: report.Direct, Value: 0.95},
	{Row: "direct", Metric: report.CPU, AtMost: true, Value: 0.05},
	{Row: "patch1", Metric: report.Speed, Beside: report.Tusd, Value: 3.5},
	{Row: "patch5", Metric: report.Speed, Beside: report.Tusd, Value: 2},
	{Row: "post", Metric: report.Speed, Beside: report.Tusd, Value: 3.5},
	{Row: "head", Metric: report.Speed, Beside: report.Tusd, Value: 9},
	{Row: "get", Metric: report.Speed, Beside: report.Tusd, Value: 2.5},
	{Row: "get", Metric: report.Speed, Beside: report.Direct, Value: 0.85},
	{Row: "get", Metric: report.Speed, Beside: report.Nginx, Value: 0.95},
	{Row: "get", Metric: report.CPU, Beside: report.Nginx, AtMost: true, Value: 1},
	{Row: "ranges", Metric: report.Speed, Beside: report.Tusd, Value: 4},
	{Row: "ranges", Metric: report.Speed, Beside: report.Direct, Value: 0.85},
	{Row: "ranges", Metric: report.Speed, Beside: report.Nginx, Value: 1},
	{Row: "ranges", Metric: report.CPU, Beside: report.Nginx, AtMost: true, Value: 1.5},
	{Row: "stream", Metric: report.TempBytes, AtMost: true},
	{Row: "direct", Metric: report.TempBytes, AtMost: true},
	{Row: "parallel", Metric: report.TempBytes, AtMost: true},
	{Row: "patch1", Metric: report.TempBytes, AtMost: true},
	{Row: "patch5", Metric: report.TempBytes, AtMost: true},
	{Row: "post", Metric: report.TempBytes, AtMost: true},
}

func names(rows []row) (all []string) {
	for _, r := range rows {
		all = append(all, r.name)
	}
	return all
}

// choose returns the rows with these names, in the order of the table; all for an empty list.
func choose(list string) (chosen []row, err error) {
	if list == "" {
		return rows, nil
	}
	wanted := strings.Split(list, ",")
	for _, name := range wanted {
		if !slices.Contains(names(rows), name) {
			return nil, fmt.Errorf("-only: there is no row %q, but %s", name, strings.Join(names(rows), ", "))
		}
	}
	for _, r := range rows {
		if slices.Contains(wanted, r.name) {
			chosen = append(chosen, r)
		}
	}
	return chosen, nil
}

// The texts depend on the load, so that a short run does not claim more than it did.
func stream(l load) int64 { return l.stream }
func file(l load) int64   { return l.file }
func small(l load) int64  { return l.small }

func fixed(text string) func(load) string { return func(load) string { return text } }

func say(format string, of func(load) int64) func(load) string {
	return func(l load) string { return fmt.Sprintf(format, size(of(l))) }
}

func at(format string, of func(load) int64) func(load) string {
	return func(l load) string {
		text := format
		if of != nil {
			text = fmt.Sprintf(format, size(of(l)))
		}
		return fmt.Sprintf("%s, %d connections", text, l.connections)
	}
}

// size writes a number of bytes in the largest unit in which it is whole, or with one decimal.
func size(bytes int64) string {
	unit, name := int64(1), "B"
	for _, u := range []struct {
		bytes int64
		name  string
	}{{1 << 10, "KiB"}, {1 << 20, "MiB"}, {1 << 30, "GiB"}} {
		if bytes >= u.bytes {
			unit, name = u.bytes, u.name
		}
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(bytes)/float64(unit)), ".0") + " " + name
}

// targetsOf returns the targets of a table.
func targetsOf(table string) []report.Target {
	if table == mainTable {
		return targets
	}
	return nil
}
