package upload

import "testing"

func TestChunkedPartSize(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ planned, chunk, longest, want int64 }{
		{8 * mib, 5 * mib, 100 * mib, 5 * mib},
		{8 * mib, 6 * mib, 100 * mib, 6 * mib},
		{8 * mib, 5*mib + 1, 100 * mib, 5*mib + 1},
		{8 * mib, 8 * mib, 100 * mib, 8 * mib},
		{8 * mib, 10 * mib, 100 * mib, 5 * mib},
		{8 * mib, 16 * mib, 100 * mib, 8 * mib},
		{8 * mib, 50 * mib, 100 * mib, 50 * mib / 8},
		{8 * mib, 5*mib - 1, 100 * mib, 8 * mib},           // too small for S3
		{8 * mib, 9 * mib, 100 * mib, 8 * mib},             // half of it, too
		{8 * mib, 10*mib + 1, 100 * mib, 8 * mib},          // no even share
		{8 * mib, 5 * mib, 9000 * 5 * mib, 5 * mib},        // just enough parts
		{8 * mib, 5 * mib, 9000*5*mib + 1, 8 * mib},        // too many
		{583 * mib, 5 * mib, 5 << 40, 583 * mib},           // far too many
		{583 * mib, 600 * mib, 100 << 30, 300 * mib},       // of large parts, too
		{8 * mib, 1<<40 + 1, 5 << 40, 8 * mib},             // the search is limited
		{8 * mib, 0, 100 * mib, 8 * mib},                   // no bytes
		{8 * mib, -1, 100 * mib, 8 * mib},                  // not declared
		{8 * mib, 1<<63 - 1, 1<<63 - 1, 8 * mib},           // no overflow
		{8 * mib, 8 * mib * 64, 100 * mib * 9000, 8 * mib}, // the most parts of one request
	} {
		if got := ChunkedPartSize(c.planned, c.chunk, c.longest); got != c.want {
			t.Errorf("ChunkedPartSize(%d, %d, %d) = %d, want %d", c.planned, c.chunk, c.longest, got, c.want)
		}
	}
}

func TestPartSize(t *testing.T) {
	for _, c := range []struct{ longest, want int64 }{
		{0, 8 << 20},
		{9000 * 8 << 20, 8 << 20},
		{9000*8<<20 + 1, 9 << 20},
		{5 << 40, 583 << 20},
	} {
		got := PartSize(c.longest)
		if got != c.want {
			t.Errorf("%d bytes: parts of %d, want %d", c.longest, got, c.want)
		}
		if parts := (c.longest + got - 1) / got; parts > MaxPlannedParts {
			t.Errorf("%d bytes: %d parts", c.longest, parts)
		}
	}
}
