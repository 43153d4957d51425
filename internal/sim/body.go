package sim

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/file"
	"holdfast/upload"
)

// readTimeout is how long a server waits for a client's next byte.
const readTimeout = 45 * time.Second

// body is the body of a request. It comes in pieces, and may break off.
type body struct {
	key      uint64
	pos, end int64
	step     Step
	hard     bool // when the client leaves, the body ends with an error instead of io.EOF
	dice     *rand.Rand
	died     <-chan struct{} // closed when the server dies
	stop     chan struct{}   // closed when it is interrupted
	left     chan struct{}   // closed when the client leaves
	stopOnce sync.Once
	leave    sync.Once
	sent     int64
	cut      atomic.Bool
	over     atomic.Int64 // when its last byte had come, in nanoseconds since the simulation began
	began    time.Time
}

// newBody returns a body of size bytes, from a position on.
func (w *World) newBody(name string, key uint64, pos, size int64, s Step) *body {
	return &body{key: key, pos: pos, end: pos + size, step: s, dice: w.roll("body " + name), stop: make(chan struct{}),
		left: make(chan struct{}), began: w.start}
}

// interrupt ends a Read that waits.
func (b *body) interrupt() { b.stopOnce.Do(func() { close(b.stop) }) }

// broken makes the body break off.
func (b *body) broken() (int, error) {
	b.cut.Store(true)
	b.over.Store(int64(time.Since(b.began)))
	if b.hard {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, io.EOF
}

func (b *body) Read(p []byte) (int, error) {
	select {
	case <-b.stop:
		return b.broken()
	case <-b.died:
		return b.broken()
	default:
	}
	if b.step.Cut >= 0 && b.sent >= b.step.Cut {
		b.leave.Do(func() { close(b.left) })
		if b.step.Hangs {
			b.sleep(readTimeout)
		}
		return b.broken()
	}
	if b.pos == b.end {
		b.over.Store(int64(time.Since(b.began)))
		return 0, io.EOF
	}
	if b.step.Slow > 0 && b.dice.IntN(4) == 0 && !b.sleep(time.Duration(b.dice.Int64N(int64(b.step.Slow)))) {
		return b.broken()
	}
	n := min(int64(len(p)), b.end-b.pos)
	if b.step.Cut >= 0 {
		n = min(n, b.step.Cut-b.sent)
	}
	if b.dice.IntN(8) == 0 {
		n = 1 + b.dice.Int64N(n)
	}
	fill(p[:n], b.key, b.pos)
	b.pos, b.sent = b.pos+n, b.sent+n
	return int(n), nil
}

// sleep waits, and reports whether the body is still open afterwards.
func (b *body) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.stop:
	case <-b.died:
	}
	return false
}

// upload returns the body in the engine's form.
func (b *body) upload(check upload.Check) upload.Body {
	return upload.Body{Reader: b, Length: b.end - b.pos, Interrupt: b.interrupt, Cut: b.cut.Load, Check: check}
}

// check compares a body with the SHA-256 that its client declares.
type check struct {
	hash.Hash
	want []byte
}

// newCheck returns the check for bytes with a key.
func newCheck(key uint64, pos, size int64) *check {
	b := make([]byte, size)
	fill(b, key, pos)
	sum := sha256.Sum256(b)
	return &check{sha256.New(), sum[:]}
}

func (c *check) Verify() error {
	if !bytes.Equal(c.Sum(nil), c.want) {
		return file.Refuse(file.ErrChecksum, "another checksum")
	}
	return nil
}
