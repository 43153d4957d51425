package cli

import (
	"fmt"
	"io"
	"sync"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far transfers are: a bar on a terminal, a line for each file elsewhere.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	quiet bool
	bar   *progressbar.ProgressBar // nil: lines
	left  int                      // files
}

func newProgress(out io.Writer, quiet bool, files int) *progress {
	p := &progress{out: out, quiet: quiet, left: files}
	if !quiet {
		p.bar = newBar(out, -1, progressbar.OptionShowBytes(true), progressbar.OptionSetDescription(p.description()),
			progressbar.OptionClearOnFinish())
	}
	return p
}

func (p *progress) description() string {
	if p.left == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", p.left)
}

// moved counts bytes.
func (p *progress) moved(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Add64(n)
	}
}

// done counts a file. The caller prints the result.
func (p *progress) done(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left--
	switch {
	case p.bar != nil:
		p.bar.Describe(p.description())
		p.bar.Clear()
	case !p.quiet:
		fmt.Fprintf(p.out, "done: %s\n", name)
	}
}

// failed counts a file that was not transferred, and prints why.
func (p *progress) failed(err error) {
	p.mu.Lock()
	p.left--
	p.mu.Unlock()
	p.warn(err)
}

// warn prints an error. It may contain text from the service.
func (p *progress) warn(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintf(p.out, "holdfast: %s\n", printable(err.Error()))
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Finish()
	}
}
