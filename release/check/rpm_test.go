package check

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sassoftware/go-rpmutils"
)

// The .rpm has the files of the .deb, with their modes, and the scripts that create user and folder.
func TestRPM(t *testing.T) {
	for file, arch := range map[string]string{"holdfast-*.x86_64.rpm": "x86_64", "holdfast-*.aarch64.rpm": "aarch64"} {
		f, err := os.Open(one(t, file))
		noErr(t, err)
		defer f.Close()
		p, err := rpmutils.ReadRpm(f)
		noErr(t, err)
		name, err := p.Header.GetNEVRA()
		noErr(t, err)
		if name.Name != "holdfast" || name.Version != version(t) || name.Arch != arch {
			t.Errorf("%+v", name)
		}
		files, err := p.Header.GetFiles()
		noErr(t, err)
		found := map[string]int{}
		for _, f := range files {
			found[f.Name()] = f.Mode() & 0o7777
			if f.UserName() != "root" || f.GroupName() != "root" {
				t.Errorf("%s belongs to %s:%s", f.Name(), f.UserName(), f.GroupName())
			}
			const config, noReplace = 1, 16
			if isConfig := f.Name() == "/etc/holdfast.env"; isConfig != (f.Flags()&(config|noReplace) == config|noReplace) {
				t.Errorf("%s has flags %d", f.Name(), f.Flags())
			}
		}
		for path, mode := range map[string]int{"/usr/bin/holdfast": 0o755, "/usr/sbin/holdfast-admin": 0o755,
			"/usr/lib/systemd/system/holdfast.service": 0o644, "/etc/holdfast.env": 0o600,
			"/usr/share/holdfast/example/index.html": 0o644, "/usr/share/doc/holdfast/docs/OPERATIONS.md": 0o644,
			"/usr/share/bash-completion/completions/holdfast": 0o644, "/usr/share/zsh/site-functions/_holdfast": 0o644,
			"/usr/share/fish/vendor_completions.d/holdfast.fish": 0o644} {
			if got, ok := found[path]; !ok || got != mode {
				t.Errorf("%s: %v, mode %o", path, ok, got)
			}
		}
		for tag, want := range map[int]string{rpmutils.PREIN: "useradd --system", rpmutils.POSTIN: "install -d -m 0700",
			rpmutils.PREUN: "disable --now", rpmutils.POSTUN: "try-restart"} {
			if script, err := p.Header.GetStrings(tag); err != nil || !strings.Contains(strings.Join(script, ""), want) {
				t.Errorf("script %d: %v %v", tag, script, err)
			}
		}
		requires, err := p.Header.GetStrings(rpmutils.REQUIRENAME)
		if err != nil || !slices.Contains(requires, "shadow-utils") {
			t.Errorf("it requires %v %v", requires, err)
		}
	}
}
