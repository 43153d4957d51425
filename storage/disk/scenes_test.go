package disk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/file"
)

// play makes calls to a store and records what each has promised. So after any fault of the disk a test knows what
// must be there, and what may be there.
type play struct {
	ctx     context.Context
	s       *Store
	now     func() int // the current time, by which a crash is described
	tries   int        // how often a failing call is tried
	failed  []error
	again   []int // when calls succeeded that had failed before
	changes []change
	uploads []*begunUpload
}

// change is a call that wrote the object under a key, or deleted it.
type change struct {
	at           file.Location
	content      []byte
	deletes      bool
	began, ended int // ended is 0 if it did not succeed
}

// begunUpload is a multipart upload, and what is known about it.
type begunUpload struct {
	at          file.Location
	m           file.Multipart
	parts       []storedPart
	begun, ends int // when it was acknowledged, and when its end began; ends is 0 while it is open
}

type storedPart struct {
	file.Part
	content []byte
	ended   int
}

// call makes a call, with retries, and returns when it began and when it succeeded, or 0.
func (p *play) call(do func() error) (began, ended int) {
	began = p.now()
	for try := range max(p.tries, 1) {
		err := do()
		if err != nil {
			p.failed = append(p.failed, err)
			continue
		}
		if ended = p.now(); try > 0 {
			p.again = append(p.again, ended)
		}
		return began, ended
	}
	return began, 0
}

func (p *play) put(at file.Location, content string) (etag string) {
	c := change{at: at, content: []byte(content)}
	c.began, c.ended = p.call(func() (err error) {
		etag, err = p.s.Put(p.ctx, at, "x/y", bytes.NewReader(c.content), int64(len(content)))
		return err
	})
	p.changes = append(p.changes, c)
	return etag
}

func (p *play) copy(from file.Location, etag string, to file.Location, content string) {
	c := change{at: to, content: []byte(content)}
	c.began, c.ended = p.call(func() error { return p.s.Copy(p.ctx, from, etag, to, "x/y") })
	p.changes = append(p.changes, c)
}

func (p *play) remove(at file.Location) {
	c := change{at: at, deletes: true}
	c.began, c.ended = p.call(func() error { return p.s.Delete(p.ctx, at) })
	p.changes = append(p.changes, c)
}

func (p *play) begin(at file.Location) *begunUpload {
	u := &begunUpload{at: at}
	_, u.begun = p.call(func() (err error) {
		u.m, err = p.s.BeginMultipart(p.ctx, at, "x/y", false)
		return err
	})
	p.uploads = append(p.uploads, u)
	return u
}

func (p *play) part(u *begunUpload, number int32, content string) {
	part := storedPart{content: []byte(content)}
	_, part.ended = p.call(func() (err error) {
		body := inMemory{bytes.NewReader(part.content), [][]byte{part.content}}
		part.Part, err = p.s.PutPart(p.ctx, u.at, u.m, number, body, int64(len(content)))
		return err
	})
	u.parts = append(u.parts, part)
}

func (p *play) copyPart(u *begunUpload, number int32, from file.Location, etag, content string) {
	part := storedPart{content: []byte(content)}
	_, part.ended = p.call(func() (err error) {
		part.Part, err = p.s.CopyPart(p.ctx, from, etag, 0, int64(len(content)), u.at, u.m, number)
		return err
	})
	u.parts = append(u.parts, part)
}

// complete completes an upload with its first n parts.
func (p *play) complete(u *begunUpload, n int) {
	u.ends = cmp.Or(u.ends, p.now())
	parts, content := u.before(n, 1<<30)
	c := change{at: u.at, content: content}
	c.began, c.ended = p.call(func() error { return p.s.Complete(p.ctx, u.at, u.m, parts) })
	p.changes = append(p.changes, c)
}

func (p *play) abort(u *begunUpload) {
	u.ends = p.now()
	p.call(func() error { return p.s.Abort(p.ctx, u.at, u.m.ID) })
}

// before returns the first n parts that were acknowledged before a time, and their bytes.
func (u *begunUpload) before(n int, time int) (parts []file.Part, content []byte) {
	byNumber := map[int32]storedPart{}
	for _, p := range u.parts {
		if p.ended != 0 && p.ended <= time {
			byNumber[p.Number] = p
		}
	}
	for _, number := range slices.Sorted(maps.Keys(byNumber)) {
		if len(parts) < n {
			parts, content = append(parts, byNumber[number].Part), append(content, byNumber[number].content...)
		}
	}
	return parts, content
}

