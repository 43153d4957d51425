package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func source(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestIsVersion(t *testing.T) {
	for text, want := range map[string]bool{"0.2.0": true, "1.0.0": true, "0.3.0-rc.1": true, "": false, "v0.2.0": false,
		"0.2":     false,
		"0.2.0+x": false, "0.02.0": false, "0.2.0-": false, "0.2.0\n": false, "0.2.0 ": false} {
		if isVersion(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || !reflect.DeepEqual(all, platforms()) {
		t.Errorf("%v %v", all, err)
	}
	if some, err := choose("linux/arm64,darwin/arm64"); err != nil || len(some) != 2 || some[1].name() != "darwin_arm64" {
		t.Errorf("%v %v", some, err)
	}
	if _, err := choose("linux/amd64,plan9/amd64"); err == nil || !strings.Contains(err.Error(), "plan9/amd64") {
		t.Errorf("%v", err)
	}
}

// The packages' unit is that of deploy/, except for the program's path and the user.
func TestPackageUnit(t *testing.T) {
	deployed := source(t, "deploy", "holdfast.service")
	unit, err := packageUnit(deployed)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(unit, "\n")
	for _, want := range []string{"ExecStart=/usr/bin/holdfast serve", "User=holdfast", "ProtectSystem=strict",
		"StateDirectory=holdfast"} {
		if !slices.Contains(lines, want) {
			t.Errorf("the unit has no line %q:\n%s", want, unit)
		}
	}
	if strings.Contains(unit, "DynamicUser") || strings.Contains(unit, "/usr/local") {
		t.Errorf("%s", unit)
	}
	if _, err := packageUnit(strings.Replace(deployed, "/usr/local/bin/holdfast serve", "/opt/holdfast serve",
		1)); err == nil {
		t.Error("a unit without the line that is changed is taken")
	}
}

// The settings file changes nothing, and shows what the unit sets.
func TestSettingsOf(t *testing.T) {
	const shown = "# the mode\n#CONFIG=Development\n\n# where data is\n#DATA_DIR=./data\n"
	got, err := settingsOf(shown, "[Service]\nEnvironment=CONFIG=Production DATA_DIR=/var/lib/holdfast\n")
	if err != nil || !strings.Contains(got, "\n#CONFIG=Production\n") ||
		!strings.Contains(got, "\n#DATA_DIR=/var/lib/holdfast\n") {
		t.Errorf("%v\n%s", err, got)
	}
	for line := range strings.Lines(got) {
		if line != "\n" && !strings.HasPrefix(line, "#") {
			t.Errorf("%q is in force", line)
		}
	}
	if _, err := settingsOf(shown, "Environment=NO_SETTING=1\n"); err == nil {
		t.Error("the unit may set what is no setting")
	}
}

// The image's command and user are read from the Dockerfile.
func TestImageConfig(t *testing.T) {
	stage := lastStage(source(t, "Dockerfile"))
	c, err := imageConfig(stage, map[string]string{"VERSION": "0.2.0", "REVISION": "fcba767"})
	if err != nil {
		t.Fatal(err)
	}
	if c.User != "65532:65532" || !reflect.DeepEqual(c.Entrypoint, []string{"/holdfast"}) ||
		!reflect.DeepEqual(c.Cmd, []string{"serve"}) {
		t.Errorf("%+v", c)
	}
	if !reflect.DeepEqual(c.Env, []string{"HOST=0.0.0.0", "PORT=8000", "DATA_DIR=/data"}) {
		t.Errorf("%q", c.Env)
	}
	h := c.Healthcheck
	if h == nil || !reflect.DeepEqual(h.Test, []string{"CMD", "/holdfast", "healthcheck"}) ||
		h.Interval.String() != "10s" ||
		h.StartPeriod.String() != "40s" || h.Timeout.String() != "5s" || h.Retries != 3 {
		t.Errorf("%+v", h)
	}
	if c.Labels["org.opencontainers.image.version"] != "0.2.0" ||
		c.Labels["org.opencontainers.image.revision"] != "fcba767" ||
		c.Labels["org.opencontainers.image.description"] == "" {
		t.Errorf("%v", c.Labels)
	}
	if _, err := imageConfig([]instruction{{"WORKDIR", "/x"}}, nil); err == nil {
		t.Error("an instruction that is not understood is passed over")
	}
}

// The image has the files that the Dockerfile copies, with their owners, and no others.
func TestSameAsCopied(t *testing.T) {
	stage := []instruction{{"FROM", "scratch"}, {"COPY", "--from=build --chown=65532:65532 /out/data /data"},
		{"COPY", "--from=build /x /etc/ssl/x"}}
	right := [][]entry{{{name: "etc"}, {name: "etc/ssl"}, {name: "etc/ssl/x"}}, {{name: "data", user: imageUser}}}
	if err := sameAsCopied(right, stage); err != nil {
		t.Error(err)
	}
	for what, wrong := range map[string][][]entry{
		"a file is missing": {right[0]},
		"another owner":     {right[0], {{name: "data"}}},
		"a file too many":   {right[0], right[1], {{name: "bin"}}},
	} {
		if err := sameAsCopied(wrong, stage); err == nil {
			t.Errorf("%s: nothing is said", what)
		}
	}
}

// What the page and a test both depend on is in the page, and what only a test uses is not.
func TestWritePageSBOM(t *testing.T) {
	var out strings.Builder
	err := writePageSBOM(&out, `{"serialNumber": "1", "metadata": {"timestamp": "now", "component": {"bom-ref": "page@0"}},
		"components": [{"bom-ref": "shared@1", "properties": []},
			{"bom-ref": "tests@1", "properties": [{"name": "cdx:npm:package:development", "value": "true"}]}],
		"dependencies": [{"ref": "page@0", "dependsOn": ["shared@1", "tests@1"]}, {"ref": "shared@1"},
			{"ref": "tests@1", "dependsOn": ["shared@1"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"shared@1": 3, "tests@1": 0, "serialNumber": 0, "timestamp": 0} {
		if n := strings.Count(out.String(), text); n != want {
			t.Errorf("%s is there %d times, not %d:\n%s", text, n, want, out.String())
		}
	}
}
