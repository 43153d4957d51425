package check

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every file is in SHA256SUMS with its sum. A second release, made in another folder, has the same sums.
func TestSums(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "cd \"$1\" && sha256sum --strict --check SHA256SUMS", "sh",
		dist(t)).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	sums, err := os.ReadFile(filepath.Join(dist(t), "SHA256SUMS"))
	noErr(t, err)
	entries, err := os.ReadDir(dist(t))
	noErr(t, err)
	for _, e := range entries {
		if e.Name() != "SHA256SUMS" && strings.Count(string(sums), "  "+e.Name()+"\n") != 1 {
			t.Errorf("%s is not in SHA256SUMS", e.Name())
		}
	}
}

func TestSameBytes(t *testing.T) {
	again := os.Getenv("RELEASE_AGAIN")
	if again == "" {
		t.Skip("make release-check sets RELEASE_AGAIN")
	}
	first, err := os.ReadFile(filepath.Join(dist(t), "SHA256SUMS"))
	noErr(t, err)
	second, err := os.ReadFile(filepath.Join(again, "SHA256SUMS"))
	noErr(t, err)
	if !bytes.Equal(first, second) {
		t.Errorf("two builds differ:\n%s\n%s", first, second)
	}
}

// programs unpacks the program of every archive, and returns the paths by platform.
func programs(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	folder := t.TempDir()
	for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64", "windows_amd64"} {
		path, name := filepath.Join(folder, platform), "holdfast"
		if strings.HasPrefix(platform, "windows") {
			name = "holdfast.exe"
		}
		top := "holdfast_" + version(t) + "_" + platform
		noErr(t, fromTar(one(t, top+".tar.gz"), top+"/"+name, path))
		found[platform] = path
	}
	return found
}

func fromTar(archive, name, path string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if h.Name == name {
			if h.Mode != 0o755 {
				return errors.New(name + " is not executable")
			}
			return writeFile(path, r, 0o755)
		}
	}
}

// The programs have the right platform, version and commit; those for Linux are static and stripped.
func TestPrograms(t *testing.T) {
	commits := map[string]bool{}
	for platform, path := range programs(t) {
		info, err := buildinfo.ReadFile(path)
		noErr(t, err)
		set := map[string]string{}
		for _, s := range info.Settings {
			set[s.Key] = s.Value
		}
		if info.Main.Version != "v"+version(t) || set["GOOS"]+"_"+set["GOARCH"] != platform || set["CGO_ENABLED"] != "0" ||
			set["-trimpath"] != "true" || set["vcs.modified"] != "false" {
			t.Errorf("%s: %s", platform, info)
		}
		commits[set["vcs.revision"]] = true
		if strings.HasPrefix(platform, "linux") {
			isStatic(t, path)
		}
	}
	if len(commits) != 1 {
		t.Errorf("commits %v", commits)
	}
}

func isStatic(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	noErr(t, err)
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is not static: %v", path, p.Type)
		}
	}
	for _, s := range f.Sections {
		if s.Name == ".symtab" || strings.HasPrefix(s.Name, ".debug") || strings.HasPrefix(s.Name, ".zdebug") {
			t.Errorf("%s is not stripped: %s", path, s.Name)
		}
	}
}

// The output of `holdfast version`.
func TestVersion(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), programs(t)["linux_amd64"], "version", "--json").Output()
	noErr(t, err)
	var said struct {
		Version, Commit, Go, Platform string
		Modified                      bool
	}
	noErr(t, json.Unmarshal(out, &said))
	if said.Version != version(t) || len(said.Commit) != 40 || said.Modified || said.Platform != "linux/amd64" ||
		!strings.HasPrefix(said.Go, "go1.") {
		t.Errorf("%s", out)
	}
}

// Each SBOM names every module that Go linked into its program, and the standard library.
func TestSBOM(t *testing.T) {
	for platform, path := range programs(t) {
		info, err := buildinfo.ReadFile(path)
		noErr(t, err)
		listed := components(t, one(t, "holdfast_*_"+platform+".cdx.json"))
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			if !listed[m.Path+"@"+m.Version] {
				t.Errorf("%s: %s %s is not listed", platform, m.Path, m.Version)
			}
		}
		if !listed["std@"+info.GoVersion] {
			t.Errorf("%s: Go's library is not listed", platform)
		}
	}
	page := components(t, one(t, "holdfast_*_page.cdx.json"))
	for _, name := range []string{"tus-js-client", "@uppy/core"} {
		found := false
		for c := range page {
			found = found || strings.HasPrefix(c, name+"@")
		}
		if !found {
			t.Errorf("the page's list lacks %s: %v", name, page)
		}
	}
}

// components returns the names and versions in a CycloneDX document.
func components(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := os.Open(path)
	noErr(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	noErr(t, err)
	var document struct {
		BomFormat  string
		Components []struct{ Group, Name, Version string }
	}
	noErr(t, json.Unmarshal(b, &document))
	if document.BomFormat != "CycloneDX" {
		t.Errorf("%s is %q", path, document.BomFormat)
	}
	all := map[string]bool{}
	for _, c := range document.Components {
		name := c.Name
		if c.Group != "" {
			name = c.Group + "/" + c.Name
		}
		all[name+"@"+c.Version] = true
	}
	return all
}
