package disk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"holdfast/file"
)

// writerFolder is the environment variable with the folder in which TestWriter writes, in a process of its own.
const writerFolder = "HOLDFAST_TEST_DISK_WRITER"

// TestWriter is not a test, but the process that TestKill kills. It prints what it begins and what it has done.
func TestWriter(t *testing.T) {
	dir := os.Getenv(writerFolder)
	if dir == "" {
		t.Skip("only for TestKill")
	}
	s := opened(t, dir, Options{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				at := location(fmt.Sprint("w-", w), fmt.Sprintf("%d-%d-%d", w, i, os.Getpid()))
				fmt.Println("begin", at.Bucket, at.Key)
				if err := writeOne(context.Background(), s, at, i%2 == 0); err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Println("done", at.Bucket, at.Key)
				if i%3 == 0 {
					fmt.Println("delete", at.Bucket, at.Key)
					if err := s.Delete(context.Background(), at); err != nil {
						fmt.Println("error", err)
					}
				}
			}
		})
	}
	writers.Wait()
}

// contentOf is the content of the object under a key.
func contentOf(key string) []byte { return bytes.Repeat([]byte(key+"\n"), 5000) }

func writeOne(ctx context.Context, s *Store, at file.Location, whole bool) error {
	b := contentOf(at.Key)
	if whole {
		_, err := s.Put(ctx, at, "x/y", bytes.NewReader(b), int64(len(b)))
		return err
	}
	m, err := s.BeginMultipart(ctx, at, "x/y", false)
	if err != nil {
		return err
	}
	var parts []file.Part
	for i, half := range [][]byte{b[:len(b)/2], b[len(b)/2:]} {
		p, err := s.PutPart(ctx, at, m, int32(i+1), bytes.NewReader(half), int64(len(half)))
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
	return s.Complete(ctx, at, m, parts)
}

// A writing process is killed at random moments, again and again. What it reported as done is there for the next
// process.
func TestKill(t *testing.T) {
	t.Parallel()
	dir, said := t.TempDir(), map[file.Location]string{}
	for range 15 {
		killed(t, dir, 20+rand.IntN(200), said)
		s := opened(t, dir, Options{})
		for at, last := range said {
			b, err := content(t, s, at)
			missing := errors.Is(err, file.ErrObjectMissing) && !errors.Is(err, file.ErrObjectChanged)
			if whole := err == nil && bytes.Equal(b, contentOf(at.Key)); !whole && (last == "done" || !missing) {
				t.Errorf("%s, %s: %d bytes, %v", at.Key, last, len(b), err)
			}
		}
		owned(t, s)
	}
}

// killed starts the writer, reads that many lines of its output, and kills it.
func killed(t *testing.T, dir string, lines int, said map[file.Location]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriter$")
	cmd.Env = append(os.Environ(), writerFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	// Read the rest of what it printed before it was killed.
	for in, n := bufio.NewScanner(out), 0; in.Scan(); n++ {
		if n == lines {
			cmd.Process.Kill()
		}
		what, rest, _ := strings.Cut(in.Text(), " ")
		bucket, key, ok := strings.Cut(rest, " ")
		if what == "error" || !ok {
			t.Errorf("the writer says: %s", in.Text())
			continue
		}
		said[location(bucket, key)] = what
	}
	cmd.Wait()
}
