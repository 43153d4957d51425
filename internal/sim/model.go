package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"holdfast/file"
)

// known is what the simulation knows about an upload from the executed commits.
type known struct {
	name    string
	size    int64
	sources []file.ID // of a final upload
	spans   []span    // the committed bytes, in order
	offset  int64
	epoch   int64 // of the newest lease
	numbers map[int32]bool
	deleted bool

	direct   bool
	puts     map[int32][]put // parts that the client of a direct upload has sent, by number
	recorded time.Time       // when the direct upload became a file
}

// span is a range of bytes that came with one request; until is its end.
type span struct {
	until int64
	key   uint64 // of its bytes: see fill
}

// request is in the context of a client's request.
type request struct {
	name  string
	key   uint64 // of the body's bytes
	wrong bool   // they have another checksum than declared
}

type requestKey struct{}

// contentKey returns the key of the bytes of a client's file, in one of its versions.
func contentKey(name string, version int) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, name, " ", version)
	return h.Sum64()
}

// fill writes the bytes of a key from a position on.
func fill(b []byte, key uint64, pos int64) {
	for len(b) > 0 {
		x := key + uint64(pos/8)*0x9e3779b97f4a7c15 // splitmix64
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
		n := 8
		if pos%8 == 0 && len(b) >= 8 { // nearly always
			binary.LittleEndian.PutUint64(b, x)
		} else {
			n = copy(b, binary.LittleEndian.AppendUint64(nil, x)[pos%8:])
		}
		b, pos = b[n:], pos+int64(n)
	}
}

// name returns a name for an upload that is the same in every run of a seed.
func (w *World) name(id file.ID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.known[id]; k != nil {
		return k.name
	}
	return ""
}

// content returns the expected committed bytes of an upload.
func (w *World) content(id file.ID, from, size int64) []byte {
	w.mu.Lock()
	k := w.known[id]
	w.mu.Unlock()
	if len(k.sources) > 0 {
		var all []byte
		for _, source := range k.sources {
			w.mu.Lock()
			n := w.known[source].offset
			w.mu.Unlock()
			all = append(all, w.content(source, 0, n)...)
		}
		return all[min(from, int64(len(all))):min(from+size, int64(len(all)))]
	}
	b, pos := make([]byte, size), from
	for _, s := range k.spans {
		if end := min(s.until, from+size); pos < end {
			fill(b[pos-from:end-from], s.key, pos)
			pos = end
		}
	}
	return b[:pos-from]
}

// CreateUpload also names the upload after its client.
func (r rows) CreateUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration) error {
	w, req := r.p.world, ctx.Value(requestKey{}).(*request)
	name := req.name
	if n := w.count("create " + name); n > 1 {
		name = fmt.Sprint(name, "+", n-1) // the client has started again
	}
	k := &known{name: name, size: u.Size, sources: u.Sources, numbers: map[int32]bool{}, epoch: u.Epoch,
		direct: u.Direct, puts: map[int32][]put{}}
	w.mu.Lock()
	w.known[u.ID] = k
	w.mu.Unlock()
	u.PartSize = w.plan.Part
	return tell(ctx, r, "CreateUpload", u.ID,
		func(ctx context.Context) error { return r.DB.CreateUpload(ctx, u, holder, lease) })
}

// TakeLease also checks that epochs increase.
func (r rows) TakeLease(ctx context.Context, id file.ID, holder string, ttl time.Duration) (*file.Upload, error) {
	return ask(ctx, r, "TakeLease", id, func(ctx context.Context) (*file.Upload, error) {
		u, err := r.DB.TakeLease(ctx, id, holder, ttl)
		if err == nil && u != nil {
			r.p.world.change(id, func(k *known) string {
				if u.Epoch <= k.epoch || k.deleted {
					return fmt.Sprintf("the lease %d was given after the lease %d, deleted %t", u.Epoch, k.epoch, k.deleted)
				}
				k.epoch = u.Epoch
				return ""
			})
		}
		return u, err
	})
}

// TakePart also checks that no number is used twice.
func (r rows) TakePart(ctx context.Context, f file.Fence, size int64) (int32, error) {
	return ask(ctx, r, "TakePart", f.ID, func(ctx context.Context) (int32, error) {
		n, err := r.DB.TakePart(ctx, f, size)
		if err == nil {
			r.p.world.change(f.ID, func(k *known) string {
				if k.numbers[n] {
					return fmt.Sprintf("the part number %d was given out twice", n)
				}
				k.numbers[n] = true
				return ""
			})
		}
		return n, err
	})
}

// Commit also checks what was committed.
func (r rows) Commit(ctx context.Context, f file.Fence, p file.Progress) (time.Time, error) {
	return ask(ctx, r, "Commit", f.ID, func(ctx context.Context) (time.Time, error) {
		expires, err := r.DB.Commit(ctx, f, p)
		if err == nil {
			r.p.world.grown(ctx, f, p.Offset)
			r.p.world.checkProgress(f.ID, p)
			r.p.world.checkRow(f.ID)
		}
		return expires, err
	})
}

