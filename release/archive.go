package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// entry is a file or a folder of an archive.
type entry struct {
	name string // with slashes
	mode fs.FileMode
	path string // where to read the file; empty: a folder
	user int    // and group
}

// entriesBelow lists a folder's files, in order, with a prefix before their names. Everyone may read all of them.
func entriesBelow(folder, prefix string) (entries []entry, err error) {
	err = filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, p)
		if err != nil {
			return err
		}
		name = path.Join(prefix, filepath.ToSlash(name))
		if d.IsDir() {
			entries = append(entries, entry{name: name, mode: 0o755})
		} else {
			entries = append(entries, entry{name: name, mode: 0o644, path: p})
		}
		return nil
	})
	return entries, err
}

// writeArchives packs each program with its documents and, where the service runs, the page.
func (r *release) writeArchives(context.Context) error {
	for _, p := range r.platforms {
		top := "holdfast_" + r.version + "_" + p.name()
		entries, err := entriesBelow(filepath.Join(r.work, "doc"), top)
		if err != nil {
			return err
		}
		if p.os != "windows" { // the client has no use for it
			page, err := entriesBelow(r.page(), top+"/example")
			if err != nil {
				return err
			}
			entries = append(entries, page...)
		}
		entries = append(entries, entry{name: top + "/" + p.program(), mode: 0o755, path: r.binary(p)})
		err = r.toFile(p.name()+".tar.gz", func(w io.Writer) error { return writeTarGz(w, entries, r.time) })
		if err != nil {
			return err
		}
	}
	return nil
}

// toFile writes an artifact.
func (r *release) toFile(name string, content func(io.Writer) error) (err error) {
	return create(r.name(name), content)
}

func create(path string, content func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return content(f)
}

func writeTarGz(w io.Writer, entries []entry, at time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := writeTar(z, entries, at); err != nil {
		return err
	}
	return z.Close()
}

// writeTar writes a tar that does not depend on this machine: the same entries give the same bytes.
func writeTar(w io.Writer, entries []entry, at time.Time) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: int64(e.mode.Perm()), ModTime: at, Uid: e.user, Gid: e.user,
			Typeflag: tar.TypeReg}
		if e.mode&fs.ModeSticky != 0 {
			h.Mode |= 0o1000
		}
		if e.path == "" {
			h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix(e.name, "/")+"/"
			if err := t.WriteHeader(h); err != nil {
				return err
			}
			continue
		}
		info, err := os.Stat(e.path)
		if err != nil {
			return err
		}
		h.Size = info.Size()
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if err := copyFile(t, e.path); err != nil {
			return err
		}
	}
	return t.Close()
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
