package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/test/badline"
)

// "-" is standard input and output, over a line that breaks, too.
func TestCommandsReadAndWriteStreams(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	p.line.Spoil(badline.Both, badline.Fault{Limit: 7_000_000})
	pipe := func(in []byte, args ...string) says {
		t.Helper()
		cmd, out, errs := p.command(args...)
		cmd.Stdin = bytes.NewReader(in)
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return says{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	}
	// Nothing, some bytes, exactly one request's, and several requests'.
	for _, size := range []int{0, 5, 8 << 20, 19 << 20} {
		content := random(size)
		sent := pipe(content, "upload", "-q", "--name", "log.txt", "-")
		if sent.status != 0 || sent.errors != "" {
			t.Fatalf("%d bytes: %+v", size, sent)
		}
		url := strings.TrimSpace(sent.out)
		head := p.do(t, "HEAD", p.direct(url), nil, "Authorization: Bearer "+p.token)
		if !strings.Contains(head.header.Get("Content-Disposition"), "log.txt") ||
			!strings.HasPrefix(head.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%d bytes: %v", size, head.header)
		}
		if got := pipe(nil, "download", "-q", "-o", "-", url); got.status != 0 || got.out != string(content) ||
			got.errors != "" {
			t.Errorf("%d bytes: status %d, %d bytes came: %s", size, got.status, len(got.out), got.errors)
		}
	}
	if _, err := os.Stat(filepath.Join(p.dir, "-")); err == nil {
		t.Error(`a file is called "-"`)
	}
	if p.unfinished() != 0 {
		t.Error("an upload of a stream is stored, as if another process could go on with it")
	}
	for _, c := range [][]string{{"upload", "-", "-"}, {"download", "-o", "-", "x", "y"}} {
		if got := p.runs(c...); got.status != 2 {
			t.Errorf("%q: %+v", c, got)
		}
	}
}

// Ctrl-C ends a command whose standard input gives nothing.
func TestInterruptWhileTheStreamWaits(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	cmd, _, errs := p.command("upload", "-")
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	io.WriteString(in, "some")
	p.eventually("the upload was created", func() bool {
		log, _ := os.ReadFile(p.log)
		return bytes.Contains(log, []byte("method=POST route=/tus/ "))
	})
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 130 || strings.Contains(errs.String(), "the same command") {
		t.Errorf("status %d: %s", status, errs.String())
	}
}

// Names that the file system takes come and go: the longest, and bytes that are not UTF-8.
func TestNamesOfFilesOnTheCommandLine(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	for _, name := range []string{strings.Repeat("a", 251) + ".txt", strings.Repeat("b", 242) + ".txt",
		strings.Repeat("文", 83) + ".txt",
		"a,b c.txt", "-dash.txt"} {
		p.write(name, []byte(name))
		sent := p.runs("upload", "-q", "--", name)
		if sent.status != 0 {
			t.Errorf("%q: %+v", name, sent)
			continue
		}
		os.Remove(filepath.Join(p.dir, name))
		if got := p.runs("download", "-q", strings.TrimSpace(sent.out)); got.status != 0 {
			t.Errorf("%q: %+v", name, got)
		} else {
			p.holds(strings.TrimSpace(got.out), []byte(name))
		}
	}
	const folder, name = "out\xe9", "Mu\xf1oz.txt"
	if err := os.Mkdir(filepath.Join(p.dir, folder), 0o700); err != nil {
		t.Skipf("this file system takes UTF-8 only: %v", err)
	}
	p.write(name, []byte("hola"))
	sent := p.runs("upload", "-q", name)
	url := strings.TrimSpace(sent.out)
	if sent.status != 0 || p.do(t, "GET", p.direct(url), nil, "Authorization: Bearer "+p.token).status != http.StatusOK {
		t.Fatalf("%+v", sent)
	}
	for _, args := range [][]string{{"-o", folder}, {"--output=" + folder + "/x.txt"}} {
		got := p.runs(append([]string{"download", "-q", url}, args...)...)
		if got.status != 0 || !strings.HasPrefix(got.out, folder+"/") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	p.holds(folder+"/x.txt", []byte("hola"))
}

// A long name's part is found again, and lies beside the names of other files.
func TestPartOfALongName(t *testing.T) {
	t.Parallel()
	p := newPerson(t)
	content := random(20 << 20)
	name := strings.Repeat("a", 251) + ".txt"
	p.write("short", content)
	url := strings.TrimSpace(p.runs("upload", "short").out)
	p.line.Spoil(badline.Down, badline.Fault{Rate: 4_000_000})
	cmd, _, _ := p.command("download", "-o", name, url)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.eventually("a part has come", func() bool {
		parts, _ := filepath.Glob(filepath.Join(p.dir, "aaa*.part"))
		if len(parts) != 1 {
			return false
		}
		info, err := os.Stat(parts[0])
		return err == nil && info.Size() > 1<<20
	})
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	p.line.Mend()
	if got := p.runs("download", "-q", "-o", name, url); got.status != 0 {
		t.Fatalf("%+v", got)
	}
	p.holds(name, content)
	log, _ := os.ReadFile(p.log)
	if !bytes.Contains(log, []byte("status=206")) {
		t.Error("the download began anew")
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, "*.part*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
