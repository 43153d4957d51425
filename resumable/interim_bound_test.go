package resumable

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// counting counts interim answers.
type counting struct {
	http.ResponseWriter
	n int
}

func (c *counting) WriteHeader(int) { c.n++ }

// Clients and proxies end a request that has too many interim answers: however long and however large an upload is,
// there are few of them.
func TestFewInterimAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		most        int // as Interim says
		speed       int64
		last        time.Duration
		least, want int
	}{
		"years, slowly":        {1000, 1 << 10, 50 * 365 * 24 * time.Hour, 20, maxInterim},
		"terabytes, fast":      {1000, 1 << 30, time.Hour, 20, maxInterim},
		"through some proxy":   {1, 1 << 30, time.Hour, 1, 1},
		"six of ten seconds":   {1000, 1 << 20, 6 * time.Second, 6, 7},
		"less than one second": {1000, 1 << 20, time.Second / 2, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &counting{ResponseWriter: httptest.NewRecorder()}
			x := &exchange{w: w, r: httptest.NewRequest("POST", "/", nil), h: New(Options{
				Interim: func(*http.Request) int { return c.most }, ReadTimeout: time.Minute})}
			progress, begun := x.newInterim(), time.Now()
			progress.sendLocation("/tus/1", "max-size=1")
			progress.startAt(0)
			for time.Since(begun) < c.last {
				time.Sleep(max(time.Second/10, time.Since(begun)/(growth-1)))
				progress.sendOffset(int64(time.Since(begun).Seconds() * float64(c.speed)))
			}
			if w.n < c.least || w.n > c.want {
				t.Errorf("%s: %d interim answers, want %d to %d", name, w.n, c.least, c.want)
			}
		})
	}
}

// An offset that was told is not told again, however long ago that was.
func TestOffsetsThatDoNotRise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &counting{ResponseWriter: httptest.NewRecorder()}
		x := &exchange{w: w, r: httptest.NewRequest("POST", "/", nil), h: New(Options{
			Interim: func(*http.Request) int { return 9 }, ReadTimeout: time.Minute})}
		progress := x.newInterim()
		progress.startAt(5)
		for _, offset := range []int64{5, 6, 6} {
			time.Sleep(time.Minute)
			progress.sendOffset(offset)
		}
		if w.n != 1 {
			t.Errorf("%d interim answers for one new offset", w.n)
		}
	})
}
