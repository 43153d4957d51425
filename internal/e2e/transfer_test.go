package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/test/badline"
	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/testproc"
)

// person runs `holdfast upload` and `holdfast download` in a folder of their own, over a line to the server that can
// have faults.
type person struct {
	*server
	t    *testing.T
	dir  string
	line *badline.Line
}

func newPerson(t *testing.T, env ...string) *person {
	t.Helper()
	s := newServer(t, env...)
	line := badline.New(t, fmt.Sprintf("127.0.0.1:%d", s.port))
	s.env = append(s.env, "PUBLIC_URL=http://"+line.Addr()+"/files")
	s.launch()
	return &person{s, t, testproc.TempFolder(t, "holdfast-person"), line}
}

// says is the output of a command.
type says struct {
	status      int
	out, errors string
}

func (p *person) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	cmd := exec.Command(binary, args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"HOME=" + p.dir, "PATH=" + os.Getenv("PATH"), holdfasttest.RaceSettings,
		"HOLDFAST_URL=http://" + p.line.Addr() + "/files", "HOLDFAST_TOKEN=" + p.token}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return cmd, &out, &errs
}

func (p *person) runs(args ...string) says {
	p.t.Helper()
	cmd, out, errs := p.command(args...)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return says{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func (p *person) write(name string, content []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), content, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) holds(name string, want []byte) {
	p.t.Helper()
	got, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil || !bytes.Equal(got, want) {
		p.t.Errorf("%s holds %d bytes, of %d, or others (%v)", name, len(got), len(want), err)
	}
	for _, left := range []string{".part", ".part.etag"} {
		if _, err := os.Stat(filepath.Join(p.dir, name+left)); err == nil {
			p.t.Errorf("%s%s is left", name, left)
		}
	}
}

// direct is a URL that does not lead over the person's line.
func (p *person) direct(url string) string {
	return strings.Replace(strings.TrimSpace(url), p.line.Addr(), fmt.Sprintf("127.0.0.1:%d", p.port), 1)
}

// unfinished counts the uploads that were noted and not forgotten.
func (p *person) unfinished() int {
	noted, _ := os.ReadDir(filepath.Join(p.dir, ".local/state/holdfast/uploads"))
	return len(noted)
}

func TestCommandsSendAndFetchFiles(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	contents := map[string][]byte{"empty.txt": {}, "größe 1.png": random(1), "film.mp4": random(21 << 20),
		"notes.md": []byte("# hello\n")}
	names := []string{"film.mp4", "empty.txt", "größe 1.png", "notes.md"}
	for name, b := range contents {
		p.write(name, b)
	}
	sent := p.runs(append([]string{"upload"}, names...)...)
	urls := strings.Fields(sent.out)
	if sent.status != 0 || len(urls) != len(names) || strings.Count(sent.errors, "done: ") != len(names) {
		t.Fatalf("%+v", sent)
	}
	if n := p.unfinished(); n != 0 {
		t.Errorf("%d uploads are still noted", n)
	}
	for i, url := range urls {
		if a := p.do(t, "GET", p.direct(url), nil, "Authorization: Bearer "+p.token); a.status != http.StatusOK ||
			!bytes.Equal(a.body, contents[names[i]]) {
			t.Errorf("%s: %d, %d bytes", names[i], a.status, len(a.body))
		}
	}

	if err := os.Mkdir(filepath.Join(p.dir, "here"), 0o700); err != nil {
		t.Fatal(err)
	}
	got := p.runs(append([]string{"download", "-q", "-o", "here"}, urls...)...)
	want := "here/film.mp4\nhere/empty.txt\nhere/größe_1.png\nhere/notes.md\n"
	if got.status != 0 || got.out != want || got.errors != "" {
		t.Fatalf("%+v, want %q", got, want)
	}
	for name, b := range contents {
		p.holds("here/"+strings.ReplaceAll(name, " ", "_"), b)
	}

	// An existing file is kept, or replaced with -f.
	p.write("here/notes.md", []byte("mine"))
	if again := p.runs("download", "-o", "here", urls[3]); again.status != 1 || !strings.Contains(again.errors,
		"exists already") {
		t.Errorf("%+v", again)
	}
	p.holds("here/notes.md", []byte("mine"))
	if again := p.runs("download", "-f", "-o", "here/notes.md", urls[3]); again.status != 0 ||
		again.out != "here/notes.md\n" {
		t.Errorf("%+v", again)
	}
	p.holds("here/notes.md", contents["notes.md"])
}

// interrupt starts a command over a slow line, and ends it with SIGINT when bytes have come through.
func (p *person) interrupt(t *testing.T, direction badline.Direction, came func() bool, args ...string) {
	t.Helper()
	p.line.Spoil(direction, badline.Fault{Rate: 4_000_000})
	defer p.line.Mend()
	cmd, _, errs := p.command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.eventually("bytes came through", came)
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 130 || !strings.Contains(errs.String(),
		"the same command goes on") {
		t.Fatalf("status %d: %s", status, errs.String())
	}
}

// notedOffset is the offset of the only upload that is noted, or "" if there is none.
func (p *person) notedOffset(t *testing.T) string {
	t.Helper()
	noted, _ := filepath.Glob(filepath.Join(p.dir, ".local/state/holdfast/uploads/*"))
	if len(noted) != 1 {
		return ""
	}
	url, _ := os.ReadFile(noted[0])
	return p.do(t, "HEAD", p.direct(string(url)), nil, "Authorization: Bearer "+p.token,
		"Tus-Resumable: 1.0.0").header.Get("Upload-Offset")
}

// After Ctrl-C in the middle, the same command resumes.
func TestCommandsGoOnAfterCtrlC(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	content := random(30 << 20)
	p.write("film.mp4", content)
	p.interrupt(t, badline.Up, func() bool {
		return p.unfinished() == 1 && p.metric("holdfast_upload_received_bytes_total") > 1<<20
	}, "upload", "film.mp4")
	if at := p.notedOffset(t); at == "" || at == "0" {
		t.Fatalf("the upload is at %q", at)
	}
	sent := p.runs("upload", "film.mp4")
	if sent.status != 0 || p.unfinished() != 0 {
		t.Fatalf("%+v", sent)
	}
	log, _ := os.ReadFile(p.log)
	if n := bytes.Count(log, []byte("method=POST route=/tus/ ")); n != 1 {
		t.Errorf("%d uploads were created", n)
	}

	url := strings.TrimSpace(sent.out)
	part := filepath.Join(p.dir, "copy.mp4.part")
	p.interrupt(t, badline.Down, func() bool {
		info, err := os.Stat(part)
		return err == nil && info.Size() > 1<<20
	}, "download", "-o", "copy.mp4", url)
	if got := p.runs("download", "-o", "copy.mp4", url); got.status != 0 || got.out != "copy.mp4\n" {
		t.Fatalf("%+v", got)
	}
	p.holds("copy.mp4", content)
	log, _ = os.ReadFile(p.log)
	if !bytes.Contains(log, []byte("status=206")) {
		t.Error("the download began anew")
	}
}

// A line that breaks again and again, and a server that dies, only delay a transfer.
func TestCommandsOverABadLine(t *testing.T) {
	p := newPerson(t)
	content := random(30 << 20)
	p.write("film.mp4", content)
	p.line.Spoil(badline.Both, badline.Fault{Limit: 7_000_000})
	sent := p.runs("upload", "-q", "film.mp4")
	if sent.status != 0 || sent.errors != "" {
		t.Fatalf("%+v", sent)
	}
	if got := p.runs("download", "-q", "-o", "copy.mp4", strings.TrimSpace(sent.out)); got.status != 0 ||
		got.errors != "" {
		t.Fatalf("%+v", got)
	}
	p.holds("copy.mp4", content)

	p.write("second.mp4", content)
	p.line.Mend()
	p.line.Spoil(badline.Up, badline.Fault{Rate: 8_000_000})
	cmd, out, errs := p.command("upload", "second.mp4")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.eventually("it is on its way", func() bool { return p.unfinished() == 1 })
	p.kill9()
	p.restart()
	p.line.Mend()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	a := p.do(t, "GET", p.direct(out.String()), nil, "Authorization: Bearer "+p.token)
	if a.status != http.StatusOK || !bytes.Equal(a.body, content) {
		t.Errorf("%d, %d bytes", a.status, len(a.body))
	}
}

func TestCommandsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "MAX_FILE_SIZE=1000")
	p.write("large", random(1001))
	p.write("small", random(10))
	if err := syscall.Mkfifo(filepath.Join(p.dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(p.runs("upload", "small").out)
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"upload"}, 2, "usage: holdfast upload FILE..."},
		{[]string{"upload", "-j", "0", "small"}, 2, "--parallel"},
		{[]string{"upload", "--url", "ftp://x", "small"}, 2, "HOLDFAST_URL must be an http or https URL"},
		{[]string{"upload", "--token", "a b", "small"}, 2, "HOLDFAST_TOKEN"},
		{[]string{"upload", "nowhere"}, 1, "no such file"},
		{[]string{"upload", "."}, 1, "not a regular file"},
		{[]string{"upload", "fifo"}, 1, "not a regular file"},
		{[]string{"upload", "--token", "wrong", "small"}, 3, "AUTH_001"},
		{[]string{"upload", "large"}, 3, "File size 1001 bytes exceeds limit 1000 bytes"},
		{[]string{"upload", "--url", "http://127.0.0.1:1/files", "--patience", "1s", "small"}, 4, "can't be reached"},
		{[]string{"download", "-o", "x", url, url}, 2, "must be a folder"},
		{[]string{"download", "-o", "x", "nonsense"}, 2, "no http or https URL"},
		{[]string{"download", "ftp://127.0.0.1/x"}, 2, "no http or https URL"},
		{[]string{"download", url, "http://"}, 2, "no http or https URL"},
		{[]string{"download", ""}, 2, "no http or https URL"},
		{[]string{"download", "http://a b/"}, 2, "no http or https URL"},
		{[]string{"download", "-o", "x", url + "0"}, 3, "404"},
		{[]string{"download", "-o", "x", "--token", "wrong", url}, 3, "401"},
		{[]string{"download", "-o", "nowhere/x", url}, 1, "no such file"},
		{[]string{"download", "-o", "x", "--patience", "1s", "http://127.0.0.1:1/files/x"}, 4, "can't be reached"},
	} {
		got := p.runs(c.args...)
		if got.status != c.status || !strings.Contains(got.errors, c.says) || got.out != "" {
			t.Errorf("%q: %+v, want %d and %q", c.args, got, c.status, c.says)
		}
	}
	// If one file fails, the others are still sent.
	mixed := p.runs("upload", "large", "small", "nowhere")
	if mixed.status != 3 || strings.Count(mixed.out, "\n") != 1 || strings.Count(mixed.errors, "holdfast: ") != 2 {
		t.Errorf("%+v", mixed)
	}
}
