package main

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// runScenes runs some scenes of the pages' tests: node, and usually a browser, with the built program and pages.
func runScenes(ctx context.Context, t *tree, where string, names []string, limit time.Duration) map[test]outcome {
	all := map[test]outcome{}
	for _, step := range [][]string{
		{"go", "build", "-o", "holdfast", "."},
		{"scripts/packages.sh"},
		{"npm", "--prefix", "web-example", "run", "build"},
	} {
		if out, err := command(ctx, t, compiling, step[0], step[1:]...); err != nil {
			for _, name := range names {
				all[test{where: where, name: name}] = outcome{state: broken, output: tail(out)}
			}
			return all
		}
	}
	pattern := make([]string, len(names))
	for i, name := range names {
		pattern[i] = regexp.QuoteMeta(name)
	}
	// With env, since commands have the environment of this process; node's own runner reports in TAP.
	out, _ := command(ctx, t, limit, "env", "HOLDFAST_BIN="+filepath.Join(t.dir, "holdfast"), "node", "--test",
		"--test-reporter=tap", "--test-name-pattern=^("+strings.Join(pattern, "|")+")$", where)
	for _, name := range names {
		o := outcome{state: scene(out, name)}
		if o.state != passed {
			o.output = tail(out)
		}
		all[test{where: where, name: name}] = o
	}
	return all
}

// scene finds a scene's result in TAP: "ok 3 - its name" or "not ok 3 - its name".
func scene(tap, name string) state {
	line := regexp.MustCompile(`(?m)^\s*(not )?ok \d+ - ` + regexp.QuoteMeta(name) + `(?: # (SKIP|TODO).*)?$`)
	m := line.FindStringSubmatch(tap)
	switch {
	case m == nil || m[2] != "":
		return absent
	case m[1] != "":
		return failed
	}
	return passed
}
