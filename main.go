// Holdfast is a self-hosted file service: resumable uploads into an S3 store, ranged
// downloads, and one access decision for both. See README.md and docs/ARCHITECTURE.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"holdfast/cli"
)

func main() {
	os.Exit(cli.Run(untilSignal(), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// untilSignal is a context that ends with the first SIGINT, SIGTERM or SIGHUP (a terminal that is closed; under
// nohup it stays ignored). A second signal ends the process at once. It has to be handled here: for process 1 of a
// container, signals have no default action.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		cancel()
		os.Exit(128 + int((<-signals).(syscall.Signal))) // the exit status that shells use
	}()
	return ctx
}
