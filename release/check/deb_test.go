package check

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A package is installed, configured, upgraded, removed and purged, as by apt.
func TestDeb(t *testing.T) {
	s := bareDebian(t)
	before := s.files()
	s.copyIn(one(t, "holdfast_*_amd64.deb"), "/new.deb")
	s.lowerVersion("/new.deb", "/old.deb")

	s.run("dpkg", "-i", "/old.deb")
	if said := s.run("stat", "-c", "%U:%G %a", "/var/lib/holdfast", "/etc/holdfast.env"); said !=
		"holdfast:holdfast 700\nroot:root 600" {
		t.Errorf("data folder and settings: %s", said)
	}
	if said := s.run("getent", "passwd", "holdfast"); !strings.HasSuffix(said, ":/var/lib/holdfast:/usr/sbin/nologin") {
		t.Errorf("user: %s", said)
	}
	for _, path := range []string{"bash-completion/completions/holdfast", "zsh/vendor-completions/_holdfast",
		"fish/vendor_completions.d/holdfast.fish"} {
		if said := s.run("cat", "/usr/share/"+path); !strings.Contains(said, "__complete") {
			t.Errorf("%s: %.300q", path, said)
		}
	}
	port := freePort(t)
	s.setting(fmt.Sprintf("PORT=%d", port))
	s.setting("ADMIN_ADDR=off")
	unit := s.unit()
	stop := s.start(s.underUnit(unit), port)
	token := s.run("holdfast-admin", "token", "create", "--user", "1", "--account", "1")
	upload := begin(t, port, token)
	stop()

	// Without these options dpkg asks which settings file to keep. Ours is kept; the new one is stored beside it.
	s.run("dpkg", "--force-confdef", "--force-confold", "-i", "/new.deb")
	s.run("test", "-e", "/etc/holdfast.env.dpkg-dist")
	if said := s.run("dpkg-query", "-W", "-f", "${Version} ${Status}",
		"holdfast"); said != version(t)+" install ok installed" {
		t.Errorf("after the upgrade: %s", said)
	}
	if said := s.run("cat", "/etc/holdfast.env"); !strings.Contains(said, fmt.Sprintf("\nPORT=%d\n", port)) {
		t.Errorf("the upgrade has changed the settings:\n%s", said)
	}
	stop = s.start(s.underUnit(unit), port)
	upload.finish()
	stop()

	s.run("dpkg", "-r", "holdfast")
	if s.fails("test", "!", "-e", "/usr/bin/holdfast") || s.fails("test", "-e", "/var/lib/holdfast/holdfast.db") ||
		s.fails("test", "-e", "/etc/holdfast.env") {
		t.Error("after removal the program is there, or data and settings are not")
	}
	s.run("dpkg", "-P", "holdfast")
	s.nothingLeft(before)
}

// If the data folder is a link to another disk, the package does not remove it.
func TestDebDataIsLink(t *testing.T) {
	s := bareDebian(t)
	s.copyIn(one(t, "holdfast_*_amd64.deb"), "/new.deb")
	s.run("install", "-d", "-m", "0750", "/srv/disk")
	s.run("ln", "-s", "/srv/disk", "/var/lib/holdfast")
	s.run("dpkg", "-i", "/new.deb")
	if said := s.run("stat", "-c", "%U %a", "/srv/disk"); said != "root 750" {
		t.Errorf("the folder's owner is now %s", said)
	}
	s.run("touch", "/srv/disk/file")
	s.run("dpkg", "-P", "holdfast")
	s.run("test", "-e", "/srv/disk/file")
}

// systemd accepts the unit. The program exists, though not where this machine's systemd looks.
func TestUnit(t *testing.T) {
	s := bareDebian(t)
	s.copyIn(one(t, "holdfast_*_amd64.deb"), "/new.deb")
	s.run("dpkg", "-i", "/new.deb")
	text := s.run("cat", "/usr/lib/systemd/system/holdfast.service") + "\n"
	self, err := os.Executable()
	noErr(t, err)
	text = strings.Replace(text, "ExecStart=/usr/bin/holdfast serve\n", "ExecStart="+self+" serve\n", 1)
	path := filepath.Join(t.TempDir(), "holdfast.service")
	noErr(t, os.WriteFile(path, []byte(text), 0o644))
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", path).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=20",
		"--no-pager",
		path).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

func (s system) copyIn(from, to string) {
	s.t.Helper()
	b, err := os.ReadFile(from)
	noErr(s.t, err)
	noErr(s.t, os.WriteFile(s.path(to), b, 0o644))
}

