// Command conformance tests whether a server of resumable uploads conforms to its standards: tus 1.0.0 with its
// extensions, and the IETF's Resumable Uploads for HTTP in its interop versions. Each requirement is a case in a
// table. Cases that need something that the server does not support are counted separately.
//
// Usage: go run ./conformance [options] URL
//
// The exit status is 0 if no MUST failed, 1 if one did or the server could not be tested, 2 for wrong usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// repeated is an option that may be given several times.
type repeated []string

func (r *repeated) String() string     { return strings.Join(*r, ", ") }
func (r *repeated) Set(v string) error { *r = append(*r, v); return nil }

// settings are the options of the command line.
type settings struct {
	suite
	versions    []string
	only        string
	junit, html string
	verbose     bool
}

// command runs the program and returns its exit status.
func command(ctx context.Context, args []string, out, complaints io.Writer) int {
	set, err := parse(args, complaints)
	if err != nil {
		fmt.Fprintln(complaints, "conformance:", err)
		return 2
	}
	if err := set.probe(ctx, set.versions); err != nil {
		fmt.Fprintln(complaints, "conformance:", err)
		return 1
	}
	rep := report{URL: set.endpoint.Redacted(), Date: time.Now().UTC().Format(time.DateOnly)}
	for _, version := range set.versions {
		for _, c := range cases() {
			if slices.Contains(c.Versions, version) && (set.only == "" || c.ID == set.only) {
				rep.Results = append(rep.Results, set.run(ctx, c, version))
			}
		}
	}
	rep.print(out, set.verbose)
	for path, write := range map[string]func(io.Writer) error{set.junit: rep.junit, set.html: rep.html} {
		if err := save(path, write); err != nil {
			fmt.Fprintln(complaints, "conformance:", err)
			return 1
		}
	}
	if ctx.Err() != nil || rep.broken() {
		return 1
	}
	return 0
}

// parse reads the command line.
func parse(args []string, complaints io.Writer) (*settings, error) {
	set := &settings{suite: suite{tries: 20, wire: wire{patience: 15 * time.Second, pause: 2 * time.Second,
		settle: 500 * time.Millisecond}}}
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.Var((*repeated)(&set.header), "header", "`Name: value` sent with each request; may be repeated")
	list := flags.String("versions", strings.Join(versions(), ","), "what is asked for, a comma list")
	flags.StringVar(&set.only, "only", "", "run the case with this `ID` alone")
	flags.StringVar(&set.junit, "junit", "", "write a JUnit report to this `file`")
	flags.StringVar(&set.html, "html", "", "write a page to this `file`")
	flags.IntVar(&set.max, "max", 64<<10, "the largest body that is sent, in `bytes`")
	flags.DurationVar(&set.longest, "wait", 5*time.Second, "the longest `time` to wait for an upload to expire")
	flags.BoolVar(&set.verbose, "v", false, "list each case")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() != 1 {
		return nil, fmt.Errorf("one URL is needed, that at which uploads begin")
	}
	var err error
	set.endpoint, err = url.Parse(flags.Arg(0))
	if err != nil || set.endpoint.Host == "" || set.endpoint.Scheme != "http" && set.endpoint.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL of HTTP", flags.Arg(0))
	}
	for _, line := range set.header {
		if name, value := split(line); name == "" || value == "" || strings.ContainsAny(line, "\r\n") {
			return nil, fmt.Errorf("-header %q is no header field", name)
		}
	}
	set.versions = strings.Split(*list, ",")
	for _, v := range set.versions {
		if !slices.Contains(versions(), v) {
			return nil, fmt.Errorf("-versions: %q is none of %s", v, strings.Join(versions(), ", "))
		}
	}
	if !slices.ContainsFunc(cases(), func(c Case) bool { return set.only == "" || c.ID == set.only }) {
		return nil, fmt.Errorf("-only: there is no case %q", set.only)
	}
	return set, nil
}

// save writes a report to a file, if the file's name is not empty.
func save(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
