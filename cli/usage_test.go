//go:build unix

package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// says runs the program with the default settings in an empty folder, and returns its exit status and what it prints.
// The command is to leave the folder empty.
func says(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	getenv := func(name string) string { return map[string]string{"DATA_DIR": dir}[name] }
	var stdout, stderr bytes.Buffer
	status = Run(t.Context(), args, getenv, strings.NewReader(""), &stdout, &stderr)
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("holdfast %q has made %s", args, dir)
	}
	return status, stdout.String(), stderr.String()
}

// Each kind of wrong usage is told, with the usage of the command, and ends with status 2. Nothing is started.
func TestWrongUsage(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"nothing", `unexpected argument "nothing"`},
		{"servee", `unexpected argument "servee", did you mean serve?`},
		{"serve extra", `unexpected argument "extra"`},
		{"-x", `unknown shorthand flag: 'x' in -x`},
		{"--nothing", "unknown flag: --nothing"},
		{"--nothing version", "unknown flag: --nothing"},
		{"version --nothing --help", "unknown flag: --nothing"},
		{"version extra", `unexpected argument "extra"`},
		{"version -- extra", `unexpected argument "extra"`},
		{"version -", `unexpected argument "-"`},
		{"version --json=maybe", `--json takes true or false, not "maybe"`},
		{"version --json false", `unexpected argument "false"`},
		{"settings --envfile", "unknown flag: --envfile, did you mean --env-file?"},
		{"token", "a command is missing: create, list, revoke"},
		{"token creat", `unexpected argument "creat", did you mean create?`},
		{"token --account 1", "unknown flag: --account"},
		{"token create", `required flag(s) "account" not set`},
		{"token create --account", "flag needs an argument: --account"},
		{"token create --account x", `--account takes a whole number of 64 bits, not "x"`},
		{"token create --account 99999999999999999999", "--account takes a whole number of 64 bits"},
		{"token create --account 1 --account", "flag needs an argument: --account"},
		{"token create --account=1 --user=2 --ttl 1x", `--ttl takes a duration such as 90s, not "1x"`},
		{"token create --ACCOUNT=1", "unknown flag: --ACCOUNT, did you mean --account?"},
		{"token create --acc=1", "unknown flag: --acc, did you mean --account?"},
		{"token revoke", "an argument is missing"},
		{"token revoke a b", `unexpected argument "b"`},
		{"upload", "an argument is missing"},
		{"upload -j", `flag needs an argument: 'j' in -j`},
		{"upload -qjx file", `--parallel takes a whole number, not "x"`},
		{"upload --patience 5 file", `--patience takes a duration such as 90s, not "5"`},
		{"upload --no-quiet file", "unknown flag: --no-quiet"},
		{"download", "an argument is missing"},
		{"backup", "an argument is missing"},
		{"import nothing", `unexpected argument "nothing"`},
		{"import files nothing", `unexpected argument "nothing"`},
		{"import link", `unexpected argument "link", did you mean links?`},
		{"events resend a b", `unexpected argument "b"`},
		{"events list --limit x", `--limit takes a whole number, not "x"`},
		{"access crossing", `required flag(s) "table", "column" not set`},
		{"links revoke --user 1", `required flag(s) "account" not set`},
		{"links revoke --account 1", "[user services forms] is required"},
		{"links revoke --account 1 --services --forms", "[forms services] were all set"},
		{"quota list --account 1", "unknown flag: --account"},
	} {
		status, out, errs := says(t, strings.Fields(c.args)...)
		if status != misused || out != "" || !strings.Contains(errs, c.says) ||
			!strings.Contains(errs, "\nusage: holdfast") {
			t.Errorf("holdfast %s: %d\n%s%s\nwant %s", c.args, status, out, errs, c.says)
		}
	}
}

