package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"holdfast/client"
	"holdfast/config"
)

// remote is where files are sent to and fetched from.
type remote struct {
	URL      string `name:"url" help:"Where the service's files are seen; else HOLDFAST_URL, else http://127.0.0.1:8000/files." placeholder:"URL"`
	Token    string `help:"Who you are; else HOLDFAST_TOKEN, which other users of this machine can't see." placeholder:"TOKEN"`
	Parallel int    `short:"j" default:"3" help:"How many files at a time."`
	Quiet    bool   `short:"q" help:"Say nothing but errors and results."`

	Patience time.Duration `default:"10m" help:"How long to try in vain before giving up."`
}

type uploadCommand struct {
	remote
	Files []string `arg:"" help:"What to send."`
}

type downloadCommand struct {
	remote
	URLs   []string `arg:"" name:"url" help:"What to fetch."`
	Output string   `short:"o" help:"A file's name, or a folder." placeholder:"PATH"`
	Force  bool     `short:"f" help:"Overwrite files that are there."`
}

// Exit statuses of transfers, beside those of all commands.
const (
	refused     = 3   // the service says no, and will again
	unreachable = 4   // tried for long enough; what came is kept for another try
	interrupted = 130 // Ctrl-C; what came is kept
)

// Run sends files and prints the URL of each.
func (c *uploadCommand) Run(p *program) error {
	return c.transfer(p, c.Files, func(ctx context.Context, s *client.Client, path string) (string, error) {
		return s.Upload(ctx, path)
	})
}

// Run fetches files and prints where each lies.
func (c *downloadCommand) Run(p *program) error {
	if info, err := os.Stat(c.Output); len(c.URLs) > 1 && c.Output != "" && (err != nil || !info.IsDir()) {
		return &usageError{errors.New("several files need a folder as --output")}
	}
	to := client.Target{Path: c.Output, Overwrite: c.Force}
	return c.transfer(p, c.URLs, func(ctx context.Context, s *client.Client, url string) (string, error) {
		return s.Download(ctx, url, to)
	})
}

// transfer does one thing for each of the names, a few at a time, and prints the results in
// their order. One that fails stops no other.
func (o remote) transfer(p *program, names []string, one func(context.Context, *client.Client, string) (string, error)) error {
	ctx := p.ctx
	settings, err := config.LoadClient(p.getenv, o.URL, o.Token)
	if err == nil && o.Parallel < 1 {
		err = errors.New("--parallel must be 1 or more")
	}
	if err != nil {
		return &usageError{err}
	}
	show := newProgress(p.stderr, o.Quiet, len(names))
	c := client.New(settings.URL, settings.Token)
	c.Progress, c.GiveUpAfter = show.moved, o.Patience
	if settings.Uploads != "" {
		c.URLs = client.NewURLStore(settings.Uploads)
	}
	type outcome struct {
		result string
		err    error
	}
	outcomes := make([]chan outcome, len(names))
	var group errgroup.Group
	group.SetLimit(o.Parallel)
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	go func() {
		for i, name := range names {
			group.Go(func() error {
				result, err := one(ctx, c, name)
				outcomes[i] <- outcome{result, err}
				return nil
			})
		}
	}()
	status := ok
	for i, name := range names {
		got := <-outcomes[i]
		if got.err == nil {
			show.done(name)
			fmt.Fprintln(p.stdout, got.result)
			continue
		}
		if ctx.Err() == nil {
			show.say("holdfast: %v", got.err)
		}
		if status == ok {
			status = statusOf(ctx, got.err)
		}
	}
	show.end()
	if status == interrupted {
		fmt.Fprintln(p.stderr, "holdfast: interrupted; the same command goes on from here")
	}
	if status != ok {
		return exitStatus(status)
	}
	return nil
}

// statusOf is the exit status for an error.
func statusOf(ctx context.Context, err error) int {
	var no *client.Refusal
	switch {
	case ctx.Err() != nil:
		return interrupted
	case errors.Is(err, client.ErrUnreachable):
		return unreachable
	case errors.As(err, &no):
		return refused
	}
	return failed
}

// progress shows how far transfers are: a bar on a terminal, a line for each file elsewhere.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	quiet bool
	bar   *progressbar.ProgressBar // nil: no terminal
	left  int
}

func newProgress(out io.Writer, quiet bool, files int) *progress {
	p := &progress{out: out, quiet: quiet, left: files}
	if f, ok := out.(*os.File); ok && !quiet && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionShowBytes(true), progressbar.OptionShowCount(),
			progressbar.OptionSetDescription(p.description()), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	return p
}

func (p *progress) description() string {
	if p.left == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", p.left)
}

func (p *progress) moved(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Add64(n)
	}
}

func (p *progress) done(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left--
	switch {
	case p.bar != nil:
		p.bar.Describe(p.description())
		p.bar.Clear() // before the result is printed
	case !p.quiet:
		fmt.Fprintf(p.out, "done: %s\n", name)
	}
}

func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left--; p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Finish()
	}
}
