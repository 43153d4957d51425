// Package scan has ClamAV's clamd scan the bytes of a file, by its INSTREAM command.
//
// # Errors
//
// file.ErrInfected, with the name of what was found; file.ErrUnscannable for a file that clamd has not scanned, or not
// all of; file.ErrScanner if it does not answer, or not with a verdict.
//
// # What clamd has not scanned
//
// clamd also answers OK for what exceeds its MaxFileSize, MaxScanSize or MaxScanTime, unless its AlertExceedsMax is
// on, and it does not report its limits. So they are probed: see checkScanned.
package scan

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"holdfast/file"
)

// Settings of a Clamd. The zero value of each is its default.
type Settings struct {
	// MaxSize is the longest file, in bytes, for which an OK is believed if clamd can't be probed for how much it
	// scans.
	MaxSize int64
	// MaxTime is how long an OK may take. It must not be more than clamd's MaxScanTime.
	MaxTime time.Duration
}

// The defaults, which are clamd's own or below them.
const (
	DefaultMaxSize = 25 << 20
	DefaultMaxTime = 2 * time.Minute
)

// Clamd is the address of a clamd, and what is known about it. Its methods may be called from several goroutines.
type Clamd struct {
	network, address string
	settings         Settings

	mu         sync.Mutex
	provenSize int64 // it scans files of this many bytes
	provenAt   time.Time
}

// New returns a Clamd at "host:port" or "unix:/path".
func New(at string, s Settings) *Clamd {
	c := &Clamd{network: "tcp", address: at}
	c.settings = Settings{cmp.Or(s.MaxSize, DefaultMaxSize), cmp.Or(s.MaxTime, DefaultMaxTime)}
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		c.network, c.address = "unix", path
	}
	return c
}

const (
	chunk = 128 << 10 // bytes
	// chunkTimeout is the longest that clamd may take for a chunk, and verdict for its answer.
	chunkTimeout   = 30 * time.Second
	verdictTimeout = 5 * time.Minute
)

// Scan returns nil if clamd scans all of r, which has size bytes, and finds nothing.
func (c *Clamd) Scan(ctx context.Context, r io.Reader, size int64) error {
	found, took, err := c.scan(ctx, r)
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(found, limitsExceeded):
		return file.Refuse(file.ErrUnscannable, "The file exceeds the limits of the virus scanner (%s)", found)
	case found != "":
		return file.Refuse(file.ErrInfected, "The virus scanner has found %s in the file", found)
	case took >= c.settings.MaxTime:
		return file.Refuse(file.ErrUnscannable, "The file takes longer than %s to scan", c.settings.MaxTime)
	}
	return c.checkScanned(ctx, size)
}

// limitsExceeded is the prefix of what clamd reports for a file that exceeds its limits, if its AlertExceedsMax is on.
const limitsExceeded = "Heuristics.Limits.Exceeded"

// scan returns the name of what clamd finds, or an empty one, and how long clamd took after it had all bytes.
func (c *Clamd) scan(ctx context.Context, r io.Reader) (found string, took time.Duration, err error) {
	said, whole, took, err := c.instream(ctx, r)
	switch {
	case errors.Is(err, file.ErrStorageRead): // clamd is not to blame
		return "", 0, err
	case err != nil:
		return "", 0, fmt.Errorf("ask clamd: %w: %w", file.ErrScanner, err)
	}
	verdict, ended := strings.CutSuffix(said, "\x00")
	verdict = strings.TrimSpace(strings.TrimPrefix(verdict, "stream:"))
	name, bad := strings.CutSuffix(verdict, " FOUND")
	switch {
	case !ended, strings.ContainsAny(verdict, "\x00\n"): // it is cut off, or more than one
	case bad:
		return name, took, nil
	case verdict == "OK" && whole:
		return "", took, nil
	case strings.HasPrefix(verdict, "INSTREAM size limit exceeded"):
		return "", 0, file.Refuse(file.ErrUnscannable, "The file is longer than the virus scanner's limit")
	}
	return "", 0, fmt.Errorf("ask clamd: %w: it says %q", file.ErrScanner, said)
}

// provenFor is how long the result of a probe is valid: clamd may have been restarted with other settings since.
const provenFor = 10 * time.Minute

// checkScanned returns nil if clamd scans files of this many bytes, and file.ErrUnscannable if not. It sends clamd a
// file of that length, which clamd reports as harmful if it scans it.
func (c *Clamd) checkScanned(ctx context.Context, size int64) error {
	c.mu.Lock()
	known := size <= c.provenSize && time.Since(c.provenAt) < provenFor
	c.mu.Unlock()
	if known {
		return nil
	}
	size = max(size, int64(len(probe)))
	found, err := c.detects(ctx, size)
	if err != nil {
		return err
	}
	if found {
		c.mu.Lock()
		defer c.mu.Unlock()
		if time.Since(c.provenAt) >= provenFor || size > c.provenSize {
			c.provenSize, c.provenAt = size, time.Now()
		}
		return nil
	}
	able, err := c.detects(ctx, int64(len(probe)))
	switch {
	case err != nil:
		return err
	case able:
		return file.Refuse(file.ErrUnscannable, "The file is longer than the virus scanner's limit")
	case size > c.settings.MaxSize:
		return file.Refuse(file.ErrUnscannable, "The file is longer than the virus scanner's limit of %d bytes",
			c.settings.MaxSize)
	}
	return nil
}

// probe is the beginning of a file that clamd reports as harmful without any signature, and that harms nothing: an
// animated cursor whose header says that it is a byte too long (MS05-002). The rest is zeros. clamd does not detect it
// with AlgorithmicDetection off.
const probe = "RIFF\xff\xff\xff\x00ACONanih\x25\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"

// detects reports whether clamd finds a probe of this many bytes.
func (c *Clamd) detects(ctx context.Context, size int64) (bool, error) {
	found, _, err := c.scan(ctx, io.LimitReader(io.MultiReader(strings.NewReader(probe), zeros{}), size))
	if errors.Is(err, file.ErrUnscannable) {
		return false, nil
	}
	return found != "" && !strings.HasPrefix(found, limitsExceeded), err
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// instream sends the bytes as chunks, each after its length in four bytes, and then a length of 0. It returns the
// answer, whether clamd took all bytes, and how long it needed for the answer.
func (c *Clamd) instream(ctx context.Context, r io.Reader) (said string, whole bool, took time.Duration, err error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, c.network, c.address)
	if err != nil {
		return "", false, 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write([]byte("zINSTREAM\x00")); err != nil {
		return "", false, 0, err
	}
	whole = true
	buf := make([]byte, 4+chunk)
	for last := false; !last; {
		n, err := io.ReadFull(r, buf[4:])
		last = err != nil
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return "", false, 0, err
		}
		binary.BigEndian.PutUint32(buf, uint32(n))
		conn.SetWriteDeadline(time.Now().Add(chunkTimeout))
		if n > 0 {
			if _, err := conn.Write(buf[:4+n]); err != nil {
				whole = false
				break // it may have answered why, such as that this is too much
			}
		}
	}
	if _, err := conn.Write(make([]byte, 4)); err != nil {
		whole = false
	}
	sent := time.Now()
	conn.SetReadDeadline(time.Now().Add(verdictTimeout))
	answer, err := io.ReadAll(io.LimitReader(conn, 4<<10))
	if err != nil && len(answer) == 0 {
		return "", false, 0, err
	}
	return string(answer), whole, time.Since(sent), nil
}
