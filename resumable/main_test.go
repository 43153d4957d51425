package resumable_test

import (
	"testing"

	"holdfast/internal/test/uploadtest"
)

func TestMain(m *testing.M) { uploadtest.Main(m) }
