package service

import (
	"context"
	"errors"
	"testing"
)

// A probe asks again only when its result is old, and is silent while the dependency does not answer at all.
func TestProbe(t *testing.T) {
	readOnly, away := errors.New("read-only"), errors.New("away")
	var checks int
	var pings error
	p := &probe{ping: func(context.Context) error { return pings },
		check: func(context.Context) error { checks++; return readOnly }}
	for range 3 {
		if err := p.Ping(t.Context()); !errors.Is(err, readOnly) {
			t.Error(err)
		}
	}
	if checks != 1 {
		t.Errorf("it has checked %d times", checks)
	}
	pings, p.last = away, p.last.Add(-probeInterval)
	if err := p.Ping(t.Context()); err != nil || checks != 1 {
		t.Errorf("while nothing answers: %v, %d checks", err, checks)
	}
	pings, p.last = nil, p.last.Add(-probeInterval)
	if err := p.Ping(t.Context()); !errors.Is(err, readOnly) || checks != 2 {
		t.Errorf("when it answers again: %v, %d checks", err, checks)
	}
}