// location is an object in one of two buckets.
func location(bucket, key string) file.Location { return file.Location{Bucket: bucket, Key: key} }

// everything makes every call that writes, on keys that are new, that are replaced, and that were deleted.
func (p *play) everything() {
	one, parted, tail := location("a-1", "one"), location("a-1", "objects/ab/1"), location("b-2", "tails/ab/1-1")
	p.put(one, "the first")
	p.put(tail, "")
	etag := p.put(one, "another in its place")
	first := p.begin(parted)
	two := strings.Repeat("two ", block/4) + "blocks"
	p.part(first, 2, two)
	p.part(first, 1, "one ")
	p.part(first, 2, two) // a second time
	p.part(first, 9, "not used")
	p.complete(first, 2)
	p.complete(first, 2)
	aborted := p.begin(parted)
	p.part(aborted, 1, "aborted")
	p.abort(aborted)
	second := p.begin(parted)
	p.copyPart(second, 1, one, etag, "another")
	p.part(second, 2, " with a copy")
	p.complete(second, 2)
	p.copy(one, etag, location("b-2", "copy"), "another in its place")
	p.remove(one)
	p.put(one, "the third")
	p.remove(tail)
	goesOn := p.begin(location("b-2", "goes on"))
	p.part(goesOn, 1, "first, ")
	p.part(goesOn, 2, "second")
	p.remove(parted)
}

// may returns the contents that an object may have after a crash at a time, and whether it may be missing.
func (p *play) may(at file.Location, time int) (contents [][]byte, missing bool) {
	missing = true
	for _, c := range p.changes {
		switch {
		case c.at != at || c.began > time:
		case c.deletes:
			missing = true
		case c.ended != 0 && c.ended <= time:
			contents, missing = [][]byte{c.content}, false
		default:
			contents = append(contents, c.content)
		}
	}
	return contents, missing
}

// check checks a store that was opened after a crash at a time: what was promised is there, every object is whole,
// every upload can be continued, and every file belongs to something.
func (p *play) check(t *testing.T, s *Store, time int) {
	t.Helper()
	p.objects(t, s, time)
	owned(t, s)
	for _, u := range p.uploads {
		if u.begun == 0 || u.begun > time || u.ends != 0 && u.ends <= time {
			continue
		}
		parts, want := u.before(10, time)
		if len(parts) == 0 {
			continue
		}
		if err := s.Complete(t.Context(), u.at, u.m, parts); err != nil {
			t.Errorf("the upload of %s does not go on: %v", u.at.Key, err)
		} else if b, err := content(t, s, u.at); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s, completed: %q %v, want %q", u.at.Key, b, err, want)
		}
	}
}

// objects checks the objects that a store has after a crash at a time.
func (p *play) objects(t *testing.T, s *Store, time int) {
	t.Helper()
	seen := map[file.Location]bool{}
	for _, c := range p.changes {
		if seen[c.at] {
			continue
		}
		seen[c.at] = true
		contents, missing := p.may(c.at, time)
		b, err := content(t, s, c.at)
		if errors.Is(err, file.ErrObjectMissing) && !errors.Is(err, file.ErrObjectChanged) && missing {
			continue
		}
		if err != nil || !slices.ContainsFunc(contents, func(c []byte) bool { return bytes.Equal(b, c) }) {
			t.Errorf("%s: %q %v, want one of %q, or none: %v", c.at.Key, b, err, contents, missing)
		}
	}
}

// owned fails if a file belongs neither to an object nor to an unfinished upload.
func owned(t *testing.T, s *Store) {
	t.Helper()
	owners := map[string]bool{}
	for _, path := range append(matching(t, s.dataDir, "buckets/*/objects/*/*"),
		matching(t, s.dataDir, "buckets/*/uploads/*")...) {
		r, err := s.recordAt(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		owners[r.Upload] = true
	}
	for _, folder := range matching(t, s.dataDir, "buckets/*/parts/*") {
		if names, err := os.ReadDir(folder); !owners[filepath.Base(folder)] {
			t.Errorf("%s belongs to nothing: %v %v", folder, names, err)
		}
	}
	for _, pattern := range []string{"tmp/*", "buckets/*/trash/*"} {
		if left := matching(t, s.dataDir, pattern); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}
