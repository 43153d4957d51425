// Release makes everything that can be installed of a version: programs, packages, images, the Helm chart, SBOMs, and
// SHA256SUMS. It builds the commit that is checked out, in a clone of its own, so that two runs anywhere give the same
// bytes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		stop()
		log.Fatalf("release: %v", err)
	}
}

// run makes a release of the repository that contains the working directory.
func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "", "the version, such as 0.2.0")
	out := flags.String("out", "dist", "the folder that is made; what is in it is replaced")
	only := flags.String("platforms", "", "only these, a comma list such as linux/amd64,linux/arm64; all by default")
	maintainer := flags.String("maintainer", "Holdfast <root@localhost>", "who answers for the packages: Name <address>")
	fresh := flags.Bool("fresh", false, "compile "+host().String()+" with an empty build cache")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected arguments: %q", flags.Args())
	}
	if !isVersion(*version) {
		return fmt.Errorf("%q is no version, such as 0.2.0 or 0.3.0-rc.1: make release VERSION=0.2.0", *version)
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	target, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "holdfast-release-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()

	r := &release{version: *version, platforms: chosen, out: filepath.Join(temporary, "out"), work: temporary,
		maintainer: *maintainer, fresh: *fresh}
	if err := r.make(ctx); err != nil {
		return err
	}
	return replace(target, r.out)
}

// isVersion reports whether text is a version by Semantic Versioning, without a leading v. Build metadata is not
// allowed, since Debian's versions have none.
func isVersion(text string) bool {
	const number, name = `(0|[1-9]\d*)`, `[0-9A-Za-z]+`
	version := regexp.MustCompile(`^` + number + `\.` + number + `\.` + number + `(-` + name + `(\.` + name + `)*)?$`)
	return version.MatchString(text)
}

// release is a version that is being built.
type release struct {
	version    string
	maintainer string // of the packages
	platforms  []platform
	out        string // folder of the artifacts
	work       string // temporary folder
	fresh      bool

	source string    // clone of the repository
	commit string    // the commit that is checked out there
	time   time.Time // of that commit: the modification time of every file
}

// make runs all steps, and prints the duration of each.
func (r *release) make(ctx context.Context) error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"source", r.cloneSource},
		{"page", r.buildPage},
		{"programs", r.buildPrograms},
		{"staging", r.stageAll},
		{"archives", r.writeArchives},
		{"packages", r.writePackages},
		{"images", r.writeImages},
		{"chart", r.writeChart},
		{"lists of contents", r.writeSBOMs},
		{"sums", r.writeSums},
	} {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		log.Printf("%-18s %6.1f s", step.name, time.Since(began).Seconds())
	}
	return nil
}

// name returns the path of an artifact whose name begins with the program and the version.
func (r *release) name(rest string) string {
	return filepath.Join(r.out, "holdfast_"+r.version+"_"+rest)
}

// replace replaces the target with the finished folder and lists its contents.
func replace(target, finished string) error {
	entries, err := os.ReadDir(finished)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	if err := os.CopyFS(target, os.DirFS(finished)); err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		log.Printf("%8.1f MB  %s", float64(info.Size())/1e6, filepath.Join(filepath.Base(target), e.Name()))
	}
	return nil
}

// choose parses the list of platforms; an empty list means all.
func choose(list string) (chosen []platform, err error) {
	if list == "" {
		return platforms(), nil
	}
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, p := range platforms() {
			if p.String() == name {
				chosen, found = append(chosen, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%q is none of %v", name, platforms())
		}
	}
	return chosen, nil
}
