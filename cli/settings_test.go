//go:build unix

package cli

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"holdfast/config"
)

// The settings are listed also while some of them are wrong.
func TestSettingsAreListed(t *testing.T) {
	var out, errs bytes.Buffer
	wrong := func(string) string { return "nonsense" }
	if status := Run(t.Context(), []string{"settings"}, wrong, nil, &out, &errs); status != ok || errs.Len() > 0 {
		t.Fatalf("%d %s", status, &errs)
	}
	for _, s := range config.Settings() {
		if !strings.Contains(out.String(), "\n  "+s.Name+" ") {
			t.Errorf("%s is not listed", s.Name)
		}
	}
	if strings.ContainsAny(out.String(), "`") || strings.Contains(out.String(), "](") {
		t.Errorf("there is Markdown in %s", &out)
	}
	if want := " docs/MIGRATING.md\n"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is missing", want)
	}
}

// The file for packages changes nothing as it is, and with all its defaults set either.
func TestSettingsFile(t *testing.T) {
	var out, errs bytes.Buffer
	args := []string{"settings", "--env-file"}
	if status := Run(t.Context(), args, nothing, nil, &out, &errs); status != ok || errs.Len() > 0 {
		t.Fatalf("%d %s", status, &errs)
	}
	set := map[string]string{}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			t.Errorf("%q is in force", line)
		}
		name, value, found := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if found && !strings.HasPrefix(name, " ") && !strings.HasPrefix(name, "#") {
			if _, twice := set[name]; twice {
				t.Errorf("%s is there twice", name)
			}
			set[name] = value
		}
	}
	if len(set) != len(config.Settings()) {
		t.Errorf("%d settings, not %d", len(set), len(config.Settings()))
	}
	without, err := config.Load(nothing)
	if err != nil {
		t.Fatal(err)
	}
	with, err := config.Load(func(name string) string { return set[name] })
	if err != nil {
		t.Fatalf("the defaults as they are written: %v", err)
	}
	// The service tells apart whether these were chosen.
	with.Admin.Chosen, with.MinFreeSpace = without.Admin.Chosen, without.MinFreeSpace
	if !reflect.DeepEqual(with, without) {
		t.Errorf("the defaults as they are written are others:\n%+v\n%+v", with, without)
	}
}

func nothing(string) string { return "" }