// What a command finds wrong with its arguments ends with status 2, too, before anything is opened.
func TestWrongArguments(t *testing.T) {
	here := t.TempDir()
	manifest := filepath.Join(here, "manifest.csv")
	if err := os.WriteFile(manifest, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says string }{
		{"token create --account=1", "either --user or --service"},
		{"token create --account -1 --user 1", "must be positive"},
		{"token create --account=2147483648 --user=1", "must be at most 2147483647"},
		{"token create --account=1 --user=2147483648", "must be at most 2147483647"},
		{"token create --account=2147483648 --service", "must be at most 2147483647"},
		{"quota set --account 2147483648 --files 1", "must be at most 2147483647"},
		{"token create --account=1 --user=2 --ttl -1h", "must be positive"},
		{"token create --account=1 --user=2 --ttl 0", "must be positive"},
		{"token create --account=1 --user=2 --name " + strings.Repeat("a", 129), "at most 128 bytes"},
		{"token create --account=1 --user=2 --name a\x07", "without control characters"},
		{"token create --account=1 --service --group=a,b --group c", "can't be combined"},
		{"upload - -", "only once"},
		{"upload -j0 file", "--parallel must be 1 or more"},
		{"upload -j=0 file", "--parallel must be 1 or more"},
		{"upload -qj 0 file", "--parallel must be 1 or more"},
		{"upload --parallel 3 --parallel=0 file", "--parallel must be 1 or more"},
		{"upload --patience -1s file", "--patience can't be negative"},
		{"download -fo x -- ftp://a", `"ftp://a" is no http or https URL`},
		{"download a b -o -", "--output must be a folder"},
		{"backup " + here, "is there already"},
		{"import --manifest " + here, "is no file"},
		{"import files --manifest " + manifest + "0", "no such file"},
		{"import --manifest " + manifest + " --folder " + manifest, "is no folder"},
		{"import --jobs 0", "--jobs must be"},
		{"import --jobs 0 files", "--jobs must be"},
		{"import files --jobs=0", "--jobs must be"},
		{"import links --table t " + manifest, "belong together"},
		{"import links " + here, "is no file"},
		{"import links " + manifest + "0", "no such file"},
		{"access crossing --table t --column c --base u --base v,w", "IMPORT_TEXTS_URL must be set"},
		{"links revoke --account 0 --user 1", "must be positive"},
		{"reconcile --jobs 0", "must be positive"},
		{"reconcile --account -1", "must be positive"},
		{"quota set --account 1", "--bytes or --files must be given"},
		{"quota set --account 1 --bytes -1", "--bytes or --files must be given"},
		{"quota show --account 0", "must be a positive number"},
		{"events list --limit 0", "must be a positive number"},
	} {
		if status, out, errs := says(t, strings.Fields(c.args)...); status != misused || out != "" ||
			!strings.Contains(errs, c.says) {
			t.Errorf("holdfast %s: %d\n%s%s\nwant %s", c.args, status, out, errs, c.says)
		}
	}
}

// Every command has a help text, and so has every flag; they fit a terminal of 80 columns. The help flag may stand
// anywhere.
func TestHelp(t *testing.T) {
	var visit func(c *cobra.Command)
	commands := 0
	visit = func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		status, help, errs := says(t, append(path, "--help")...)
		if status != ok || errs != "" || !strings.Contains(help, "\nUsage: "+c.CommandPath()) || !strings.Contains(help,
			"-h, --help") {
			t.Errorf("holdfast %v --help: %d\n%s%s", path, status, help, errs)
		}
		for line := range strings.Lines(help) {
			if len(line) > 81 {
				t.Errorf("holdfast %v --help: wider than 80 columns: %s", path, line)
			}
		}
		for _, same := range [][]string{append([]string{"--help"}, path...), append([]string{"-h"}, path...),
			append([]string{"help"}, path...)} {
			if _, got, _ := says(t, same...); got != help {
				t.Errorf("holdfast %v: %s\nwant %s", same, got, help)
			}
		}
		for _, below := range c.Commands() {
			commands++
			if below.Short == "" || !strings.HasSuffix(below.Short, ".") || !strings.Contains(help, below.Short) {
				t.Errorf("%s has no help in\n%s", below.CommandPath(), help)
			}
			visit(below)
		}
	}
	visit(newRoot(&program{}))
	if commands < 27 {
		t.Errorf("%d commands", commands)
	}
}

// Shells are told what may come next.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if status, out, errs := says(t, "completion", shell); status != ok || errs != "" || !strings.Contains(out,
			"__complete") {
			t.Errorf("%s: %d %.300q %s", shell, status, out, errs)
		}
	}
	for _, c := range []struct{ args, next string }{
		{"up", "upload\tUpload files"}, {"token,", "revoke\tRevoke a token.\n"},
		{"reconcile,--de", "--delete-unknown\tRemove"},
	} {
		if status, out, _ := says(t, append([]string{"__complete"}, strings.Split(c.args, ",")...)...); status != ok ||
			!strings.Contains(out, c.next) {
			t.Errorf("%s: %d %q, want %q", c.args, status, out, c.next)
		}
	}
}
