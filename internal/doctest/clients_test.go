package doctest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/test/s3test"
	"holdfast/internal/test/testproc"
)

// most is how many bytes a connection carries, and film is the length of the file, in bytes: every client of
// docs/CLIENTS.md has to resume several times. web-example/test/clients.test.mjs does the same to those that run in a
// browser.
const (
	most = 4_000_000
	film = 20_000_000
)

// client runs the snippet of that name in a folder with film.mp4 and photo.jpg. Snippets that only download get the
// URL of a file; the others return the URL of the film that they uploaded.
type client struct {
	name string
	run  func(t *testing.T, s service, dir, file string) string
}

func uploaders() []client {
	return []client{{"holdfast", inShell("holdfast")}, {"curl", inShell("curl")}, {"python", inPython}, {"go", inGo},
		{"go package", inGoPackage}, {"deferred", uploading("deferred")}, {"concat", uploading("concat")},
		{"ietf", uploading("ietf")}}
}

func downloaders() []client { return []client{{"wget", inShell("wget")}, {"aria2", inShell("aria2")}} }

func TestClients(t *testing.T) {
	s := startBehindBadLine(t, most)
	content := randomContent(film)
	python(t) // install it once, for all tests
	stored := make(chan string, len(uploaders()))
	t.Run("upload", func(t *testing.T) {
		for _, c := range uploaders() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel() // clients wait before they retry
				dir := folder(t, content)
				stored <- c.run(t, s, dir, "")
				same(t, dir, content)
			})
		}
	})
	if len(stored) == 0 {
		t.Fatal("nothing was uploaded")
	}
	file := <-stored
	for _, c := range downloaders() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.run(t, s, dir, file)
			same(t, dir, content)
		})
	}
	t.Run("python again", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, content)
		first := inPython(t, s, dir, "")
		// A second run neither sends nor fetches the file again.
		if second := inPython(t, s, dir, ""); second != first {
			t.Errorf("the second time it was %s, not %s", second, first)
		}
		same(t, dir, content)
	})
	t.Run("form", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, content)
		first, second := shell(t, s, dir, "form"), shell(t, s, dir, "form")
		if first != second || !strings.Contains(first, s.url+"/") {
			t.Errorf("%s, then %s", first, second)
		}
	})
	t.Run("link", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, content)
		small := s.run(t, dir, []string{"HOLDFAST_URL=" + s.url, "HOLDFAST_TOKEN=" + s.token}, "sh", "-c",
			"holdfast upload -q photo.jpg")
		shell(t, s, dir, "link", "FILE="+strings.TrimSpace(small))
		same(t, dir, content[:1000])
	})
}

// curl sends a file by the IETF's protocol over a connection that is cut again and again, and a small one as a plain
// upload.
func TestClientsWithoutTus(t *testing.T) {
	s := startBehindBadLine(t, most)
	content := randomContent(film)
	dir := folder(t, content)
	if told := shell(t, s, dir, "plain"); !strings.Contains(told, s.url+"/") {
		t.Error(told)
	}
	s.run(t, dir, []string{"HOLDFAST_URL=" + s.url, "HOLDFAST_TOKEN=" + s.token}, "sh", "-c",
		`holdfast download -q -o copy.mp4 "$0"`, inShell("draft")(t, s, dir, ""))
	same(t, dir, content)
}

// A shell sends the parts of a file straight to the store.
func TestClientToTheStore(t *testing.T) {
	store := s3test.Start(t)
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, port, fmt.Sprintf("http://127.0.0.1:%d/files", port), "STORAGE_TYPE=s3", "S3_ENDPOINT="+store.Endpoint,
		"S3_REGION="+store.Region, "S3_ACCESS_KEY="+store.AccessKey, "S3_SECRET_KEY="+store.SecretKey, "UPLOAD_DIRECT=on")
	s.token = s.tokenFor(t, 1)
	content := randomContent(film)
	dir := folder(t, content)
	s.run(t, dir, []string{"HOLDFAST_URL=" + s.url, "HOLDFAST_TOKEN=" + s.token}, "sh", "-c",
		`holdfast download -q -o copy.mp4 "$0"`, inShell("direct")(t, s, dir, ""))
	same(t, dir, content)
}

