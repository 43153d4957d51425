package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/rpm"
)

// writePackages makes a .deb and an .rpm for each architecture of Linux.
func (r *release) writePackages(context.Context) error {
	for _, p := range r.linux() {
		for format, packager := range map[string]nfpm.Packager{"deb": deb.Default, "rpm": rpm.DefaultRPM} {
			if err := r.pack(p, format, packager); err != nil {
				return fmt.Errorf(".%s for %s: %w", format, p, err)
			}
		}
	}
	return nil
}

func (r *release) pack(p platform, format string, packager nfpm.Packager) error {
	described, err := r.read("release", "package", "nfpm.yaml")
	if err != nil {
		return err
	}
	values := map[string]string{"STAGE": r.stage(p), "PACKAGE": filepath.Join(r.source, "release", "package"),
		"ARCH": p.arch, "VERSION": r.version, "MAINTAINER": r.maintainer}
	config, err := nfpm.ParseWithEnvMapping(bytes.NewReader(described), func(name string) string { return values[name] })
	if err != nil {
		return err
	}
	info, err := config.Get(format)
	if err != nil {
		return err
	}
	info = nfpm.WithDefaults(info)
	info.MTime = r.time
	info.Umask = 0o022
	info.RPM.BuildHost = "localhost"
	for _, script := range []*string{&info.Scripts.PreInstall, &info.Scripts.PostInstall, &info.Scripts.PreRemove,
		&info.Scripts.PostRemove} {
		*script = os.Expand(*script, func(name string) string { return values[name] })
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	return create(filepath.Join(r.out, packager.ConventionalFileName(info)), func(w io.Writer) error {
		return packager.Package(info, w)
	})
}