// lowerVersion makes a package of an earlier version, with another settings file.
func (s system) lowerVersion(from, to string) {
	s.t.Helper()
	s.run("dpkg-deb", "-R", from, "/unpacked")
	s.run("sed", "-i", "s/^Version: .*/Version: 0.0.1/", "/unpacked/DEBIAN/control")
	s.run("sed", "-i", "1i # of the version before", "/unpacked/etc/holdfast.env")
	s.run("rm", "/unpacked/DEBIAN/md5sums")
	s.run("dpkg-deb", "-Znone", "-b", "/unpacked", to)
	s.run("rm", "-r", "/unpacked")
}

// setting changes a setting as an administrator does: it uncomments the line and changes the value.
func (s system) setting(line string) {
	s.t.Helper()
	name, _, _ := strings.Cut(line, "=")
	s.run("grep", "-q", "^#"+name+"=", "/etc/holdfast.env")
	s.run("sed", "-i", "s|^#"+name+"=.*|"+line+"|", "/etc/holdfast.env")
}

// unit reads the installed unit's section [Service].
func (s system) unit() map[string]string {
	s.t.Helper()
	unit := map[string]string{}
	for line := range strings.Lines(s.run("cat", "/usr/lib/systemd/system/holdfast.service")) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(line, "#") {
			unit[name] = value
		}
	}
	for name, want := range map[string]string{"ExecStart": "/usr/bin/holdfast serve", "User": "holdfast",
		"StateDirectory": "holdfast", "EnvironmentFile": "-/etc/holdfast.env", "NoNewPrivileges": "yes",
		"CapabilityBoundingSet": "", "ProtectSystem": "strict"} {
		if got, found := unit[name]; !found || got != want {
			s.t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	return unit
}

// underUnit prepares the service as the unit describes it, as far as that is possible without systemd: user,
// environment, folder, umask, no privileges; and it can write only to its state folder and /tmp.
func (s system) underUnit(unit map[string]string) *exec.Cmd {
	s.t.Helper()
	var env []string
	env = append(env, strings.Fields(unit["Environment"])...)
	for line := range strings.Lines(s.run("cat", strings.TrimPrefix(unit["EnvironmentFile"], "-")) + "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			env = append(env, line)
		}
	}
	state := "/var/lib/" + unit["StateDirectory"]
	script := fmt.Sprintf(`set -e
		mount --make-rprivate / && mount --bind / /mnt && mount --bind %[1]s /mnt%[1]s
		mount -t tmpfs none /mnt/tmp && chmod 1777 /mnt/tmp && mount -t proc proc /mnt/proc
		mount -o remount,bind,ro /mnt
		cd /mnt
		umask %[2]s
		exec chroot /mnt setpriv --reuid %[3]s --regid %[3]s --init-groups --no-new-privs --bounding-set=-all \
			--inh-caps=-all env --chdir=%[4]s -i "$@"`, state, unit["UMask"], unit["User"], unit["WorkingDirectory"])
	args := append([]string{"/usr/bin/unshare", "--mount", "sh", "-c", script, "sh"}, env...)
	return s.command(append(args, strings.Fields(unit["ExecStart"])...)...)
}

// files lists the files of the system, except for those that every package changes.
func (s system) files() map[string]bool {
	s.t.Helper()
	all := map[string]bool{}
	for _, folder := range []string{"etc", "usr", "var", "srv", "home", "lib"} {
		err := filepath.WalkDir(s.path(folder), func(path string, _ fs.DirEntry, err error) error {
			all[strings.TrimPrefix(path, s.root)] = true
			return err
		})
		noErr(s.t, err)
	}
	return all
}

// nothingLeft compares the system with its state before the package was installed.
func (s system) nothingLeft(before map[string]bool) {
	s.t.Helper()
	// The package manager's own records, and the copies that useradd and userdel make.
	allowed := regexp.MustCompile(`^/var/(lib/dpkg|log)/|^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$` +
		`|^/etc/\.pwd\.lock$|^/var/lib/systemd/deb-systemd-helper-(enabled|masked)$` +
		`|^/etc/systemd/system(/multi-user\.target\.wants)?$`)
	for path := range s.files() {
		if !before[path] && !allowed.MatchString(path) {
			s.t.Errorf("%s is left", path)
		}
	}
	if said := s.run("cat", "/etc/passwd", "/etc/group"); strings.Contains(said, "holdfast") {
		s.t.Errorf("the user or the group is left:\n%s", said)
	}
}
