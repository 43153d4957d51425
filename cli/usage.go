package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// parent is a command that only has others below it.
func parent(name, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name + " COMMAND", Short: short, Run: func(*cobra.Command, []string) {}}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noArguments(c, args)
		}
		var names []string
		for _, below := range commands {
			names = append(names, below.Name())
		}
		return fmt.Errorf("a command is missing: %s", strings.Join(names, ", "))
	}
	c.AddCommand(commands...)
	return c
}

// group adds commands to the root, under a title.
func group(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, c := range commands {
		c.GroupID = title
	}
	root.AddCommand(commands...)
}

// arguments takes from least to most arguments.
func arguments(least, most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return errors.New("an argument is missing")
		case len(args) > most:
			return fmt.Errorf("unexpected argument %q", args[most])
		}
		return nil
	}
}

// noArguments refuses arguments. One may be a command that is misspelt.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unexpected argument %q, did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return fmt.Errorf("unexpected argument %q", args[0])
}

// requireFlags names the flags without which a command does not run.
func requireFlags(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // there is no such flag
		}
	}
}

// addHelpFlags adds --help to a command and to all below it. Usages mention [flags] where there are others, unless they
// name them.
func addHelpFlags(c *cobra.Command) {
	c.DisableFlagsInUseLine = !c.HasAvailableFlags() || strings.Contains(c.Use, "--")
	c.Flags().BoolP("help", "h", false, "Show this help.")
	c.Flags().SortFlags = false
	for _, below := range c.Commands() {
		addHelpFlags(below)
	}
}

// printUsage prints the commands below a command and its flags, for a terminal of 80 columns.
func printUsage(c *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n", c.UseLine())
	list := func(title, group string) {
		fmt.Fprintf(&b, "\n%s:\n", title)
		for _, below := range c.Commands() {
			if below.GroupID == group && below.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-*s  %s\n", below.NamePadding(), below.Name(), below.Short)
			}
		}
	}
	for _, g := range c.Groups() {
		list(g.Title, g.ID)
	}
	if c.HasAvailableSubCommands() && len(c.Groups()) == 0 {
		list("Commands", "")
	}
	fmt.Fprintf(&b, "\nFlags:\n%s", c.LocalFlags().FlagUsagesWrapped(80))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help tells more about a command.\n", c.CommandPath())
	}
	_, err := fmt.Fprint(c.OutOrStdout(), b.String())
	return err
}

// flagError says in plain words what is wrong with a flag.
func flagError(c *cobra.Command, err error) error {
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		f := wrong.GetFlag()
		if takes := map[string]string{"int": "a whole number", "int64": "a whole number of 64 bits",
			"duration": "a duration such as 90s", "bool": "true or false"}[f.Value.Type()]; takes != "" {
			return fmt.Errorf("--%s takes %s, not %q", f.Name, takes, wrong.GetValue())
		}
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		if near := nearFlags(c, unknown.GetSpecifiedName()); len(near) > 0 {
			return fmt.Errorf("%w, did you mean %s?", err, strings.Join(near, " or "))
		}
	}
	return err
}

// nearFlags are the flags of a command of which a name is the beginning, with other hyphens or capitals perhaps.
func nearFlags(c *cobra.Command, name string) (near []string) {
	plain := func(name string) string { return strings.ToLower(strings.ReplaceAll(name, "-", "")) }
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if strings.HasPrefix(plain(f.Name), plain(name)) {
			near = append(near, "--"+f.Name)
		}
	})
	return near
}
