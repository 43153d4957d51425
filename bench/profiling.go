package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"holdfast/bench/proc"
	"holdfast/bench/report"
	"holdfast/bench/server"
)

// profilerSource is compiled into the Holdfast that is profiled, and nowhere else.
//
//go:embed profiler/profiler.go.txt
var profilerSource []byte

// profiled runs each row once more with a Holdfast under its CPU profiler. These rounds are not reported.
func (l *lab) profiled(ctx context.Context, o options, chosen []row) (err error) {
	if info, err := os.Stat(o.holdfast); err != nil || !info.IsDir() {
		l.say("no profiles: for those -holdfast must be a source folder")
		return nil
	}
	if err := os.MkdirAll(o.profile, 0o755); err != nil {
		return fmt.Errorf("profiles: %w", err)
	}
	program, err := l.withProfiler(ctx, o.holdfast)
	if err != nil {
		return err
	}
	address, err := proc.FreeAddress()
	if err != nil {
		return err
	}
	c, err := l.start(ctx, program, l.access(), []string{report.Holdfast}, "HOLDFAST_BENCH_PROFILER="+address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.warmUp(ctx, l.load); err != nil {
		return err
	}
	p := c.peer(report.Holdfast)
	for _, r := range chosen {
		if !slices.Contains(r.peers, p.name) {
			continue
		}
		name := filepath.Join(o.profile, r.name+".pprof")
		p.around = func(begin bool) error {
			if begin {
				return fetch(ctx, "http://"+address+"/begin", "")
			}
			return fetch(ctx, "http://"+address+"/end", name)
		}
		if _, err := c.once(ctx, r, l.load, p); err != nil {
			return err
		}
		l.say("profile %s (go tool pprof -top %s)", r.name, name)
	}
	return nil
}

// withProfiler builds Holdfast with one more file, by the compiler's overlay: the source folder does not change.
func (l *lab) withProfiler(ctx context.Context, source string) (server.Program, error) {
	fail := func(err error) (server.Program, error) {
		return server.Program{}, fmt.Errorf("build Holdfast with a profiler: %w", err)
	}
	source, err := filepath.Abs(source)
	if err != nil {
		return fail(err)
	}
	dir := filepath.Join(l.ram.Path, "profiler")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fail(err)
	}
	added, list := filepath.Join(dir, "profiler.go"), filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(source,
		"holdfast_bench_profiler.go"): added}})
	if err != nil {
		return fail(err)
	}
	if err := errors.Join(os.WriteFile(added, profilerSource, 0o600), os.WriteFile(list, overlay, 0o600)); err != nil {
		return fail(err)
	}
	program, err := server.Holdfast(ctx, source, dir, list)
	if err != nil {
		return fail(err)
	}
	return program, nil
}

// fetch sends a request to the profiler, and writes the answer to a file, unless its name is empty.
func fetch(ctx context.Context, url, name string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("profiler: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("profiler: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("profiler: %s: %s", resp.Status, text)
	}
	if name == "" {
		return nil
	}
	return os.WriteFile(name, text, 0o644)
}
