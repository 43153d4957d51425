//go:build unix

// Package disk is the embedded store: an S3 gateway in this process over a folder. The gateway alone is neither
// durable nor safe on a full disk. So the package flushes what was written (flush.go), holds removals while a
// backup is made (hold.go), repairs what a crash has left (recover.go), and reserves free space (reserve.go):
// uploads are refused while there is still enough to delete files, for which SQLite needs some, too.
//
// # Errors
//
// Those of package storage; file.ErrNoSpace if a write would leave less than the reserve.
package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"

	"holdfast/internal/filelock"
	"holdfast/storage"
	"holdfast/storage/s3"
)

// Store is an S3 server in this process, over a folder. A process can have only one, and the server changes the
// process's working directory, so paths must be absolute.
type Store struct {
	*s3.Client
	room    room
	flush   func(context.Context) error
	holding holding

	stop    context.CancelFunc
	done    chan error
	dir     string   // of the socket, if that is a temporary one
	flusher *flusher // nil: nothing is flushed
}

// room is what a store needs of a Reserve.
type room interface {
	Take(n int64) (give func(), err error)
	Check() error
}

// Options of a Store. The zero value flushes every write and reserves no space.
type Options struct {
	// NoFlush lets writes return before they are on the disk: a power cut may lose them.
	NoFlush bool
	// Reserve is the space that writes leave free; nil: none.
	Reserve *Reserve
}

// completionPatience is how long Complete waits for a backup.
const completionPatience = 30 * time.Second

// Open starts the server over the folder dataDir, which must be an absolute path and used by this process alone.
// The server listens on a unix socket that only this user can reach, with keys made for this run.
func Open(ctx context.Context, dataDir string, o Options) (*Store, error) {
	objects, sidecars := filepath.Join(dataDir, "objects"), filepath.Join(dataDir, "metadata")
	for _, dir := range []string{objects, sidecars} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("embedded store: %w", err)
		}
	}
	if held, err := filelock.Held(filepath.Join(dataDir, holdFile)); err == nil && !held {
		if err := removeStages(dataDir); err != nil { // of a backup that was killed
			return nil, fmt.Errorf("embedded store: %w", err)
		}
	}
	if err := recoverMultiparts(objects, sidecars); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	e := &Store{
		room: o.Reserve, holding: holding{dataDir, completionPatience}, done: make(chan error, 1),
		flush: func(context.Context) error { return nil },
	}
	if !o.NoFlush {
		f, err := newFlusher(objects, sidecars)
		if err != nil {
			return nil, fmt.Errorf("embedded store: %w", err)
		}
		e.flusher, e.flush = f, f.Flush
	}
	socket, err := e.place(dataDir)
	if err == nil {
		err = e.start(ctx, socket, objects, sidecars)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded store: %w", err), e.Close())
	}
	return e, nil
}

// place chooses the path of the socket: in the data folder, so that the next start removes what a killed process
// has left. If that path is over the limit of 107 bytes, or the file system has no sockets, it is in a temporary
// folder.
func (s *Store) place(dataDir string) (socket string, err error) {
	socket = filepath.Join(dataDir, "s3.sock")
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if l, err := net.Listen("unix", socket); err == nil {
		return socket, l.Close() // which removes it
	}
	if s.dir, err = os.MkdirTemp("", "holdfast-s3-"); err != nil {
		return "", err
	}
	return filepath.Join(s.dir, "s3"), nil
}

func (s *Store) start(ctx context.Context, socket, objects, sidecars string) error {
	// Metadata in files of its own, not in extended attributes, works on every file system.
	sidecar, err := meta.NewSideCar(sidecars)
	if err != nil {
		return err
	}
	var options posix.PosixOpts
	options.CopyObjectThreshold = storage.MaxCopy // 0 forbids copying
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)
	backend, err := posix.New(objects, sidecar, options)
	if err != nil {
		return err
	}
	access, secret := rand.Text(), rand.Text()
	listening := make(chan struct{})
	// Not the caller's context: uploads still need the gateway while the service stops.
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go func() {
		s.done <- embedgw.RunVersityGW(run, backend, &embedgw.Config{
			RootUserAccess: access, RootUserSecret: secret, Ports: []string{socket}, SocketPerm: "0600",
			MaxConnections: 4096, MaxRequests: 4096, MultipartMaxParts: storage.MaxParts, KeepAlive: true, Quiet: true,
			DisableStrictBucketNames: true, DisableACLs: true,
			IAMService: auth.NewIAMServiceSingle(auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin}),
			S3Options:  []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
		})
	}()
	select {
	case err := <-s.done:
		s.done <- err
		return fmt.Errorf("start the gateway: %w", err)
	case <-listening:
	}
	var dialer net.Dialer
	quirks, _ := s3.VersityGW.Quirks()
	s.Client = s3.New(s3.Options{
		Endpoint: "http://embedded", Region: "us-east-1", AccessKey: access, SecretKey: secret, Signing: s3.Unsigned,
		Quirks: quirks,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	})
	return nil
}

// Done receives the gateway's error if it ends by itself.
func (s *Store) Done() <-chan error { return s.done }

// Close stops the gateway.
func (s *Store) Close() error {
	var err error
	if s.Client != nil {
		s.Client.Close()
	}
	if s.stop != nil {
		s.stop()
		err = <-s.done
	}
	if s.flusher != nil {
		err = errors.Join(err, s.flusher.Close())
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
