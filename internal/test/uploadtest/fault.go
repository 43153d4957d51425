package uploadtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/file"
	"holdfast/storage"
	"holdfast/upload"
)

// Fault is what happens to one call to SQL or S3.
type Fault int

const (
	None        Fault = iota
	FailBefore        // the call fails and does nothing
	FailAfter         // the call is done, its answer is lost
	FailThrice        // it fails, and so do the next two calls
	Late              // the call times out, but is executed later, after another session has continued
	CrashBefore       // the process dies before the call
	CrashAfter        // the process dies when the call is done, before its answer is seen
	Stall             // the call waits until another session has continued, and is executed then
	Panics            // the call panics
)

func (f Fault) String() string {
	return [...]string{"none", "fail before", "fail after", "fail thrice", "late", "crash before", "crash after", "stall",
		"panics"}[f]
}

// ErrFault is in the error of every call that fails by plan.
var ErrFault = errors.New("injected fault")

// Plan counts the calls of one engine and decides what happens to them.
type Plan struct {
	fault Fault
	at    int    // number of the call, from 1
	Name  string // or the first call of this name

	mu      sync.Mutex
	calls   int
	armed   bool
	dead    bool
	hit     string        // the call that met the fault
	stalled chan struct{} // closed when the call waits
	release chan struct{} // closed to let the call continue
	later   func() error  // the call to be executed late
}

// End releases a stalled call and executes a late one.
func (p *Plan) End() {
	close(p.release)
	p.mu.Lock() // calls may still run in the background
	later := p.later
	p.mu.Unlock()
	if later != nil {
		_ = later()
	}
}

// outlast returns a context for calls that may be executed late.
func (p *Plan) outlast(ctx context.Context) context.Context {
	if p.fault == Late {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// sent copies a body that may be sent late: the network has taken it already.
func (p *Plan) sent(body io.ReadSeeker) io.ReadSeeker {
	if p.fault != Late {
		return body
	}
	b, err := io.ReadAll(body)
	if err != nil {
		panic(err) // it is in memory
	}
	return bytes.NewReader(b)
}

// NewPlan returns a plan by which the call with number at, from 1, meets a fault.
func NewPlan(f Fault, at int) *Plan {
	return &Plan{fault: f, at: at, armed: true, stalled: make(chan struct{}), release: make(chan struct{})}
}

// do executes a call as planned. The engine does not know about the plan: it sees an answer or an error.
func (p *Plan) do(name string, kind error, call func() error) error {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return errors.Join(kind, ErrFault)
	}
	if p.armed {
		p.calls++
	}
	now := None
	if p.armed && (p.calls == p.at || p.Name == name && p.hit == "") {
		now, p.hit = p.fault, name
	}
	if p.fault == FailThrice && p.armed && p.calls >= p.at && p.calls < p.at+3 {
		now = FailBefore
	}
	if now == Late {
		p.later = call
	}
	p.dead = now == CrashBefore || now == CrashAfter
	p.mu.Unlock()
	switch now {
	case FailBefore, CrashBefore:
		return errors.Join(kind, ErrFault)
	case Late:
		return errors.Join(kind, ErrFault, context.DeadlineExceeded)
	case Panics:
		panic(ErrFault)
	case Stall:
		close(p.stalled)
		<-p.release
	}
	err := call()
	if now == FailAfter || now == CrashAfter {
		err = errors.Join(kind, ErrFault)
	}
	return err
}

// valued is do for calls that return more than an error. A late call may end while others look at what its caller got:
// they see either nothing or all of it.
func valued[T any](p *Plan, name string, kind error, call func() (T, error)) (value T, err error) {
	var got atomic.Pointer[T]
	err = p.do(name, kind, func() error {
		v, err := call()
		got.Store(&v)
		return err
	})
	if v := got.Load(); v != nil {
		value = *v
	}
	return value, err
}

// over reports whether the fault has happened.
func (p *Plan) over() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.hit != "" }

// Disarm stops counting calls until Arm is called.
func (p *Plan) Disarm() { p.mu.Lock(); p.armed = false; p.mu.Unlock() }

// Arm counts calls from now on.
func (p *Plan) Arm() { p.mu.Lock(); p.armed = true; p.mu.Unlock() }

// Seen returns how many calls counted, which one met the fault, and whether the process is dead.
func (p *Plan) Seen() (calls int, hit string, dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls, p.hit, p.dead
}

