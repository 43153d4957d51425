package disk

import (
	"bytes"
	"io"
	"os"
	"testing"
	"unsafe"

	"holdfast/file"
)

// inMemory is a body of storage.InMemory.
type inMemory struct {
	io.ReadSeeker
	pieces [][]byte
}

func (m inMemory) Pieces() ([][]byte, bool) { return m.pieces, true }

// taking is a file system that writes at most some bytes uncached.
type taking struct {
	fileSystem
	most, taken int
}

func (t *taking) WriteUncached(f *os.File, blocks [][]byte) (n int, err error) {
	for _, b := range blocks {
		b = b[:min(len(b), t.most-n)]
		if _, err := t.Write(f, b); err != nil {
			return n, err
		}
		n += len(b)
	}
	t.taken += n
	return n, nil
}

// aligned returns n bytes at the beginning of a block of memory.
func aligned(n int) []byte {
	b := make([]byte, n+block)
	skip := (block - int(uintptr(unsafe.Pointer(&b[0]))%block)) % block
	b = b[skip : skip+n]
	for i := range b {
		b[i] = byte(i * i >> 8)
	}
	return b
}

// A client stores a part in pieces, of which some can't be written uncached, or the file system does not take them all:
// the part is whole.
func TestPartsAreWrittenUncached(t *testing.T) {
	all := aligned(6 * block)
	for name, test := range map[string]struct {
		lengths    []int
		most, want int
	}{
		"whole blocks":             {[]int{block, 2 * block}, 1 << 20, 3 * block},
		"with a rest":              {[]int{block, 2 * block, 100}, 1 << 20, 3 * block},
		"with a rest of its piece": {[]int{block, block + 100}, 1 << 20, 2 * block},
		"not after a rest":         {[]int{block, 100, 2 * block}, 1 << 20, block},
		"no block":                 {[]int{100, 200}, 1 << 20, 0},
		"a file system that can't": {[]int{block, 2 * block}, 0, 0},
		"one that takes some":      {[]int{block, 2 * block, 100}, 2 * block, 2 * block},
		"nothing":                  {nil, 1 << 20, 0},
	} {
		t.Run(name, func(t *testing.T) {
			files := &taking{fileSystem: osFiles{}, most: test.most}
			s, err := open(t.Context(), files, t.TempDir(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var pieces [][]byte
			n := 0
			for _, length := range test.lengths {
				pieces, n = append(pieces, all[n:n+length]), n+length
			}
			at := location("b", "parted")
			m, _ := begun(t, s, at)
			part, err := s.PutPart(t.Context(), at, m, 1, inMemory{bytes.NewReader(all[:n]), pieces}, int64(n))
			if err != nil {
				t.Fatal(err)
			}
			again, err := s.PutPart(t.Context(), at, m, 2, bytes.NewReader(all[:n]), int64(n))
			if err != nil || again.ETag != part.ETag {
				t.Errorf("tag %s, want %s, as by another way: %v", part.ETag, again.ETag, err)
			}
			if err := s.Complete(t.Context(), at, m, []file.Part{part, again}); err != nil {
				t.Fatal(err)
			}
			b, err := content(t, s, at)
			if want := append(bytes.Clone(all[:n]), all[:n]...); err != nil || !bytes.Equal(b, want) {
				t.Errorf("%d bytes, want %d: %v", len(b), len(want), err)
			}
			if files.taken != test.want {
				t.Errorf("%d bytes were written uncached, want %d", files.taken, test.want)
			}
		})
	}
}

// A small object is likely to be read soon: it stays in the page cache.
func TestObjectsAreWrittenCached(t *testing.T) {
	files := &taking{fileSystem: osFiles{}, most: 1 << 20}
	s, err := open(t.Context(), files, t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := aligned(2 * block)
	body := inMemory{bytes.NewReader(b), [][]byte{b}}
	if _, err := s.Put(t.Context(), location("b", "whole"), "x/y", body, int64(len(b))); err != nil || files.taken != 0 {
		t.Errorf("%d bytes were written uncached: %v", files.taken, err)
	}
}

// What was written uncached is in the file, wherever the tests' folder is: whole blocks, blocks
// that do not begin at one, and more pieces than one call takes.
func TestWriteUncached(t *testing.T) {
	b := aligned(8 * block)
	many := make([][]byte, 0, 1500)
	for range cap(many) {
		many = append(many, b[:block])
	}
	for name, blocks := range map[string][][]byte{
		"nothing": nil, "whole": {b[:2*block], b[4*block:]}, "beside a block": {b[:block], b[100 : 100+block]}, "many": many,
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			n, err := osFiles{}.WriteUncached(f, blocks)
			if err != nil {
				t.Fatal(err)
			}
			for _, rest := range behind(blocks, n) {
				if _, err := f.Write(rest); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, bytes.Join(blocks, nil)) {
				t.Errorf("%d bytes, %d of them uncached: %v", len(got), n, err)
			}
			t.Logf("%d bytes were written uncached", n)
		})
	}
}
