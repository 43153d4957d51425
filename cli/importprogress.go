//go:build unix

package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"holdfast/importer"
)

// importProgress shows how far an import is: a bar on a terminal, a line every ten seconds elsewhere. Failures are
// printed at once, the report at the end.
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

// begin sets how many files there will be.
func (p *importProgress) begin(total int64) {
	p.total, p.next = total, time.Now().Add(progressInterval)
	p.bar = newBar(p.log, total, progressbar.OptionShowIts(), progressbar.OptionFullWidth(),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(p.log) }))
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
	for _, o := range []importer.Outcome{importer.Copied, importer.Healed, importer.There, importer.Deleted,
		importer.Would, importer.Failed} {
		if n := counts[o]; n > 0 {
			said = append(said, fmt.Sprintf("%s: %d", o, n))
		}
	}
	if len(said) == 0 {
		said = append(said, "nothing to do")
	}
	fmt.Fprintf(p.out, "%s; %d bytes\n", strings.Join(said, ", "), p.bytes)
}