// OrLeave makes a request, and returns without its answer if the service stalls in the middle of it: left then
// waits for its end.
func (p *Plan) OrLeave(request func()) (left func()) {
	stalled := p.stalled
	if p.over() {
		stalled = nil // another request has stalled
	}
	done := make(chan struct{})
	go func() { defer close(done); request() }()
	select {
	case <-done:
		return nil
	case <-stalled:
		return func() { <-done }
	}
}

// rowsUnderFault is SQL with the plan's faults.
type rowsUnderFault struct {
	upload.Rows
	*Plan
}

func (r rowsUnderFault) sql(name string, call func() error) error {
	return r.do(name, file.ErrDatabase, call)
}

func (r rowsUnderFault) Parts(ctx context.Context, id file.ID) ([]file.Part, error) {
	ctx = r.outlast(ctx)
	return valued(r.Plan, "Parts", file.ErrDatabase, func() ([]file.Part, error) {
		return r.Rows.Parts(ctx, id)
	})
}
func (r rowsUnderFault) Final(ctx context.Context, who file.Identity, sources []file.ID) (*file.Upload, error) {
	ctx = r.outlast(ctx)
	return valued(r.Plan, "Final", file.ErrDatabase, func() (*file.Upload, error) {
		return r.Rows.Final(ctx, who, sources)
	})
}
func (r rowsUnderFault) UploadRow(ctx context.Context, id file.ID) (*file.Upload, error) {
	ctx = r.outlast(ctx)
	return valued(r.Plan, "UploadRow", file.ErrDatabase, func() (*file.Upload, error) {
		return r.Rows.UploadRow(ctx, id)
	})
}
func (r rowsUnderFault) TakePart(ctx context.Context, f file.Fence, size int64) (int32, error) {
	ctx = r.outlast(ctx)
	return valued(r.Plan, "TakePart", file.ErrDatabase, func() (int32, error) {
		return r.Rows.TakePart(ctx, f, size)
	})
}
func (r rowsUnderFault) DropMultipart(ctx context.Context, f file.Fence) error {
	ctx = r.outlast(ctx)
	return r.sql("DropMultipart", func() error { return r.Rows.DropMultipart(ctx, f) })
}
func (r rowsUnderFault) SetMultipart(ctx context.Context, f file.Fence, key string, m file.Multipart,
	partSize int64) error {
	ctx = r.outlast(ctx)
	return r.sql("SetMultipart", func() error { return r.Rows.SetMultipart(ctx, f, key, m, partSize) })
}
func (r rowsUnderFault) Commit(ctx context.Context, f file.Fence, p file.Progress) (time.Time, error) {
	ctx = r.outlast(ctx)
	return valued(r.Plan, "Commit", file.ErrDatabase, func() (time.Time, error) {
		return r.Rows.Commit(ctx, f, p)
	})
}
func (r rowsUnderFault) SetClaim(ctx context.Context, f file.Fence, sum []byte) error {
	ctx = r.outlast(ctx)
	return r.sql("SetClaim", func() error { return r.Rows.SetClaim(ctx, f, sum) })
}
func (r rowsUnderFault) DeclareLength(ctx context.Context, f file.Fence, n int64) error {
	ctx = r.outlast(ctx)
	return r.sql("DeclareLength", func() error { return r.Rows.DeclareLength(ctx, f, n) })
}
func (r rowsUnderFault) Advance(ctx context.Context, f file.Fence, to file.State, etag string) error {
	ctx = r.outlast(ctx)
	return r.sql("Advance", func() error { return r.Rows.Advance(ctx, f, to, etag) })
}
func (r rowsUnderFault) DeleteUpload(ctx context.Context, f file.Fence, why string) error {
	ctx = r.outlast(ctx)
	return r.sql("DeleteUpload", func() error { return r.Rows.DeleteUpload(ctx, f, why) })
}
func (r rowsUnderFault) Deleted(ctx context.Context, id file.ID) (*file.Upload, error) {
	ctx = r.outlast(ctx)
	return valued(r.Plan, "Deleted", file.ErrDatabase, func() (*file.Upload, error) {
		return r.Rows.Deleted(ctx, id)
	})
}
func (r rowsUnderFault) ForgetUpload(ctx context.Context, id file.ID) error {
	ctx = r.outlast(ctx)
	return r.sql("ForgetUpload", func() error { return r.Rows.ForgetUpload(ctx, id) })
}
func (r rowsUnderFault) TakeLease(ctx context.Context, id file.ID, holder string,
	ttl time.Duration) (*file.Upload, error) {
	ctx = r.outlast(ctx)
	return valued(r.Plan, "TakeLease", file.ErrDatabase, func() (*file.Upload, error) {
		return r.Rows.TakeLease(ctx, id, holder, ttl)
	})
}
func (r rowsUnderFault) ReleaseLease(ctx context.Context, id file.ID, epoch int64, settled bool) error {
	ctx = r.outlast(ctx)
	return r.sql("ReleaseLease", func() error { return r.Rows.ReleaseLease(ctx, id, epoch, settled) })
}

