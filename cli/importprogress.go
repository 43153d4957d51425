package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"holdfast/importer"
)

// importProgress shows how far an import is: a bar on a terminal, a line every ten seconds
// elsewhere. What failed is told at once, everything at the end.
type importProgress struct {
	out, log io.Writer
	bar      *progressbar.ProgressBar // nil: lines
	total    int64
	done     int64
	bytes    int64
	next     time.Time
}

// progressInterval is that of the lines.
const progressInterval = 10 * time.Second

// newImportProgress shows progress on log, and prints the report on out.
func newImportProgress(out, log io.Writer) *importProgress {
	return &importProgress{out: out, log: log}
}

// begin says how many files there will be.
func (p *importProgress) begin(total int64) {
	p.total, p.next = total, time.Now().Add(progressInterval)
	if f, ok := p.log.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(f), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionOnCompletion(func() { fmt.Fprintln(f) }))
	}
}

// report counts a file.
func (p *importProgress) report(r importer.Result) {
	p.done++
	p.bytes += r.Bytes
	switch r.Outcome {
	case importer.Failed:
		fmt.Fprintf(p.out, "failed: %s (%s): %v\n", r.Source, r.ID, r.Err)
	case importer.Deleted:
		fmt.Fprintf(p.out, "deleted since: %s (%s); --again brings it back\n", r.Source, r.ID)
	}
	switch {
	case p.bar != nil:
		_ = p.bar.Add64(1)
	case time.Now().After(p.next):
		p.next = time.Now().Add(progressInterval)
		fmt.Fprintf(p.log, "%d of %d files, %d bytes\n", p.done, p.total, p.bytes)
	}
}

// end prints the report.
func (p *importProgress) end(counts map[importer.Outcome]int64) {
	said := []string{}
	for _, o := range []importer.Outcome{importer.Copied, importer.Healed, importer.There, importer.Deleted, importer.Would, importer.Failed} {
		if n := counts[o]; n > 0 {
			said = append(said, fmt.Sprintf("%s: %d", o, n))
		}
	}
	if len(said) == 0 {
		said = append(said, "nothing to do")
	}
	fmt.Fprintf(p.out, "%s; %d bytes\n", strings.Join(said, ", "), p.bytes)
}
