// Holdfast is a self-hosted file service: resumable uploads into an S3 store, ranged
// downloads, and one access decision for both. See README.md and docs/ARCHITECTURE.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"holdfast/admin"
	"holdfast/config"
	"holdfast/file"
)

// Exit statuses.
const (
	ok      = 0
	failed  = 1 // a dependency is missing, or something broke
	misused = 2 // wrong settings or arguments; nothing was started
)

func main() {
	os.Exit(run(untilSignal(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// cli is what can be said on the command line. All settings are read from the
// environment, by package config.
type cli struct {
	Serve       struct{} `cmd:"" default:"1" help:"Run the service (what plain holdfast does)."`
	Healthcheck struct{} `cmd:"" help:"Ask the service on HOST and PORT whether it is ready; status 0 if so."`
	Settings    struct{} `cmd:"" help:"List all settings, their defaults and what they mean."`
	Token       struct {
		Create struct {
			User    int64         `help:"Number of the user."`
			Account int64         `required:"" help:"Number of the account."`
			Service bool          `help:"For a program of the account in place of a user: it may read, grant and delete all files of the account."`
			Group   []string      `sep:"none" help:"A group of the user's, which grants may name. May be repeated."`
			TTL     time.Duration `name:"ttl" help:"How long the token is in force, such as 24h. Without it: until it is revoked."`
			Name    string        `help:"A name for the list."`
		} `cmd:"" help:"Make a token and print it. It is not shown again."`
		List   struct{} `cmd:"" help:"List all tokens, without their texts."`
		Revoke struct {
			ID string `arg:"" help:"Id of the token, see list."`
		} `cmd:"" help:"End a token."`
	} `cmd:"" help:"Make, list and revoke local tokens."`
	Upload    uploadCommand   `cmd:"" help:"Send files and print the URL of each. What is interrupted goes on where it was, with the same command."`
	Download  downloadCommand `cmd:"" help:"Fetch files and print where each lies. What is interrupted goes on where it was, with the same command."`
	Backup    backupArgs      `cmd:"" help:"Copy the data folder of the embedded default while the service runs."`
	Import    importArgs      `cmd:"" help:"Bring files over from another store."`
	Reconcile reconcileArgs   `cmd:"" help:"Compare database and object store, in both directions. Status 1 if something is left to do."`
	Quota     quotaArgs       `cmd:"" help:"What accounts may use: show, list, set, clear."`
	Events    eventsArgs      `cmd:"" help:"Events that could not be told to WEBHOOK_URL."`
}

// run is the whole program: args without the program's name, settings by getenv. It
// returns the exit status when it is done or ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("holdfast"), kong.Description("A self-hosted file service. Settings are read from the environment: holdfast settings lists them."),
		kong.Writers(stdout, stderr), kong.Exit(func(status int) { exited = status }))
	if err != nil {
		panic(err) // the struct above is wrong
	}
	command, err := parser.Parse(args)
	if exited == 0 { // --help
		return ok
	}
	if err != nil {
		fmt.Fprintf(stderr, "holdfast: %v\n", err)
		return misused
	}
	switch name, _, _ := strings.Cut(command.Command(), " "); name { // these need no settings of a service
	case "upload":
		return c.Upload.run(ctx, getenv, stdout, stderr)
	case "download":
		return c.Download.run(ctx, getenv, stdout, stderr)
	case "settings":
		if printSettings(stdout) != nil {
			return failed
		}
		return ok
	}
	settings, err := config.Load(getenv)
	if err != nil {
		fmt.Fprintf(stderr, "holdfast: wrong settings:\n  %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
		return misused
	}
	switch command.Command() {
	case "serve":
		err = serve(ctx, settings, stdout, newLog(settings, stderr))
	case "healthcheck":
		err = healthcheck(ctx, settings)
	case "backup <folder>":
		err = runBackup(ctx, settings, c.Backup, stdout)
	case "import files":
		err = runImport(ctx, settings, c.Import.Files, stdout, stderr, newLog(settings, stderr))
	case "import links", "import links <files>":
		err = runImportLinks(ctx, settings, c.Import.Links, os.Stdin, stdout)
	case "quota set", "quota clear", "quota show", "quota list":
		err = runQuota(ctx, settings, &c.Quota, command.Command(), stdout)
	case "events list", "events resend", "events resend <file>":
		err = runEvents(ctx, settings, &c.Events, command.Command(), stdout)
	case "reconcile":
		err = runReconcile(ctx, settings, c.Reconcile, stdout, newLog(settings, stderr))
	default:
		err = tokens(ctx, settings, &c, command.Command(), stdout)
	}
	switch {
	case errors.Is(err, errMisused):
		fmt.Fprintf(stderr, "holdfast: %v\n", err)
		return misused
	case err != nil:
		fmt.Fprintf(stderr, "holdfast: %v\n", err)
		return failed
	}
	return ok
}

var errMisused = errors.New("wrong arguments")

// tokens runs the token commands on the service's database, beside the running service.
func tokens(ctx context.Context, c config.Config, args *cli, command string, stdout io.Writer) error {
	var fresh file.Token
	if command == "token create" {
		var err error
		if fresh, err = args.token(time.Now()); err != nil {
			return err
		}
	}
	rows, err := openDatabase(ctx, c)
	if err != nil {
		return err
	}
	defer rows.Close()
	switch command {
	case "token create":
		text, err := admin.NewToken(ctx, rows, fresh)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, text)
		return err
	case "token list":
		return admin.ListTokens(ctx, rows, stdout, time.Now())
	default:
		return rows.RevokeToken(ctx, args.Token.Revoke.ID)
	}
}

// token is what "token create" was asked for.
func (c *cli) token(now time.Time) (file.Token, error) {
	asked := c.Token.Create
	switch {
	case asked.Service && (asked.User != 0 || len(asked.Group) > 0):
		return file.Token{}, fmt.Errorf("%w: --service goes without --user and --group", errMisused)
	case !asked.Service && asked.User < 1 || asked.Account < 1 || asked.TTL < 0:
		return file.Token{}, fmt.Errorf("%w: --user (or --service) and --account must be given, as positive numbers, --ttl as a time", errMisused)
	case slices.ContainsFunc(asked.Group, func(name string) bool { return !file.ValidGroup(name) }):
		return file.Token{}, fmt.Errorf("%w: --group must be a name of 1 to %d bytes", errMisused, file.MaxGroupName)
	}
	t := file.Token{Name: asked.Name, UserID: asked.User, AccountID: asked.Account, Groups: asked.Group}
	if asked.TTL > 0 {
		t.ExpiresAt = now.Add(asked.TTL)
	}
	return t, nil
}

// healthcheck asks the service whether it is ready.
func healthcheck(ctx context.Context, c config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	host := c.Host
	if host == "0.0.0.0" || host == "::" || host == "" {
		host = "127.0.0.1"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(host, c.Port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the service answered %s", resp.Status)
	}
	return nil
}
