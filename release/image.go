package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// imageUser is the number of the user in the Dockerfile's last stage: a volume inherits the owner of /data.
const imageUser = 65532

// writeImages makes an image for each architecture of Linux, for `docker load`, and all of them as an OCI layout, for a
// registry.
func (r *release) writeImages(context.Context) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range r.linux() {
		image, err := r.image(p)
		if err != nil {
			return err
		}
		tag, err := name.NewTag("holdfast:" + r.version)
		if err != nil {
			return err
		}
		if err := r.toFile("image_"+p.arch+".tar", func(w io.Writer) error {
			return tarball.Write(tag, image,
				w)
		}); err != nil {
			return err
		}
		image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: p.os, Architecture: p.arch}}})
	}
	if len(r.linux()) == 0 {
		return nil
	}
	folder := filepath.Join(r.work, "oci")
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	named := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.version})
	if err := path.AppendIndex(index, named); err != nil {
		return err
	}
	entries, err := entriesBelow(folder, "")
	if err != nil {
		return err
	}
	return r.toFile("image_oci.tar", func(w io.Writer) error { return writeTar(w, entries[1:], r.time) })
}

// image returns the image that the Dockerfile would build, for one architecture.
func (r *release) image(p platform) (v1.Image, error) {
	dockerfile, err := r.read("Dockerfile")
	if err != nil {
		return nil, err
	}
	stage := lastStage(string(dockerfile))
	config, err := imageConfig(stage, map[string]string{"VERSION": r.version, "REVISION": r.commit})
	if err != nil {
		return nil, err
	}
	layers, err := r.imageLayers(p, stage)
	if err != nil {
		return nil, err
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: p.os, Architecture: p.arch, Config: config,
		RootFS: v1.RootFS{Type: "layers"}, Created: v1.Time{Time: r.time}})
	if err != nil {
		return nil, err
	}
	for _, entries := range layers {
		var b bytes.Buffer
		if err := writeTar(&b, entries, r.time); err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(b.Bytes())),
				nil
		})
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer,
			History: v1.History{Created: v1.Time{Time: r.time}, CreatedBy: "make release"}})
		if err != nil {
			return nil, err
		}
	}
	return image, nil
}

// imageLayers returns the image's files. Layers that rarely change between versions come first.
func (r *release) imageLayers(p platform, stage []instruction) ([][]entry, error) {
	certificates := filepath.Join(r.work, "ca-certificates.crt")
	if err := writeCertificates(certificates); err != nil {
		return nil, err
	}
	page, err := entriesBelow(r.page(), "example")
	if err != nil {
		return nil, err
	}
	license := filepath.Join(r.source, "LICENSE")
	layers := [][]entry{{
		{name: "etc", mode: 0o755}, {name: "etc/ssl", mode: 0o755}, {name: "etc/ssl/certs", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, path: certificates},
		{name: "data", mode: 0o755, user: imageUser}, {name: "tmp", mode: 0o755, user: imageUser},
		{name: "LICENSE", mode: 0o644, path: license},
	}, page, {{name: "holdfast", mode: 0o755, path: r.binary(p)}}}
	return layers, sameAsCopied(layers, stage)
}

// sameAsCopied reports a difference between the layers and what the Dockerfile copies into its last stage.
func sameAsCopied(layers [][]entry, stage []instruction) error {
	ours := map[string]entry{}
	for _, entries := range layers {
		for _, e := range entries {
			ours["/"+e.name] = e
		}
	}
	copied := map[string]bool{}
	for _, i := range stage {
		if i.name != "COPY" {
			continue
		}
		words := strings.Fields(i.args)
		target := words[len(words)-1]
		copied[target] = true
		e, found := ours[target]
		if owned := strings.Contains(i.args, fmt.Sprintf("--chown=%d:%d", imageUser, imageUser)); !found ||
			owned != (e.user != 0) {
			return fmt.Errorf("the Dockerfile has COPY %s, the layers have %+v", i.args, e)
		}
	}
	for path := range ours {
		covered := false
		for target := range copied {
			covered = covered || path == target || strings.HasPrefix(path, target+"/") || strings.HasPrefix(target, path+"/")
		}
		if !covered {
			return fmt.Errorf("the layers have %s, which the Dockerfile does not copy", path)
		}
	}
	return nil
}

// writeCertificates writes Mozilla's root certificates, as Go has them: not those of this machine, which may trust
// others. A root that is only trusted up to some date is left out, since the file can't say that.
func writeCertificates(path string) error {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return err
		}
	}
	return os.WriteFile(path, b.Bytes(), fs.FileMode(0o644))
}
