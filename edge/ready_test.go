package edge

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
)

// Only the dependency that hangs is missing, and not those whose answers are read after it.
func TestReadyNamesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		answers := func(context.Context) error { return nil }
		r := NewReadiness(slog.New(slog.DiscardHandler), []Dependency{{"a", answers}, {"b", hangs}, {"c", answers},
			{"d", answers}})
		for range 20 { // which of two events is seen first is left to chance
			if err := r.Check(t.Context()); err == nil || err.Error() != "not ready: b" {
				t.Fatal(err)
			}
		}
	})
}
