package config

import (
	"math"
	"testing"
)

func TestInterimThroughProxy(t *testing.T) {
	for value, want := range map[string]int{"": 0, "off": 0, "false": 0, "first": 1, "First": 1, "on": math.MaxInt,
		"true": math.MaxInt} {
		if c, err := Load(env("INTERIM_THROUGH_PROXY=" + value)); err != nil || c.InterimThroughProxy != want {
			t.Errorf("%q: %d %v, want %d", value, c.InterimThroughProxy, err, want)
		}
	}
	if _, err := Load(env("INTERIM_THROUGH_PROXY=few")); err == nil {
		t.Error("few is taken")
	}
}
