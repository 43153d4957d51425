package upload_test

import (
	"testing"

	"holdfast/internal/test/uploadtest"
	"holdfast/upload"
)

func TestMain(m *testing.M) { uploadtest.Main(m) }

// world extends uploadtest's with what this package's tests do.
type world struct{ *uploadtest.World }

// inUse returns how much memory is held, in bytes, without the tails that are only kept for reuse.
func inUse(e *upload.Engine) int64 {
	s := e.Budget().Stats()
	return s.Used - s.Kept
}

// worlds runs a test on each kind of database, at once.
func worlds(t *testing.T, test func(w *world)) {
	uploadtest.Worlds(t, func(w *uploadtest.World) { test(&world{w}) })
}