// Advance also checks the row.
func (r rows) Advance(ctx context.Context, f file.Fence, to file.State, etag string) error {
	return tell(ctx, r, "Advance", f.ID, func(ctx context.Context) error {
		err := r.DB.Advance(ctx, f, to, etag)
		if err == nil {
			r.p.world.checkRow(f.ID)
		}
		return err
	})
}

// Record also checks that the file has the bytes that its clients sent.
func (r rows) Record(ctx context.Context, f file.Fence, u *file.Upload, rec file.Record) error {
	return tell(ctx, r, "Record", f.ID, func(ctx context.Context) error {
		err := r.DB.Record(ctx, f, u, rec)
		if err == nil {
			r.p.world.grown(ctx, f, u.Offset)
			if u.Direct {
				r.p.world.recordDirect(f.ID, u)
			}
			r.p.world.checkFile(f.ID, "as it is recorded")
		}
		return err
	})
}

// DeleteUpload also notes that the upload is gone for clients.
func (r rows) DeleteUpload(ctx context.Context, f file.Fence, why string) error {
	return tell(ctx, r, "DeleteUpload", f.ID, func(ctx context.Context) error {
		err := r.DB.DeleteUpload(ctx, f, why)
		if err == nil {
			r.p.world.change(f.ID, func(k *known) string { k.deleted = true; return "" })
		}
		return err
	})
}

// change changes what is known about an upload. The result of f is a failure, or empty.
func (w *World) change(id file.ID, f func(*known) string) {
	w.mu.Lock()
	k := w.known[id]
	failure := f(k)
	w.mu.Unlock()
	if failure != "" {
		w.failf("%s: %s", k.name, failure)
	}
}

// grown notes that a commit up to an offset was executed, and checks that it belongs to the newest lease.
func (w *World) grown(ctx context.Context, f file.Fence, offset int64) {
	req, _ := ctx.Value(requestKey{}).(*request)
	w.change(f.ID, func(k *known) string {
		was := k.offset
		switch {
		case offset < was:
			return fmt.Sprintf("the offset goes back from %d to %d", was, offset)
		case f.Epoch != k.epoch:
			return fmt.Sprintf("a writer with the lease %d has committed, after the lease %d was given", f.Epoch, k.epoch)
		case offset == was:
			return ""
		}
		k.offset = offset
		switch {
		case len(k.sources) > 0 || k.direct:
		case req == nil:
			return fmt.Sprintf("no request has sent the bytes from %d to %d", was, offset)
		case req.wrong:
			return fmt.Sprintf("the bytes from %d to %d have a wrong checksum, and were committed", was, offset)
		default:
			k.spans = append(k.spans, span{offset, req.key})
		}
		return ""
	})
}

// checkProgress checks that the committed bytes are in the store.
func (w *World) checkProgress(id file.ID, p file.Progress) {
	u, err := w.rows.UploadRow(context.Background(), id)
	if err != nil {
		w.failf("%s: %v", w.name(id), err)
		return
	}
	for _, t := range p.Tails {
		b, _, _ := w.store.Object(file.Location{Bucket: u.Location.Bucket, Key: t.Key})
		w.compare(id, fmt.Sprintf("the committed tail at %d", t.Offset), b, w.content(id, t.Offset, t.Size))
	}
	for _, part := range p.Parts {
		b, etag, _ := w.store.Part(u.Multipart.ID, part.Number)
		w.compare(id, fmt.Sprintf("the committed part %d", part.Number), b, w.content(id, part.Offset, part.Size))
		if etag != part.ETag {
			w.failf("%s: the part %d has the tag %s, the row %s", w.name(id), part.Number, etag, part.ETag)
		}
	}
	if p.Whole {
		b, _, _ := w.store.Object(u.Location)
		w.compare(id, "the whole object", b, w.content(id, 0, u.Size))
	}
}

func (w *World) compare(id file.ID, what string, got, want []byte) {
	if !bytes.Equal(got, want) {
		w.failf("%s: %s is not in the store: %d bytes that should be %d", w.name(id), what, len(got), len(want))
	}
}

// inTheEnd is when everything has been done that is done in the background.
const inTheEnd = "in the end"

// checkFile checks that a file exists and has the bytes that were sent. The SHA-256 of a direct upload may come later.
func (w *World) checkFile(id file.ID, when string) {
	r, err := w.rows.File(context.Background(), id)
	if err != nil {
		w.failf("%s: no file, %s: %v", w.name(id), when, err)
		return
	}
	want := w.content(id, 0, r.Size)
	b, etag, _ := w.store.Object(r.Location)
	w.compare(id, "the file, "+when+",", b, want)
	later := r.SHA256 == nil && when != inTheEnd && w.isDirect(id)
	if sum := sha256.Sum256(want); !later && !bytes.Equal(sum[:], r.SHA256) {
		w.failf("%s: the file has another SHA-256 than what was sent, %s", w.name(id), when)
	}
	if etag != r.ETag {
		w.failf("%s: the object has the tag %s, the record %s, %s", w.name(id), etag, r.ETag, when)
	}
}
