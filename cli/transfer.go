package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/client"
	"holdfast/config"
)

// Help texts of transfers that are too long for a tag.
const (
	urlHelp   = "Base URL of the service's files; default: HOLDFAST_URL, or else http://127.0.0.1:8000/files."
	tokenHelp = "Your token; default: HOLDFAST_TOKEN, which other users of this machine can't see."
)

// remote are the flags of all transfers: the service, and how to use it.
type remote struct {
	URL      string `name:"url" help:"${url_help}" placeholder:"URL"`
	Token    string `help:"${token_help}" placeholder:"TOKEN"`
	Parallel int    `short:"j" default:"3" help:"How many files at the same time."`
	Quiet    bool   `short:"q" help:"Print errors and results only."`

	Patience time.Duration `default:"10m" help:"How long to retry without progress before giving up."`
}

// standardStream is the name of a file that means standard input or output.
const standardStream = "-"

type uploadCommand struct {
	remote
	Files []string `arg:"" help:"Files to upload; - is standard input."`
	Name  string   `default:"stdin" help:"The name of the file from standard input." placeholder:"NAME"`

	Direct bool `help:"Send files to the service's store, where the service offers that (UPLOAD_DIRECT)."`
}

type downloadCommand struct {
	remote
	URLs   []string `arg:"" name:"url" help:"URLs to download."`
	Output string   `short:"o" help:"A file's name, a folder, or - for standard output." placeholder:"PATH"`
	Force  bool     `short:"f" help:"Overwrite existing files."`
}

// Exit statuses of transfers, beside those of all commands.
const (
	refused     = 3   // the service refuses; a retry would not help
	unreachable = 4   // the retries are used up; what was transferred is kept for the next run
	interrupted = 130 // Ctrl-C; what was transferred is kept
)

// Run sends files and prints the URL of each.
func (c *uploadCommand) Run(p *program) error {
	streams := slices.DeleteFunc(slices.Clone(c.Files), func(name string) bool { return name != standardStream })
	if len(streams) > 1 {
		return wrongArguments("%s (standard input) can be given only once", standardStream)
	}
	return c.transfer(p, c.Files, len(streams) == 0,
		func(ctx context.Context, s *client.Client, path string) (string, error) {
			if path == standardStream {
				return s.UploadStream(ctx, p.stdin, c.Name)
			}
			if c.Direct {
				if url, err := s.UploadDirect(ctx, path); !errors.Is(err, client.ErrNoDirect) {
					return url, err
				}
			}
			return s.Upload(ctx, path)
		})
}

// Run fetches files and prints the path of each.
func (c *downloadCommand) Run(p *program) error {
	toStream := c.Output == standardStream
	if info, err := os.Stat(c.Output); len(c.URLs) > 1 && c.Output != "" && (toStream || err != nil || !info.IsDir()) {
		return wrongArguments("--output must be a folder if there are several files")
	}
	for _, url := range c.URLs {
		if err := client.CheckURL(url); err != nil {
			return wrongArguments("%w", err)
		}
	}
	to := client.Target{Path: c.Output, Overwrite: c.Force}
	return c.transfer(p, c.URLs, !toStream,
		func(ctx context.Context, s *client.Client, url string) (string, error) {
			if toStream {
				return "", s.Stream(ctx, url, p.stdout)
			}
			return s.Download(ctx, url, to)
		})
}

// outcome is how one transfer ended.
type outcome struct {
	result string // to print; empty: nothing
	err    error
}

// transfer calls one for each of the names, a few at a time, and prints the results in their order. A failure does not
// stop the others. resumable: running the same command again resumes what was interrupted.
func (o remote) transfer(p *program, names []string, resumable bool,
	one func(context.Context, *client.Client, string) (string, error)) error {
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
	status := ok
	for i, got := range o.start(len(names), func(i int) (string, error) { return one(p.ctx, c, names[i]) }) {
		ended := <-got
		if ended.err == nil {
			show.done(names[i])
			if ended.result != "" {
				fmt.Fprintln(p.stdout, ended.result)
			}
			continue
		}
		if p.ctx.Err() == nil {
			show.failed(ended.err)
		}
		if status == ok {
			status = statusOf(p.ctx, ended.err)
		}
	}
	show.end()
	if status == interrupted && resumable {
		fmt.Fprintln(p.stderr, "holdfast: interrupted; the same command goes on from here")
	}
	if status != ok {
		return exitStatus(status)
	}
	return nil
}

// start calls do for 0 to n-1, Parallel at a time. It returns at once, with a channel for the outcome of each call.
func (o remote) start(n int, do func(int) (string, error)) []chan outcome {
	outcomes := make([]chan outcome, n)
	for i := range outcomes {
		outcomes[i] = make(chan outcome, 1)
	}
	var group errgroup.Group
	group.SetLimit(o.Parallel)
	go func() {
		for i := range outcomes {
			group.Go(func() error {
				result, err := do(i)
				outcomes[i] <- outcome{result, err}
				return nil
			})
		}
	}()
	return outcomes
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
