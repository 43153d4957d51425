package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"holdfast/client"
	"holdfast/config"
)

// remote are the flags of all transfers: the service, and how to use it.
type remote struct {
	url, token string
	parallel   int
	quiet      bool
	patience   time.Duration
}

func (o *remote) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.url, "url", "",
		"Base `URL` of the service's files; default: HOLDFAST_URL, or else http://127.0.0.1:8000/files.")
	flags.StringVar(&o.token, "token", "",
		"Your `TOKEN`; default: HOLDFAST_TOKEN, which other users of this machine can't see.")
	flags.IntVarP(&o.parallel, "parallel", "j", 3, "`NUMBER` of files at the same time.")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "Print errors and results only.")
	flags.DurationVar(&o.patience, "patience", 10*time.Minute,
		"How long to retry without progress before giving up, a `DURATION` such as 90s.")
}

// standardStream is the name of a file that means standard input or output.
const standardStream = "-"

type uploadCommand struct {
	remote
	files  []string
	name   string // of the file from standard input
	direct bool
}

func newUpload(p *program) *cobra.Command {
	var upload uploadCommand
	c := &cobra.Command{
		Use:   "upload FILE...",
		Short: "Upload files and print their URLs. Run it again to resume.",
		Long: `Upload files and print their URLs. Run it again to resume.

The FILE - is standard input.`,
		Args: arguments(1, math.MaxInt),
		RunE: func(_ *cobra.Command, args []string) error {
			upload.files = args
			return upload.run(p)
		},
	}
	upload.add(c.Flags())
	c.Flags().StringVar(&upload.name, "name", "stdin", "The `NAME` of the file from standard input.")
	c.Flags().BoolVar(&upload.direct, "direct", false,
		"Send files to the service's store, where the service offers that (UPLOAD_DIRECT).")
	return c
}

type downloadCommand struct {
	remote
	urls   []string
	output string
	force  bool
}

func newDownload(p *program) *cobra.Command {
	var download downloadCommand
	c := &cobra.Command{
		Use:   "download URL...",
		Short: "Download files and print their paths. Run it again to resume.",
		Args:  arguments(1, math.MaxInt),
		RunE: func(_ *cobra.Command, args []string) error {
			download.urls = args
			return download.run(p)
		},
	}
	download.add(c.Flags())
	c.Flags().StringVarP(&download.output, "output", "o", "",
		"A `PATH`: a file's name, a folder, or - for standard output.")
	c.Flags().BoolVarP(&download.force, "force", "f", false, "Overwrite existing files.")
	return c
}

// Exit statuses of transfers, beside those of all commands.
const (
	refused     = 3   // the service refuses; a retry would not help
	unreachable = 4   // the service is not reached, or can't do it now; what was transferred is kept for the next run
	interrupted = 130 // Ctrl-C; what was transferred is kept
)

// run sends files and prints the URL of each.
func (c *uploadCommand) run(p *program) error {
	streams := slices.DeleteFunc(slices.Clone(c.files), func(name string) bool { return name != standardStream })
	if len(streams) > 1 {
		return wrongArguments("%s (standard input) can be given only once", standardStream)
	}
	return c.transfer(p, c.files, len(streams) == 0,
		func(ctx context.Context, s *client.Client, i int) (string, error) {
			path := c.files[i]
			if path == standardStream {
				return s.UploadStream(ctx, p.stdin, c.name)
			}
			if c.direct {
				if url, err := s.UploadDirect(ctx, path); !errors.Is(err, client.ErrNoDirect) {
					return url, err
				}
			}
			return s.Upload(ctx, path)
		})
}

// run fetches files and prints the path of each.
func (c *downloadCommand) run(p *program) error {
	toStream := c.output == standardStream
	if info, err := os.Stat(c.output); len(c.urls) > 1 && c.output != "" && (toStream || err != nil || !info.IsDir()) {
		return wrongArguments("--output must be a folder if there are several files")
	}
	for _, url := range c.urls {
		if err := client.CheckURL(url); err != nil {
			return wrongArguments("%w", err)
		}
	}
	turns := newTurns(len(c.urls))
	return c.transfer(p, c.urls, !toStream,
		func(ctx context.Context, s *client.Client, i int) (string, error) {
			if toStream {
				return "", s.Stream(ctx, c.urls[i], p.stdout)
			}
			defer turns[i].end()
			return s.Download(ctx, c.urls[i], client.Target{Path: c.output, Overwrite: c.force,
				Begin: func(ctx context.Context, files ...string) error { return turns.take(ctx, i, files) }})
		})
}

// outcome is how one transfer ended.
type outcome struct {
	result string // to print; empty: nothing
	err    error
}

// transfer calls one with the index of each of the names, a few at a time, and prints the results in their order. A
// failure does not stop the others. resumable: running the same command again resumes what was interrupted.
func (o remote) transfer(p *program, names []string, resumable bool,
	one func(ctx context.Context, c *client.Client, i int) (string, error)) error {
	settings, err := config.LoadClient(p.getenv, o.url, o.token)
	switch {
	case err != nil:
	case o.parallel < 1:
		err = errors.New("--parallel must be 1 or more")
	case o.patience < 0:
		err = errors.New("--patience can't be negative")
	}
	if err != nil {
		return &usageError{err}
	}
	show := newProgress(p.stderr, o.quiet, len(names))
	c := client.New(settings.URL, settings.Token)
	c.Progress, c.GiveUpAfter = show.moved, o.patience
	if settings.Uploads != "" {
		c.URLs = client.NewURLStore(settings.Uploads)
	}
	var warned atomic.Bool
	c.Warn = func(err error) {
		if !warned.Swap(true) {
			show.warn(fmt.Errorf("uploads can't be resumed after Ctrl-C or a crash: %w", err))
		}
	}
	status := ok
	for i, got := range o.start(len(names), func(i int) (string, error) { return one(p.ctx, c, i) }) {
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
	if status == interrupted && resumable && !warned.Load() {
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
	group.SetLimit(o.parallel)
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
