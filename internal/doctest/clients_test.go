package doctest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// most is how many bytes a connection carries, and film how many have to be carried: every
// client of docs/CLIENTS.md has to go on a few times. web-example/test/clients.test.mjs
// does the same to those that live in a browser.
const (
	most = 4_000_000
	film = 20_000_000
)

func TestClients(t *testing.T) {
	s := startBehindBadLine(t, most)
	content := make([]byte, film)
	rand.NewChaCha8([32]byte{7}).Read(content)
	folder := func(t *testing.T) string {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"film.mp4": content, "photo.jpg": content[:1000]} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	same := func(t *testing.T, path string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes came, of %d, or others (%v)", len(got), len(content), err)
		}
	}
	script := func(t *testing.T, name string) string { return strings.Join(snippets(t, "docs/CLIENTS.md", name), "") }
	shell := func(t *testing.T, dir, name string, env ...string) string {
		t.Helper()
		return s.run(t, dir, env, "bash", "-c", "set -euo pipefail\n"+script(t, name)+"\necho \"FILE=${FILE-}\"")
	}
	// made is the file that a snippet has left in FILE.
	made := func(said string) string {
		return "FILE=" + said[strings.LastIndex(said, "FILE=")+len("FILE="):len(said)-1]
	}

	var stored string
	for _, name := range []string{"holdfast", "curl"} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			stored = made(shell(t, dir, name))
			same(t, filepath.Join(dir, "copy.mp4"))
		})
	}
	for _, name := range []string{"wget", "aria2"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			shell(t, dir, name, stored)
			same(t, filepath.Join(dir, "copy.mp4"))
		})
	}
	t.Run("form", func(t *testing.T) {
		dir := folder(t)
		first, second := shell(t, dir, "form"), shell(t, dir, "form")
		if first != second || !strings.Contains(first, s.url+"/") {
			t.Errorf("%s, then %s", first, second)
		}
	})
	t.Run("link", func(t *testing.T) {
		dir := folder(t)
		small := s.run(t, dir, []string{"HOLDFAST_URL=" + s.url, "HOLDFAST_TOKEN=" + s.token}, "sh", "-c", "holdfast upload -q photo.jpg")
		shell(t, dir, "link", "FILE="+strings.TrimSpace(small))
		if got, err := os.ReadFile(filepath.Join(dir, "copy.mp4")); err != nil || !bytes.Equal(got, content[:1000]) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("python", func(t *testing.T) {
		dir := folder(t)
		program(t, dir, "transfer.py", script(t, "python"))
		said := s.run(t, dir, nil, python(t), "transfer.py", "film.mp4", "copy.mp4")
		same(t, filepath.Join(dir, "copy.mp4"))
		// What is there is neither sent nor fetched again.
		if again := s.run(t, dir, nil, python(t), "transfer.py", "film.mp4", "copy.mp4"); again != said {
			t.Errorf("the second time it was %s, not %s", again, said)
		}
		same(t, filepath.Join(dir, "copy.mp4"))
	})
	t.Run("go", func(t *testing.T) {
		dir := folder(t)
		program(t, dir, "transfer.go", script(t, "go"))
		home, err := os.UserHomeDir() // the compiler's cache
		if err != nil {
			t.Fatal(err)
		}
		s.run(t, dir, []string{"HOME=" + home}, "go", "vet", "transfer.go")
		s.run(t, dir, []string{"HOME=" + home}, "go", "run", "transfer.go", "film.mp4", "copy.mp4")
		same(t, filepath.Join(dir, "copy.mp4"))
	})
}

// Every snippet is run by somebody.
func TestClientsAreAllRun(t *testing.T) {
	text := read(t, "docs/CLIENTS.md")
	ours, browsers := read(t, "internal/doctest/clients_test.go"), read(t, "web-example/test/clients.test.mjs")
	blocks := regexp.MustCompile("(?m)^(.*)\n```[a-z]+\n(.*)$").FindAllStringSubmatch(text, -1)
	for _, b := range blocks {
		name, marked := strings.CutPrefix(strings.TrimSuffix(b[1], " -->"), "<!-- test: ")
		switch {
		case marked && !strings.Contains(ours, `"`+name+`"`) && !strings.Contains(browsers, `'`+name+`'`):
			t.Errorf("no test runs %q", name)
		case !marked && !strings.HasPrefix(b[2], "export URL="): // which the tests set themselves
			t.Errorf("a block has no mark: %s ...", b[2])
		}
	}
	if len(blocks) < 12 {
		t.Errorf("%d blocks", len(blocks))
	}
}

// The versions that docs/CLIENTS.md tells to install are those that are tested.
func TestClientVersions(t *testing.T) {
	text := read(t, "docs/CLIENTS.md")
	npm, pip := read(t, "web-example/package.json"), strings.Fields(read(t, "internal/doctest/testdata/python.txt"))
	named := 0
	for _, m := range regexp.MustCompile(`([@a-z/-]+)@(\d+\.\d+\.\d+)`).FindAllStringSubmatch(text, -1) {
		if named++; !strings.Contains(npm, `"`+m[1]+`": "`+m[2]+`"`) {
			t.Errorf("%s is another version in web-example/package.json", m[0])
		}
	}
	for _, m := range regexp.MustCompile(`[a-z]+==[\d.]+\d`).FindAllString(text, -1) {
		if named++; !slices.Contains(pip, m) {
			t.Errorf("%s is not in testdata/python.txt", m)
		}
	}
	if named < 6 {
		t.Errorf("%d versions", named)
	}
}

func program(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// python is an interpreter with the libraries of testdata/python.txt.
func python(t *testing.T) string {
	t.Helper()
	var complaint bytes.Buffer
	cmd := exec.Command(filepath.Join("..", "..", "scripts", "python.sh"))
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scripts/python.sh: %v\n%s", err, complaint.String())
	}
	return strings.TrimSpace(string(out))
}