// hooksUnderFault writes the record, with the plan's faults.
type hooksUnderFault struct {
	upload.Hooks
	*Plan
}

func (f hooksUnderFault) PostFinish(ctx context.Context, was file.Fence, u *file.Upload) error {
	ctx = f.outlast(ctx)
	return f.do("PostFinish", file.ErrDatabase, func() error { return f.Hooks.PostFinish(ctx, was, u) })
}

// objectsUnderFault is S3 with the plan's faults.
type objectsUnderFault struct {
	upload.Objects
	*Plan
}

func (o objectsUnderFault) put(name string, call func() error) error {
	return o.do(name, file.ErrStorageWrite, call)
}

func (o objectsUnderFault) Put(ctx context.Context, at file.Location, ct string, body io.ReadSeeker,
	size int64) (string, error) {
	ctx = o.outlast(ctx)
	body = o.sent(body)
	return valued(o.Plan, "Put", file.ErrStorageWrite, func() (string, error) {
		return o.Objects.Put(ctx, at, ct, body, size)
	})
}
func (o objectsUnderFault) BeginMultipart(ctx context.Context, at file.Location, ct string,
	withoutSums bool) (file.Multipart, error) {
	ctx = o.outlast(ctx)
	return valued(o.Plan, "BeginMultipart", file.ErrStorageWrite, func() (file.Multipart, error) {
		return o.Objects.BeginMultipart(ctx, at, ct, withoutSums)
	})
}
func (o objectsUnderFault) PutPart(ctx context.Context, at file.Location, m file.Multipart, n int32, body io.ReadSeeker,
	size int64) (file.Part, error) {
	ctx = o.outlast(ctx)
	body = o.sent(body)
	return valued(o.Plan, "PutPart", file.ErrStorageWrite, func() (file.Part, error) {
		return o.Objects.PutPart(ctx, at, m, n, body, size)
	})
}
func (o objectsUnderFault) CopyPart(ctx context.Context, from file.Location, tag string, offset, length int64,
	to file.Location, m file.Multipart, n int32) (file.Part, error) {
	ctx = o.outlast(ctx)
	return valued(o.Plan, "CopyPart", file.ErrStorageWrite, func() (file.Part, error) {
		return o.Objects.CopyPart(ctx, from, tag, offset, length, to, m, n)
	})
}
func (o objectsUnderFault) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	ctx = o.outlast(ctx)
	return o.put("Complete", func() error { return o.Objects.Complete(ctx, at, m, parts) })
}
func (o objectsUnderFault) Abort(ctx context.Context, at file.Location, id string) error {
	ctx = o.outlast(ctx)
	return o.put("Abort", func() error { return o.Objects.Abort(ctx, at, id) })
}
func (o objectsUnderFault) Delete(ctx context.Context, at file.Location) error {
	ctx = o.outlast(ctx)
	return o.put("Delete", func() error { return o.Objects.Delete(ctx, at) })
}
func (o objectsUnderFault) Leftovers(ctx context.Context, bucket string, id file.ID) (storage.Leftovers, error) {
	ctx = o.outlast(ctx)
	return valued(o.Plan, "Leftovers", file.ErrStorageRead, func() (storage.Leftovers, error) {
		return o.Objects.Leftovers(ctx, bucket, id)
	})
}
func (o objectsUnderFault) Stat(ctx context.Context, at file.Location) (storage.Object, error) {
	ctx = o.outlast(ctx)
	return valued(o.Plan, "Stat", file.ErrStorageRead, func() (storage.Object, error) {
		return o.Objects.Stat(ctx, at)
	})
}
func (o objectsUnderFault) Open(ctx context.Context, at file.Location, etag string, offset,
	length int64) (io.ReadCloser, error) {
	ctx = o.outlast(ctx)
	return valued(o.Plan, "Open", file.ErrStorageRead, func() (io.ReadCloser, error) {
		return o.Objects.Open(ctx, at, etag, offset, length)
	})
}
