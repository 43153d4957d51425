package importer

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress shows how far an import is: a bar on a terminal, a line every ten seconds
// elsewhere. What failed is told at once, everything at the end.
type Progress struct {
	out, log io.Writer
	bar      *progressbar.ProgressBar // nil: lines
	total    int64
	done     int64
	bytes    int64
	next     time.Time
}

// interval is that of the lines.
const interval = 10 * time.Second

// NewProgress shows progress on log, and prints the report on out.
func NewProgress(out, log io.Writer) *Progress { return &Progress{out: out, log: log} }

// Begin says how many files there will be.
func (p *Progress) Begin(total int64) {
	p.total, p.next = total, time.Now().Add(interval)
	if f, ok := p.log.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(f), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionOnCompletion(func() { fmt.Fprintln(f) }))
	}
}

// Report counts a file.
func (p *Progress) Report(r Result) {
	p.done++
	p.bytes += r.Bytes
	if r.Outcome == Failed {
		fmt.Fprintf(p.out, "failed: %s (%s): %v\n", r.Source, r.ID, r.Err)
	}
	switch {
	case p.bar != nil:
		_ = p.bar.Add64(1)
	case time.Now().After(p.next):
		p.next = time.Now().Add(interval)
		fmt.Fprintf(p.log, "%d of %d files, %d bytes\n", p.done, p.total, p.bytes)
	}
}

// End prints the report.
func (p *Progress) End(counts map[Outcome]int64) {
	said := []string{}
	for _, o := range []Outcome{Copied, Healed, There, Would, Failed} {
		if n := counts[o]; n > 0 {
			said = append(said, fmt.Sprintf("%s: %d", o, n))
		}
	}
	if len(said) == 0 {
		said = append(said, "nothing to do")
	}
	fmt.Fprintf(p.out, "%s; %d bytes\n", strings.Join(said, ", "), p.bytes)
}

// Diff prints the lines that differ between two texts which have the same number of them.
func Diff(w io.Writer, name, old, now string) error {
	if old == now {
		return nil
	}
	if name == "" {
		name = "standard input"
	}
	before, after := strings.Split(old, "\n"), strings.Split(now, "\n")
	for i := range before {
		if before[i] != after[i] {
			if _, err := fmt.Fprintf(w, "%s:%d\n-%s\n+%s\n", name, i+1, before[i], after[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
