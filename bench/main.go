// Bench compares Holdfast with stock tusd, with the AWS SDK that puts the same bytes directly into the same store, and,
// for downloads, with nginx, which asks a permission service (auth_request) and proxies the object from the store. All
// of them run on this machine, on loopback, over one versitygw whose folder is on a RAM disk, in turn and in one run.
//
//	cd bench && go run . [-rounds 3] [-only stream,head] [-short] [-json FILE] [-plot FILE.svg]
//	cd bench && go run . -others           also @tus/server (Node) and a service in Python, installed the first time
//	cd bench && go run . -store seaweedfs  over SeaweedFS
//	cd bench && go run . -store disk       Holdfast's embedded store, tusd's filestore, and nginx that serves files
//	cd bench && go run . -docs             the same, with or without those, and writes the numbers into the documents
//	cd bench && go run . -redraw           writes the documents again, from the numbers that they contain
//
// It takes some minutes and up to 6 GiB of the RAM disk, ends by itself, and leaves nothing behind. nginx must be
// installed, unless -only names rows without it. The benchmark is a module of its own, so that its dependencies stay
// out of the service.
//
// # How to read the numbers
//
// Client, server and store share the processors: the one that uses less of them is faster, and no number says what a
// server would do alone on a machine. A round goes through all rows, and the peers take turns in each; in every second
// round in the opposite order. Calls to the store are counted in a separate pass, through a proxy.
//
// nginx's CPU is that of its master and its workers. The permission service's CPU is shown beside it and is part of the
// sums, but not of the server's: an application has such a service anyway, and not this one.
//
// # Files
//
// rows.go has the table of rows; a new one is a line there and a function like those in uploads.go and requests.go.
// rounds.go goes through them, lab.go starts and stops what they need.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"holdfast/bench/report"
)

// root is the repository, relative to the folder in which the benchmark runs.
const root = ".."

// options are the flags.
type options struct {
	holdfast   string
	ram        string
	rounds     int
	only       string
	short      bool
	others     bool
	store      string
	json, plot string
	docs       bool
	redraw     bool
	profile    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (o options, chosen []row, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.holdfast, "holdfast", "..", "Holdfast's source `folder`, or a built program")
	f.StringVar(&o.ram, "ram", "/dev/shm", "a `folder` on a RAM disk")
	f.IntVar(&o.rounds, "rounds", 3, "how often everything is measured")
	f.StringVar(&o.only, "only", "", "only these `rows`, by comma: "+strings.Join(names(rows), ", "))
	f.BoolVar(&o.short, "short", false, "a tenth of the sizes and one round: to see whether all works")
	f.BoolVar(&o.others, "others", false, "also measure @tus/server (needs Node) and a service in Python (FastAPI with "+
		"aioboto3), which are installed into the cache folder the first time")
	f.StringVar(&o.store, "store", onVersitygw, "what all keep their files in: "+onVersitygw+", "+onSeaweedFS+
		" (SEAWEEDFS_BIN, or weed in PATH, or installed into the cache folder), or "+onDisk+" (files of their own, on the "+
		"RAM disk)")
	f.StringVar(&o.json, "json", "", "write everything to this `file`")
	f.StringVar(&o.plot, "plot", "", "draw the ratios into this SVG `file`")
	f.BoolVar(&o.docs, "docs", false, "put the numbers into the documents: docs/bench, docs/BENCHMARKS.md, README.md")
	f.BoolVar(&o.redraw, "redraw", false, "measure nothing, but write those documents again from docs/bench/bench.json")
	f.StringVar(&o.profile, "profile", "",
		"afterwards do each row once more under Holdfast's CPU profiler; `folder` for the profiles")
	if err := f.Parse(args); err != nil {
		return o, nil, err
	}
	if f.NArg() > 0 {
		return o, nil, fmt.Errorf("unexpected %q", f.Args())
	}
	if o.short {
		o.rounds = 1
	}
	if o.rounds < 1 || o.rounds > 100 {
		return o, nil, errors.New("-rounds must be 1 to 100")
	}
	if o.docs && (o.short || o.only != "") {
		return o, nil, errors.New("-docs is for whole runs: neither -short nor -only go with it")
	}
	if !slices.Contains([]string{onVersitygw, onSeaweedFS, onDisk}, o.store) {
		return o, nil, fmt.Errorf("-store: %q is none of %s, %s and %s", o.store, onVersitygw, onSeaweedFS, onDisk)
	}
	if o.others && o.store != onVersitygw {
		return o, nil, errors.New("-others is for " + onVersitygw)
	}
	if chosen, err = choose(o.only); err != nil {
		return o, nil, err
	}
	switch {
	case o.others:
		chosen = withOthers(chosen)
	case o.store == onDisk:
		chosen = onFiles(chosen)
	}
	return o, chosen, nil
}

// The values of -store.
const (
	onVersitygw = "versitygw"
	onSeaweedFS = "seaweedfs"
	onDisk      = "disk"
)

// table is the name of the numbers that a run is for: see docs.go.
func (o options) table() string {
	switch {
	case o.others:
		return othersTable
	case o.store != onVersitygw:
		return o.store
	}
	return mainTable
}

// limit returns the longest time of a run: it must end even if a server hangs.
func (o options) limit() time.Duration { return time.Duration(o.rounds+3) * 10 * time.Minute }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, chosen, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.redraw {
		return redraw(root)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit(), errors.New("it took too long"))
	defer cancel()
	lab, err := openLab(ctx, o, chosen, stderr)
	if err != nil {
		return err
	}
	defer func() {
		if err := lab.close(); err != nil {
			fmt.Fprintln(stderr, "bench: clean up:", err)
		}
	}()

	result := lab.begin(o, chosen)
	// Results from before an error are shown nevertheless.
	broken := lab.measure(ctx, o, chosen, result)
	result.Finish(targetsOf(o.table()))
	if err := result.WriteTable(stdout); err != nil {
		return err
	}
	if broken != nil {
		return broken
	}
	if err := write(o.json, result.WriteJSON); err != nil {
		return err
	}
	if err := write(o.plot, func(w io.Writer) error { return result.WritePlot(w, report.Light()) }); err != nil {
		return err
	}
	if o.docs {
		return documents(root, o.table(), result)
	}
	return nil
}

// write writes a file; it does nothing if name is empty.
func write(name string, what func(io.Writer) error) (err error) {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return what(f)
}
