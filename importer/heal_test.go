package importer

import (
	"math"
	"testing"
	"time"
)

// A source may say any time, such as that of a file in a folder: one that no record can have is as good as none.
func TestTimeOfASource(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old := time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
	for _, c := range []struct{ says, want time.Time }{
		{old, old},
		{time.Time{}, now},
		{now.Add(time.Second), now},
		{time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC), now},
		{time.Unix(math.MinInt32<<25, 0), now},
	} {
		if got := earlier(now, c.says); !got.Equal(c.want) {
			t.Errorf("%v: %v, want %v", c.says, got, c.want)
		}
	}
}
