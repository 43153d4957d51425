package upload_test

import (
	"testing"

	"holdfast/internal/test/uploadtest"
	"holdfast/upload"
)

func TestMain(m *testing.M) { uploadtest.Main(m) }

// world is uploadtest's, with what this package's tests do in it.
type world struct{ *uploadtest.World }

// inUse is how much memory is held, in bytes, without the tails that are only kept.
func inUse(e *upload.Engine) int64 {
	s := e.Budget().Stats()
	return s.Used - s.Kept
}

// worlds runs a test on each kind of database, at once.
func worlds(t *testing.T, test func(w *world)) {
	uploadtest.Worlds(t, func(w *uploadtest.World) { test(&world{w}) })
}
