package check

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// The image runs as its user on a read-only root: a file is uploaded, downloaded and deleted, and the health check
// succeeds.
func TestImageServes(t *testing.T) {
	image := loaded(t, "amd64")
	config, err := image.ConfigFile()
	noErr(t, err)
	for _, args := range [][]string{config.Config.Cmd,
		{"sh", "-c", "poetry run alembic upgrade head && poetry run uvicorn src.main:app"}} {
		t.Run(args[0], func(t *testing.T) {
			s := unpacked(t, image)
			port := freePort(t)
			container := func(args ...string) *exec.Cmd {
				all := append(append([]string{}, config.Config.Entrypoint...), args...)
				cmd := s.command(all...)
				cmd.Env = append(append([]string{}, config.Config.Env...), "PORT="+strconv.Itoa(port), "ADMIN_ADDR=off",
					"HOST=127.0.0.1")
				cmd.SysProcAttr.Credential = credential(t, config.Config.User)
				return cmd
			}
			stop := s.start(container(args...), port)
			out, err := container("token", "create", "--user", "1", "--account", "1").Output()
			noErr(t, err)
			upload := begin(t, port, strings.TrimSpace(string(out)))
			if out, err := container(config.Config.Healthcheck.Test[2:]...).CombinedOutput(); err != nil {
				t.Errorf("%q: %v %s", config.Config.Healthcheck.Test, err, out)
			}
			stop()
			stop = s.start(container(args...), port)
			upload.finish()
			stop()
		})
	}
}

// The image has the configuration that Docker's own builder would give it.
func TestImageConfig(t *testing.T) {
	config, err := loaded(t, "amd64").ConfigFile()
	noErr(t, err)
	c := config.Config
	if c.User != "65532:65532" || !reflect.DeepEqual(c.Entrypoint, []string{"/holdfast"}) ||
		!reflect.DeepEqual(c.Cmd, []string{"serve"}) ||
		!reflect.DeepEqual(c.Env, []string{"HOST=0.0.0.0", "PORT=8000", "DATA_DIR=/data"}) {
		t.Errorf("%+v", c)
	}
	if _, ok := c.Volumes["/data"]; !ok {
		t.Errorf("volumes %v", c.Volumes)
	}
	if _, ok := c.ExposedPorts["8000/tcp"]; !ok {
		t.Errorf("ports %v", c.ExposedPorts)
	}
	if h := c.Healthcheck; h == nil || !reflect.DeepEqual(h.Test, []string{"CMD", "/holdfast", "healthcheck"}) ||
		h.Retries != 3 {
		t.Errorf("health check %+v", h)
	}
	if c.Labels["org.opencontainers.image.version"] != version(t) ||
		len(c.Labels["org.opencontainers.image.revision"]) != 40 {
		t.Errorf("labels %v", c.Labels)
	}
}

// The OCI layout is complete, and has the same images.
func TestImageLayout(t *testing.T) {
	folder := t.TempDir()
	f, err := os.Open(one(t, "holdfast_*_image_oci.tar"))
	noErr(t, err)
	defer f.Close()
	noErr(t, unpack(f, folder))
	path, err := layout.FromPath(folder)
	noErr(t, err)
	outer, err := path.ImageIndex()
	noErr(t, err)
	manifest, err := outer.IndexManifest()
	noErr(t, err)
	if len(manifest.Manifests) != 1 ||
		manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != version(t) {
		t.Fatalf("%+v", manifest)
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	noErr(t, err)
	noErr(t, validate.Index(index))
	manifest, err = index.IndexManifest()
	noErr(t, err)
	for _, d := range manifest.Manifests {
		image, err := index.Image(d.Digest)
		noErr(t, err)
		got, err := image.ConfigName()
		noErr(t, err)
		want, err := loaded(t, d.Platform.Architecture).ConfigName()
		noErr(t, err)
		if d.Platform.OS != "linux" || got != want {
			t.Errorf("%v: %s, for docker load %s", d.Platform, got, want)
		}
	}
	if len(manifest.Manifests) != 2 {
		t.Errorf("%d images, not one for each architecture", len(manifest.Manifests))
	}
}

// loaded returns the image as `docker load` reads it.
func loaded(t *testing.T, arch string) v1.Image {
	t.Helper()
	tag, err := name.NewTag("holdfast:" + version(t))
	noErr(t, err)
	image, err := tarball.ImageFromPath(one(t, "holdfast_*_image_"+arch+".tar"), &tag)
	noErr(t, err)
	return image
}

// unpacked returns the image's root, read-only except for /data and /tmp.
func unpacked(t *testing.T, image v1.Image) system {
	t.Helper()
	files := filepath.Join(t.TempDir(), "files")
	r := mutate.Extract(image)
	defer r.Close()
	noErr(t, os.Mkdir(files, 0o755))
	noErr(t, unpack(r, files))
	noErr(t, os.Mkdir(filepath.Join(files, "proc"), 0o755))
	s := system{t, filepath.Join(filepath.Dir(files), "root")}
	noErr(t, os.Mkdir(s.root, 0o755))
	s.mount(files, s.root, "", syscall.MS_BIND, "")
	noErr(t, syscall.Mount("", s.root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	s.mount("proc", s.path("proc"), "proc", 0, "") // as in every container runtime
	for _, folder := range []string{"data", "tmp"} {
		s.mount(filepath.Join(files, folder), s.path(folder), "", syscall.MS_BIND, "")
	}
	if err := os.WriteFile(s.path("new"), nil, 0o644); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("the root is not read-only: %v", err)
	}
	return s
}

// unpack extracts a tar, with its owners.
func unpack(r io.Reader, folder string) error {
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		path := filepath.Join(folder, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = writeFile(path, t, h.FileInfo().Mode().Perm())
		}
		if err = errors.Join(err, os.Lchown(path, h.Uid, h.Gid)); err != nil {
			return err
		}
	}
}

func writeFile(path string, r io.Reader, mode os.FileMode) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, r)
	return err
}

// credential parses the numbers in USER.
func credential(t *testing.T, user string) *syscall.Credential {
	t.Helper()
	var c syscall.Credential
	_, err := fmt.Sscanf(user, "%d:%d", &c.Uid, &c.Gid)
	noErr(t, err)
	if c.Uid == 0 {
		t.Fatal("the image runs as root")
	}
	return &c
}
