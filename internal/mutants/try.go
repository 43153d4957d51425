package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The results of a guard.
const (
	killed       = "killed"
	survived     = "SURVIVED"
	notApplied   = "does not apply"
	notCompiled  = "does not compile"
	notRun       = "test did not run"
	failsAnyway  = "fails without the patch"
	notDecided   = "not decided in time"
	notRestored  = "could not be taken back"
	wasCancelled = "cancelled"
)

// verdict is the result of one guard. Its detail names tests, or is the output of git or the compiler.
type verdict struct {
	guard, result, detail string
	tests                 []string
	took                  time.Duration
}

// outcome is how a test ended.
type outcome struct {
	state  state
	output string // the last lines, if it did not pass
}

type state int

const (
	absent   state = iota // there is no such test, it was skipped, or its package did not start
	broken                // its package did not compile
	passed                //
	failed                //
	timedOut              // it was still running at the time limit
)

// runTests runs tests in a tree, those of one package (or file of scenes) together.
func runTests(ctx context.Context, t *tree, tests []test, limit time.Duration) map[test]outcome {
	names := map[string][]string{}
	for _, x := range tests {
		if !slices.Contains(names[x.where], x.name) {
			names[x.where] = append(names[x.where], x.name)
		}
	}
	all := map[test]outcome{}
	for _, where := range slices.Sorted(maps.Keys(names)) {
		run := runGoTests
		if (test{where: where}).page() {
			run = runScenes
		}
		maps.Copy(all, run(ctx, t, where, names[where], limit))
	}
	return all
}

// baseline runs all tests once without a patch: a test that fails already proves nothing.
func baseline(ctx context.Context, t *tree, guards []guard, limit time.Duration) map[test]outcome {
	var tests []test
	for _, g := range guards {
		tests = append(tests, g.tests...)
	}
	outcomes := runTests(ctx, t, tests, max(5*limit, limit*time.Duration(len(tests))/4))
	count := 0
	for _, o := range outcomes {
		if o.state == passed {
			count++
		}
	}
	fmt.Printf("  %d of %d pass\nand without each guard:\n", count, len(outcomes))
	return outcomes
}

// try applies one guard's patch, runs its tests, and reverts it.
func try(ctx context.Context, t *tree, g guard, before map[test]outcome, limit time.Duration) verdict {
	for _, x := range g.tests {
		switch o := before[x]; o.state {
		case passed:
		case failed, timedOut:
			return verdict{result: failsAnyway, tests: []string{x.String()}, detail: o.output}
		case broken:
			return verdict{result: notCompiled, tests: []string{x.String()}, detail: "without the patch:\n" + o.output}
		default:
			return verdict{result: notRun, tests: []string{x.String()}, detail: o.output}
		}
	}
	if err := t.apply(g.patch); err != nil {
		return verdict{result: notApplied, detail: err.Error()}
	}
	v := decide(ctx, t, g, limit)
	if err := t.apply(g.patch, "-R"); err != nil {
		return verdict{result: notRestored, detail: err.Error()}
	}
	if ctx.Err() != nil {
		return verdict{result: wasCancelled}
	}
	return v
}

// decide runs the tests of a guard whose patch is applied. All must fail: the weakest result decides.
func decide(ctx context.Context, t *tree, g guard, limit time.Duration) verdict {
	if out, err := check(ctx, t, g.packages()); err != nil {
		return verdict{result: notCompiled, detail: out}
	}
	after := runTests(ctx, t, g.tests, limit)
	named := map[state][]string{}
	var output []string
	for _, x := range g.tests {
		o := after[x]
		named[o.state] = append(named[o.state], x.String())
		if o.state != failed && o.output != "" {
			output = append(output, o.output)
		}
	}
	detail := strings.Join(output, "\n")
	for _, worst := range []struct {
		state  state
		result string
	}{{passed, survived}, {broken, notCompiled}, {absent, notRun}, {timedOut, notDecided}} {
		if tests := named[worst.state]; len(tests) > 0 {
			return verdict{result: worst.result, tests: tests, detail: detail}
		}
	}
	return verdict{result: killed, tests: named[failed]}
}
