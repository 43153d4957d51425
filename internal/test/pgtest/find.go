package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

const oldest = 15 // the oldest PostgreSQL that Holdfast supports

// binaries is the folder of PostgreSQL's programs, and the user who runs them (nil: our own).
type binaries struct {
	folder string
	as     *syscall.Credential
}

// find returns the newest PostgreSQL in Debian's folders and in PATH.
func find() (binaries, error) {
	candidates, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if path, err := exec.LookPath("postgres"); err == nil {
		candidates = append(candidates, path)
	}
	best, folder := 0, ""
	for _, path := range candidates {
		// A link in PATH: the other programs are beside its target.
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		if v := version(real); v > best {
			best, folder = v, filepath.Dir(real)
		}
	}
	switch {
	case best == 0:
		return binaries{}, errors.New("PostgreSQL is not installed: run `make deps` (Debian: apt-get install postgresql)")
	case best < oldest:
		return binaries{}, fmt.Errorf("PostgreSQL %d in %s is too old, %d or newer is needed: run `make deps`", best, folder,
			oldest)
	}
	as, err := runAs()
	return binaries{folder: folder, as: as}, err
}

var number = regexp.MustCompile(`\) (\d+)`) // "postgres (PostgreSQL) 15.14 (Debian ...)"

func version(postgres string) int {
	out, err := exec.Command(postgres, "--version").Output()
	if err != nil {
		return 0
	}
	m := number.FindSubmatch(out)
	if m == nil {
		return 0
	}
	v, _ := strconv.Atoi(string(m[1]))
	return v
}

// runAs returns another user if we are root (in a CI container): PostgreSQL refuses to run as root.
func runAs() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as")
}
