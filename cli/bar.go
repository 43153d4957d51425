package cli

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// newBar returns a progress bar, or nil where out is no terminal. total is -1 where it is not known.
func newBar(out io.Writer, total int64, options ...progressbar.Option) *progressbar.ProgressBar {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return progressbar.NewOptions64(total, append([]progressbar.Option{progressbar.OptionSetWriter(out),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100 * time.Millisecond)}, options...)...)
}
