// Package simstore is a storage.Store in memory that does to its callers everything that the contract allows: it
// answers late, or out of order, fails, loses an answer after the work was done, and executes a write long after its
// caller got an error or died. Its Fates decide when it does so.
//
// All times are those of package time: in a synctest bubble they are virtual.
package simstore

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// Failure is how a call fails.
type Failure string

const (
	None    Failure = ""
	Refused Failure = "is refused"       // with a 5xx, and nothing is done
	Lost    Failure = "loses its answer" // it is done
	Late    Failure = "fails, and is done later"
)

// Fate is what happens to a call.
type Fate struct {
	Before, After time.Duration // before the store executes the call, and from then until the caller has the answer
	Failure       Failure
	// Late is the time from the caller's error to the execution of a write: with Failure Late, and also if the
	// caller's context ends before the store has executed it; 0: then it is never executed.
	Late  time.Duration
	Short bool // a listing ends early, or the body of an object breaks off half way
}

// Call is a call of one of Store's methods.
type Call struct {
	Op     string // the method's name
	At     file.Location
	Number int32 // of a part
}

// Fates decides what happens to a call.
type Fates func(ctx context.Context, c Call) Fate

// Store is a storage.Store and a storage.Copier.
type Store struct {
	// MinPart is the least size of a part that is not the last one, in bytes.
	MinPart int64
	// NoCopy says that the store can't copy.
	NoCopy bool
	fates  Fates

	mu      sync.Mutex // never held during a wait
	buckets map[string]map[string]*object
	begun   map[string]*multipart // by id
	ids     int
}

var (
	_ storage.Store  = (*Store)(nil)
	_ storage.Copier = (*Store)(nil)
)

// New returns an empty store. If fates is nil, no call fails or takes time.
func New(fates Fates) *Store {
	if fates == nil {
		fates = func(context.Context, Call) Fate { return Fate{} }
	}
	return &Store{MinPart: storage.MinPart, fates: fates, buckets: map[string]map[string]*object{},
		begun: map[string]*multipart{}}
}

type object struct {
	data     []byte // never changed
	etag     string
	kind     string // media type
	modified time.Time
}

func newObject(data []byte, kind string) *object {
	return &object{data: data, kind: kind, modified: time.Now(), etag: fmt.Sprintf(`"%08x-%x"`, sum(data), len(data))}
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

var errSimulated = errors.New("503 Slow Down")

// read makes a call that changes nothing.
func read[T any](ctx context.Context, s *Store, c Call, act func() (T, error)) (T, error) {
	f := s.fates(ctx, c)
	f.Late = 0
	return run(ctx, s, c, f, file.ErrStorageRead, act)
}

// write makes a call that changes something, maybe after it has returned.
func write[T any](ctx context.Context, s *Store, c Call, act func() (T, error)) (T, error) {
	return run(ctx, s, c, s.fates(ctx, c), file.ErrStorageWrite, act)
}

func run[T any](ctx context.Context, s *Store, c Call, f Fate, kind error, act func() (T, error)) (result T,
	err error) {
	var none T
	failed := func(why error) error { return fmt.Errorf("%s %s: %w: %w", c.Op, c.At.Key, kind, why) }
	ended := sleep(ctx, f.Before)
	if ended != nil || f.Failure == Late {
		if f.Late > 0 {
			go func() {
				time.Sleep(f.Late)
				s.mu.Lock()
				defer s.mu.Unlock()
				_, _ = act() // the caller has its error already
			}()
		}
		if ended == nil {
			ended = errSimulated
		}
		return none, failed(ended)
	}
	if f.Failure == Refused {
		return none, failed(errSimulated)
	}
	s.mu.Lock()
	result, err = act()
	s.mu.Unlock()
	if ended := sleep(ctx, f.After); ended != nil {
		return none, failed(ended)
	}
	if f.Failure == Lost {
		return none, failed(errSimulated)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", c.Op, c.At.Key, err)
	}
	return result, err
}

// sleep waits for d; the error is why ctx ended earlier.
func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
