// Command mutants removes the guards of docs/SECURITY.md from the code, one by one, and expects tests to notice.
//
// A guard is a small patch in guards/ that removes one check from the code and names the tests that must fail without
// it. Each patch is applied to a copy of the tree, never to the tree itself.
//
//	go run ./internal/mutants                 # all guards
//	go run ./internal/mutants -run 'lease'    # those whose names match
//
// The exit code is 0 if every guard was killed: each test that it names passes without the patch, and fails with it. A
// patch that does not apply or compile, or a test that does not run, is not a kill.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	pattern := flag.String("run", "", "only guards whose names match this regular expression")
	limit := flag.Duration("timeout", 10*time.Minute, "how long the tests of a guard may run in each package")
	jobs := flag.Int("jobs", 2, "how many guards are tried at the same time, each in a copy of its own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	killed, err := run(ctx, *pattern, *limit, max(*jobs, 1))
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || !killed {
		os.Exit(1)
	}
}

// run tries all guards whose names match, and reports whether all of them were killed.
func run(ctx context.Context, pattern string, limit time.Duration, jobs int) (bool, error) {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return false, err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return false, err
	}
	guards, err := readGuards(filepath.Join(root, folder), wanted)
	if err != nil {
		return false, err
	}
	if len(guards) == 0 {
		return false, fmt.Errorf("no guard is named like %q", pattern)
	}
	trees := make([]*tree, min(jobs, len(guards)))
	for i := range trees {
		if trees[i], err = copyTree(ctx, root); err != nil {
			return false, err
		}
		defer trees[i].remove()
	}
	fmt.Printf("%d guards; their tests, as the tree is:\n", len(guards))
	before := baseline(ctx, trees[0], guards, limit)
	verdicts := tryAll(ctx, trees, guards, before, limit)
	if err := context.Cause(ctx); err != nil {
		return false, err
	}
	return report(verdicts), nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// tryAll gives each guard to the next free tree. The verdicts are in the order of the guards.
func tryAll(ctx context.Context, trees []*tree, guards []guard, before map[test]outcome,
	limit time.Duration) []verdict {
	verdicts := make([]verdict, len(guards))
	next := make(chan int)
	var workers sync.WaitGroup
	for _, t := range trees {
		workers.Go(func() {
			for i := range next {
				begun := time.Now()
				v := try(ctx, t, guards[i], before, limit)
				v.guard, v.took = guards[i].name, time.Since(begun).Round(time.Second)
				fmt.Printf("  %-44s %s (%s)\n", v.guard, v.result, v.took)
				verdicts[i] = v
			}
		})
	}
	for i := range guards {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	return verdicts
}

// report prints the table, and details of failures below it, and reports whether all guards were killed.
func report(verdicts []verdict) bool {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "GUARD\tRESULT\tTIME\tTESTS")
	alive := 0
	for _, v := range verdicts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.guard, v.result, v.took, strings.Join(v.tests, ", "))
		if v.result != killed {
			alive++
		}
	}
	w.Flush()
	for _, v := range verdicts {
		if v.result != killed && v.detail != "" {
			fmt.Printf("\n%s: %s\n%s\n", v.guard, v.result, v.detail)
		}
	}
	fmt.Printf("\n%d guards, %d killed, %d not\n", len(verdicts), len(verdicts)-alive, alive)
	return alive == 0
}