func randomContent(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// folder returns a folder with film.mp4 with that content and photo.jpg with its first 1000 bytes.
func folder(t *testing.T, content []byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range map[string][]byte{"film.mp4": content, "photo.jpg": content[:1000]} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// same compares copy.mp4 with the expected content.
func same(t *testing.T, dir string, content []byte) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(dir, "copy.mp4")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came, of %d, or others (%v)", len(got), len(content), err)
	}
}

// shell runs a snippet in bash and returns its output, followed by a line with the value of FILE.
func shell(t *testing.T, s service, dir, name string, env ...string) string {
	t.Helper()
	script := strings.Join(snippets(t, "docs/CLIENTS.md", name), "")
	return s.run(t, dir, env, "bash", "-c", "set -euo pipefail\n"+script+"\necho \"FILE=${FILE-}\"")
}

func inShell(name string) func(t *testing.T, s service, dir, file string) string {
	return func(t *testing.T, s service, dir, file string) string {
		t.Helper()
		said := shell(t, s, dir, name, "FILE="+file)
		return said[strings.LastIndex(said, "FILE=")+len("FILE=") : len(said)-1]
	}
}

// uploading runs a snippet that only uploads, and downloads its file with wget's snippet.
func uploading(name string) func(t *testing.T, s service, dir, file string) string {
	return func(t *testing.T, s service, dir, _ string) string {
		t.Helper()
		stored := inShell(name)(t, s, dir, "")
		inShell("wget")(t, s, dir, stored)
		return stored
	}
}

func inPython(t *testing.T, s service, dir, _ string) string {
	t.Helper()
	write(t, dir, "transfer.py", strings.Join(snippets(t, "docs/CLIENTS.md", "python"), ""))
	return strings.TrimSpace(s.run(t, dir, nil, python(t), "transfer.py", "film.mp4", "copy.mp4"))
}

func inGo(t *testing.T, s service, dir, _ string) string {
	t.Helper()
	write(t, dir, "transfer.go", strings.Join(snippets(t, "docs/CLIENTS.md", "go"), ""))
	home, err := os.UserHomeDir() // the compiler's cache
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, dir, []string{"HOME=" + home}, "go", "vet", "transfer.go")
	return strings.TrimSpace(s.run(t, dir, []string{"HOME=" + home}, "go", "run", "transfer.go", "film.mp4", "copy.mp4"))
}

// inGoPackage runs a program of another module that imports package client.
func inGoPackage(t *testing.T, s service, dir, _ string) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir() // the compiler's cache
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "main.go", strings.Join(snippets(t, "docs/CLIENTS.md", "go package"), ""))
	shell(t, s, dir, "go module", "HOLDFAST="+root, "HOME="+home)
	return strings.TrimSpace(s.run(t, dir, []string{"HOME=" + home}, "go", "run", ".", "film.mp4", "copy.mp4"))
}

// Every snippet is run by a test, and each one that the rate limit can refuse is also run under the limit.
func TestClientsAreAllRun(t *testing.T) {
	text := read(t, "docs/CLIENTS.md")
	ours, browsers := read(t, "internal/doctest/clients_test.go"), read(t, "web-example/test/clients.test.mjs")+
		read(t, "web-example/test/direct.test.mjs")
	limited := read(t, "internal/doctest/limits_test.go") + read(t, "web-example/test/limits.test.mjs")
	blocks := regexp.MustCompile("(?m)^(.*)\n```[a-z]+\n(.*)$").FindAllStringSubmatch(text, -1)
	for _, b := range blocks {
		name, marked := strings.CutPrefix(strings.TrimSuffix(b[1], " -->"), "<!-- test: ")
		switch {
		case marked && !strings.Contains(ours, `"`+name+`"`) && !strings.Contains(browsers, `'`+name+`'`):
			t.Errorf("no test runs %q", name)
		case !marked && !strings.HasPrefix(b[2], "export URL="): // the tests set these themselves
			t.Errorf("a block has no mark: %s ...", b[2])
		}
	}
	for _, name := range []string{"'tus-js-client'", "'uppy'", `"form"`, `"plain"`, `"draft"`, "uploaders()",
		"downloaders()"} {
		if !strings.Contains(limited, name) {
			t.Errorf("no test runs %s under the rate limit", name)
		}
	}
	if len(blocks) < 12 {
		t.Errorf("%d blocks", len(blocks))
	}
}

// The versions that docs/CLIENTS.md tells readers to install are the tested ones.
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

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// python returns an interpreter with the libraries of testdata/python.txt.
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
