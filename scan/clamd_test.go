package scan

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/clamtest"
	"holdfast/internal/test/testproc"
)

// answering is a clamd that gives the same answer for every file, after it has received all of it.
func answering(t *testing.T, says string) string {
	t.Helper()
	return testproc.Listen(t, func(c net.Conn) {
		io.CopyN(io.Discard, c, int64(len("zINSTREAM\x00")))
		for n := uint32(1); n > 0; {
			if binary.Read(c, binary.BigEndian, &n) != nil {
				return
			}
			io.CopyN(io.Discard, c, int64(n))
		}
		io.WriteString(c, says)
	})
}

// An OK is not believed if clamd did not take all bytes.
func TestVerdictBeforeTheEnd(t *testing.T) {
	at := testproc.Listen(t, func(c net.Conn) {
		io.CopyN(io.Discard, c, int64(len("zINSTREAM\x00")))
		io.WriteString(c, "stream: OK\x00") // and it closes the connection, on which bytes are still to be read
	})
	const size = 64 << 20
	if err := New(at, Settings{}).Scan(t.Context(), io.LimitReader(zeros{}, size), size); !errors.Is(err,
		file.ErrScanner) {
		t.Error(err)
	}
}

// Only a single verdict of clamd counts; nothing else is taken for "clean".
func TestVerdicts(t *testing.T) {
	for says, want := range map[string]error{
		"stream: OK\x00":                                           nil, // with AlgorithmicDetection off
		"stream: Eicar FOUND\x00":                                  file.ErrInfected,
		"stream: Heuristics.Limits.Exceeded FOUND\x00":             file.ErrUnscannable,
		"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\x00": file.ErrUnscannable,
		"INSTREAM size limit exceeded. ERROR\x00":                  file.ErrUnscannable,
		"stream: OK\x00stream: X FOUND\x00":                        file.ErrScanner,
		"stream: X FOUND\x00stream: OK\x00":                        file.ErrScanner,
		"stream: Can't allocate memory ERROR\x00":                  file.ErrScanner,
		"UNKNOWN COMMAND\x00":                                      file.ErrScanner,
		"":                                                         file.ErrScanner,
		"stream: OK, but I am not sure\x00":                        file.ErrScanner,
		"stream: OK":                                               file.ErrScanner, // of "OK.Trojan FOUND", maybe
		"stream: X FOUND":                                          file.ErrScanner,
		"stream: OK\n":                                             file.ErrScanner,
	} {
		err := New(answering(t, says), Settings{}).Scan(t.Context(), strings.NewReader("abc"), 3)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: %v, want %v", says, err, want)
		}
	}
	if err := New("127.0.0.1:1", Settings{}).Scan(t.Context(), strings.NewReader("abc"), 3); !errors.Is(err,
		file.ErrScanner) || !errors.Is(err, file.ErrUnavailable) {
		t.Errorf("without clamd: %v", err)
	}
	at := answering(t, "stream: OK\x00")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(at, Settings{}).Scan(ended, strings.NewReader("abc"), 3); err == nil {
		t.Error("when all is to end, a file is clean")
	}
	if err := New(at, Settings{MaxTime: 1}).Scan(t.Context(), strings.NewReader("abc"), 3); !errors.Is(err,
		file.ErrUnscannable) {
		t.Errorf("an OK that took too long: %v", err)
	}
	broken := io.MultiReader(strings.NewReader("abc"), failing{file.ErrStorageRead})
	if err := New(at, Settings{}).Scan(t.Context(), broken, 30); !errors.Is(err, file.ErrStorageRead) || errors.Is(err,
		file.ErrScanner) {
		t.Errorf("a store that fails: %v", err)
	}
	if err := New(at, Settings{MaxSize: 100}).Scan(t.Context(), bytes.NewReader(make([]byte, 101)), 101); !errors.Is(err,
		file.ErrUnscannable) {
		t.Errorf("longer than what is believed: %v", err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// A real clamd answers OK for files over its limits, unless it is set to report them: neither is taken for clean. It
// is probed once for files of a length.
func TestHowMuchIsLookedAt(t *testing.T) {
	const limit = 1 << 20
	for name, settings := range map[string][]string{
		"MaxFileSize":     {"MaxFileSize 1M", "AlertExceedsMax no"},
		"MaxScanSize":     {"MaxScanSize 1M", "AlertExceedsMax no"},
		"AlertExceedsMax": {"MaxFileSize 1M", "AlertExceedsMax yes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := clamtest.Start(t, 8<<20, settings...)
			c := New(s.Address, Settings{})
			scan := func(content []byte) error { return c.Scan(t.Context(), bytes.NewReader(content), int64(len(content))) }
			for _, size := range []int{0, 1, 1000, limit - 1} {
				if err := scan(bytes.Repeat([]byte("a"), size)); err != nil {
					t.Errorf("%d bytes: %v", size, err)
				}
			}
			if err := scan(append(bytes.Repeat([]byte(" "), limit/2), clamtest.EICAR...)); !errors.Is(err, file.ErrInfected) {
				t.Errorf("harmful: %v", err)
			}
			for _, size := range []int{limit + 1, 5 << 20, 9 << 20} { // the last one is over StreamMaxLength
				for _, begin := range []string{"", clamtest.EICAR} {
					if err := scan(append([]byte(begin), make([]byte, size-len(begin))...)); !errors.Is(err, file.ErrUnscannable) {
						t.Errorf("%d bytes of %q and zeros: %v", size, begin, err)
					}
				}
			}
			if c.provenSize != limit-1 {
				t.Errorf("it is believed to look at %d bytes", c.provenSize)
			}
			c.provenAt = time.Now().Add(-2 * provenFor) // the result of a probe expires
			if err := scan([]byte("a")); err != nil || c.provenSize >= limit-1 {
				t.Errorf("asked anew: %v, %d bytes", err, c.provenSize)
			}
		})
	}
	t.Run("AlgorithmicDetection", func(t *testing.T) {
		s := clamtest.Start(t, 8<<20, "AlgorithmicDetection no")
		c := New(s.Address, Settings{MaxSize: limit})
		for size, want := range map[int]error{limit: nil, limit + 1: file.ErrUnscannable} {
			if err := c.Scan(t.Context(), bytes.NewReader(make([]byte, size)), int64(size)); !errors.Is(err, want) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	})
}
