// Package cli is the command line: the commands, their arguments and the exit statuses. Each command has a file of its
// own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/config"
)

// Exit statuses.
const (
	ok      = 0
	failed  = 1 // a dependency is missing, or something broke
	misused = 2 // wrong settings or arguments; nothing was started
)

// program is the environment in which a command runs.
type program struct {
	ctx            context.Context
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	asPython       bool // called as the Python service is
}

// settings reads the settings of the service. One error lists all that is wrong with them.
func (p *program) settings() (config.Config, error) {
	c, err := config.Load(p.getenv)
	if err != nil {
		return c, &usageError{fmt.Errorf("wrong settings:\n  %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))}
	}
	return c, nil
}

// usageError says that settings or arguments are wrong: the exit status is 2.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// wrongArguments is a usageError.
func wrongArguments(format string, args ...any) error {
	return &usageError{fmt.Errorf("wrong arguments: "+format, args...)}
}

// exitStatus is an error that has been printed already; it ends the program with this status.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Run is the whole program: args without the program's name, settings by getenv. It
// returns the exit status when it is done or ctx ends.
func Run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout,
	stderr io.Writer) int {
	p := &program{ctx, getenv, stdin, stdout, stderr, pythonCommand(args)}
	if p.asPython {
		args = []string{"serve"}
	}
	root := newRoot(p)
	root.SetArgs(append([]string{}, args...)) // nil would mean os.Args
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetUsageFunc(printUsage)
	root.SetFlagErrorFunc(flagError)
	addHelpFlags(root)
	understood := false
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := errors.Join(c.ValidateRequiredFlags(), c.ValidateFlagGroups()); err != nil {
			return err
		}
		understood = true
		return nil
	}
	command, err := root.ExecuteC()
	if err != nil && !understood {
		fmt.Fprintf(stderr, "holdfast: %v\nusage: %s\n", err, command.UseLine())
		return misused
	}
	return status(err, stderr)
}

// status prints an error and returns the exit status for it.
func status(err error, stderr io.Writer) int {
	if err == nil {
		return ok
	}
	if s, told := errors.AsType[exitStatus](err); told {
		return int(s)
	}
	fmt.Fprintf(stderr, "holdfast: %v\n", err)
	if _, wrong := errors.AsType[*usageError](err); wrong || isWrongSettings(err) {
		return misused
	}
	return failed
}
