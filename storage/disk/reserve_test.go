package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/file"
)

const mebi = 1 << 20

// For disks of several sizes: the reserve, together with writes that are under way.
func TestReserve(t *testing.T) {
	large, small := usage{size: 1 << 40, free: 300 * mebi}, usage{size: 60 * mebi, free: 20 * mebi}
	for name, c := range map[string]struct {
		u     usage
		least int64
		n     int64
		ok    bool
	}{
		"room":                    {large, -1, 44 * mebi, true},
		"one byte too many":       {large, -1, 44*mebi + 1, false},
		"a tenth of a small disk": {small, -1, 14 * mebi, true},
		"and no more":             {small, -1, 14*mebi + 1, false},
		"as it was set":           {large, 10 * mebi, 290 * mebi, true},
		"also on a small disk":    {small, 30 * mebi, 0, false},
		"none":                    {small, 0, 20 * mebi, true},
		"more than there is":      {small, 0, 20*mebi + 1, false},
		"no inodes": {usage{size: 1 << 40, free: 1 << 39, files: 1 << 20, unused: spareFiles}, -1, 1,
			false},
		"inodes": {usage{size: 1 << 40, free: 1 << 39, files: 1 << 20,
			unused: spareFiles + perWrite}, -1, 1, true},
		"a file system without a limit": {usage{size: 1 << 40, free: 1 << 39}, -1, 1, true},
	} {
		r := &Reserve{least: c.least, stat: func(string) (usage, error) { return c.u, nil }}
		give, err := r.Take(c.n)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, file.ErrNoSpace) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			give()
		}
	}
	r := &Reserve{least: -1, stat: func(string) (usage, error) { return large, nil }}
	give, err := r.Take(40 * mebi)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Take(5 * mebi); !errors.Is(err, file.ErrNoSpace) {
		t.Errorf("beside what is being written: %v", err)
	}
	give()
	give() // counts only once
	if _, err = r.Take(44 * mebi); err != nil {
		t.Errorf("when it was written: %v", err)
	}
	if (*Reserve)(nil).Check() != nil {
		t.Error("no reserve refuses")
	}
}

// The ballast exists while there is space for it, and is removed when there is none.
func TestBallast(t *testing.T) {
	dir, u := t.TempDir(), usage{size: 1 << 40, free: 1 << 39}
	open := func() *Reserve {
		r := &Reserve{dir: dir, least: -1, stat: func(string) (usage, error) { return u, nil }}
		if err := r.Prepare(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	there := func() bool {
		info, err := os.Stat(filepath.Join(dir, ballastFile))
		return err == nil && info.Size() == ballastSize
	}
	open()
	if r := open(); !there() || !r.Release() || there() || r.Release() {
		t.Error("it was not there, was not let go of, or was twice")
	}
	open()
	if u.free = full - 1; open().Release() || there() {
		t.Error("at the start on a full disk it is not let go of")
	}
	if u.free = usual; open().Release() || there() {
		t.Error("it was made of the reserve")
	}
	u.free = 1 << 39
	if err := os.WriteFile(filepath.Join(dir, ballastFile), nil, 0o600); err != nil { // left by a killed process
		t.Fatal(err)
	}
	if open(); !there() {
		t.Error("half of it was not made whole")
	}
}

// A real file system reports its usage.
func TestStat(t *testing.T) {
	u, err := stat(t.TempDir())
	if err != nil || u.size <= 0 || u.free < 0 || u.free > u.size {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := stat(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there has a disk")
	}
}
