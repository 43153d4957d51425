package e2e

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What was acknowledged survives a power cut. kill -9 can't show that, since the kernel keeps what a killed process
// wrote. So this test reads the system calls of the real program. Before an answer is sent, the file system is flushed
// after the last write to the store, then the row is written, then the database's log is flushed.
func TestFlushBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"on", "off"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, "EMBEDDED_SYNC="+setting)
			s.trace()
			s.launch()
			said := s.acknowledged(t)
			s.stop()
			s.eventually("the trace is complete", func() bool { return len(s.calls(t).answers()) >= len(said) })
			all := s.calls(t)
			for _, a := range said {
				err := all.durable(s.data, a)
				var want error
				if setting == "off" && a.stored { // then the test notices that nothing is flushed
					want = errNoFlush
				}
				if !errors.Is(err, want) {
					t.Errorf("%s: %v, expected: %v", a.what, err, want)
				}
			}
		})
	}
}

// acknowledgement is an answer after which a client may forget bytes.
type acknowledgement struct {
	what   string
	id     string // of its request
	stored bool   // the request had bytes for the store
}

// acknowledged sends files in every possible way.
func (s *server) acknowledged(t *testing.T) (all []acknowledgement) {
	t.Helper()
	keep := func(what string, a answer, want int, stored bool) answer {
		t.Helper()
		if a.status != want {
			t.Fatalf("%s: %v", what, a)
		}
		all = append(all, acknowledgement{what, a.header.Get("X-Request-Id"), stored})
		return a
	}
	size := func(n int) string { return fmt.Sprint("Upload-Length: ", n) }
	for _, file := range []struct {
		what   string
		chunks []int
	}{{"a small file", []int{100000, 200000}}, {"a large file", []int{9 * mebi, 1, 8 * mebi}}} {
		total := 0
		for _, n := range file.chunks {
			total += n
		}
		a := keep("an empty upload of "+file.what, s.do(t, "POST", "/files/tus/", nil, size(total)), http.StatusCreated,
			false)
		at, offset := a.header.Get("Location"), 0
		for i, n := range file.chunks {
			keep(fmt.Sprintf("chunk %d of %s", i, file.what), s.patch(t, at, offset, random(n)), http.StatusNoContent, true)
			offset += n
		}
	}
	keep("a file with its creation", s.do(t, "POST", "/files/tus/", random(mebi), octets, size(mebi)), http.StatusCreated,
		true)
	keep("the first bytes with the creation", s.do(t, "POST", "/files/tus/", random(mebi), octets, size(2*mebi)),
		http.StatusCreated, true)
	_, form := s.sendForm(t, "a.bin", "application/octet-stream", random(300000))
	keep("a form", form, http.StatusOK, true)
	keep("a final upload", s.final(t, s.partial(t, random(6*mebi)), s.partial(t, random(1000))), http.StatusCreated, true)
	return all
}

// trace runs the program under strace, which records its writes to files and sockets, and its flushes.
func (s *server) trace() {
	s.t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		s.t.Fatalf("%v: scripts/deps.sh installs it", err)
	}
	// -D: the process that the test starts and stops is the program itself.
	s.within = []string{strace, "-D", "-f", "-y", "-s", "1500", "--seccomp-bpf", "-o", filepath.Join(s.folder, "trace"),
		"-e", "trace=fsync,fdatasync,syncfs,write,pwrite64,writev,pwritev,copy_file_range," +
			"sendfile,splice,rename,renameat,renameat2,link,linkat"}
}

// systemCall is one call, from the line of the trace at which it began to the line at which it had returned.
type systemCall struct {
	name, text string
	begin, end int
}

type systemCalls []systemCall

var traceLine = regexp.MustCompile(`^(\d+) +(<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$`)

// calls parses the trace. strace prints a call before it is made and after it has returned, in one line if nothing
// else was printed in between; so if the lines of two calls don't overlap, the first ended before the second began.
func (s *server) calls(t *testing.T) (all systemCalls) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.folder, "trace"))
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]int{} // by thread: the index in all of the call that has not returned
	for i, line := range strings.Split(string(b), "\n") {
		m := traceLine.FindStringSubmatch(line)
		if m == nil {
			continue // a signal, or a thread's end
		}
		thread, resumed, name, text := m[1], m[2] != "", m[3], m[4]
		if at, ok := open[thread]; ok && resumed {
			all[at].end, all[at].text = i, all[at].text+text
			delete(open, thread)
			continue
		}
		c := systemCall{name: name, text: text, begin: i, end: i}
		if strings.HasSuffix(text, "<unfinished ...>") {
			open[thread], c.end = len(all), math.MaxInt
		}
		all = append(all, c)
	}
	return all
}

func (c systemCall) succeeded() bool { return strings.HasSuffix(c.text, "= 0") }

// answers returns the writes that begin the service's answers.
func (all systemCalls) answers() (found systemCalls) {
	for _, c := range all {
		if strings.HasPrefix(c.name, "write") && strings.Contains(c.text, `"HTTP/1.1 `) &&
			strings.Contains(c.text, `\r\nX-Request-Id: `) {
			found = append(found, c)
		}
	}
	return found
}

// The steps that may be missing before an answer.
var (
	errNoFlush = errors.New("what the store wrote was not flushed before the row was written, or the answer")
	errNoRow   = errors.New("the row was not flushed before the answer")
)

// durable checks the order that makes an answer true: the store's last write, a flush of its file system, a row, a
// flush of the database's log, the answer. Each begins after the previous one has ended.
func (all systemCalls) durable(data string, a acknowledgement) error {
	answers := all.answers()
	at := slices.IndexFunc(answers, func(c systemCall) bool {
		return strings.Contains(c.text,
			`\r\nX-Request-Id: `+a.id+`\r\n`)
	})
	if at < 0 || a.id == "" {
		return fmt.Errorf("the trace has no answer to %q", a.id)
	}
	answer, since := answers[at].begin, 0
	if at > 0 {
		since = answers[at-1].end
	}
	const never = -1
	stored, flushed, row, acknowledged := never, !a.stored, never, false
	for _, c := range all {
		if c.begin <= since || c.begin >= answer {
			continue
		}
		store := strings.Contains(c.text, data+"/store/")
		log := strings.Contains(c.text, data+"/holdfast.db-wal>")
		switch flush := strings.Contains(c.name, "sync"); {
		case store && !flush:
			stored, flushed, row, acknowledged = c.end, false, never, false
		case store && stored < c.begin && c.end < answer && c.succeeded():
			flushed = stored != never
		case log && !flush && flushed && row == never:
			row = c.end
		case log && flush && row != never && row < c.begin && c.end < answer && c.succeeded():
			acknowledged = true
		}
	}
	switch {
	case (stored != never) != a.stored:
		return fmt.Errorf("the store wrote something: %v; it should: %v", stored != never, a.stored)
	case !flushed:
		return errNoFlush
	case !acknowledged:
		return errNoRow
	}
	return nil
}
