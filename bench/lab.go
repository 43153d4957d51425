package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"holdfast/bench/proc"
	"holdfast/bench/report"
	"holdfast/bench/server"
	"holdfast/bench/store"
)

// lab is the environment of a measurement: the built programs, a folder on the RAM disk, the store.
type lab struct {
	log               io.Writer
	ram               *proc.Folder
	storage           server.Program // the S3 store; none if the servers keep files themselves
	tusd, holdfast    server.Program
	nginx, permission server.Program  // only if a row includes nginx
	node, python      server.Program  // only if a row includes them
	gateway           *server.Gateway // nil: there is no store
	load              load
	casts             int
}

// need is the space that must be free on the RAM disk, in bytes: a long upload is there as parts, as an object that is
// being assembled from them, and in tusd's temporary files.
const need = 6 << 30

func openLab(ctx context.Context, o options, chosen []row, log io.Writer) (_ *lab, err error) {
	l := &lab{log: log, load: fullLoad()}
	space := uint64(need)
	if o.short {
		l.load, space = l.load.tenth(), space/6
	}
	if l.ram, err = proc.RAMFolder(o.ram, space); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if slices.Contains(allPeers(chosen), report.Nginx) {
		if l.nginx, err = server.Nginx(ctx); err != nil {
			return nil, err
		}
		if l.permission, err = server.Permission(ctx, l.ram.Path); err != nil {
			return nil, err
		}
	}
	if slices.Contains(allPeers(chosen), report.Node) {
		if l.node, err = server.Node(ctx); err != nil {
			return nil, err
		}
	}
	if slices.Contains(allPeers(chosen), report.Python) {
		if l.python, err = server.Python(ctx); err != nil {
			return nil, err
		}
	}
	if l.tusd, err = server.Tusd(ctx); err != nil {
		return nil, err
	}
	if l.holdfast, err = server.Holdfast(ctx, o.holdfast, l.ram.Path, ""); err != nil {
		return nil, err
	}
	return l, l.startStore(ctx, o.store)
}

// startStore starts the S3 store of that name, if it is one.
func (l *lab) startStore(ctx context.Context, name string) (err error) {
	switch name {
	case onVersitygw:
		if l.storage, err = server.Versitygw(ctx); err == nil {
			l.gateway, err = server.StartGateway(ctx, l.storage, l.ram.Path)
		}
	case onSeaweedFS:
		if l.storage, err = server.SeaweedFS(ctx); err == nil {
			l.gateway, err = server.StartSeaweedFS(ctx, l.storage, l.ram.Path)
		}
	}
	return err
}

// access is the store at its own address; without one the servers keep files themselves.
func (l *lab) access() store.Access {
	if l.gateway == nil {
		return store.Access{}
	}
	return l.gateway.Access
}

func (l *lab) close() error {
	if l.gateway != nil {
		l.gateway.Stop()
	}
	return l.ram.Remove()
}

func (l *lab) say(format string, args ...any) { fmt.Fprintf(l.log, format+"\n", args...) }

// cast are the running peers.
type cast struct {
	peers []*peer
	store *store.Store // directly, without the proxy; nil: there is none
}

// peer returns the peer of that name; nil if there is none.
func (c *cast) peer(name string) *peer {
	for _, p := range c.peers {
		if p.name == name {
			return p
		}
	}
	return nil
}

// start starts the peers with these names, over the store at.
func (l *lab) start(ctx context.Context, holdfast server.Program, at store.Access, names []string,
	env ...string) (_ *cast, err error) {
	l.casts++
	dir := filepath.Join(l.ram.Path, fmt.Sprintf("cast-%d", l.casts))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	c := &cast{}
	if l.gateway != nil {
		c.store = store.New(l.gateway.Access)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	for _, name := range names {
		p := &peer{name: name, store: c.store, gateway: l.gateway}
		switch name {
		case report.Holdfast:
			p.server, err = server.StartHoldfast(ctx, holdfast, at, dir, server.HoldfastOptions{MaxFileSize: 2 * l.load.stream,
				Env: env})
		case report.Tusd:
			p.server, err = server.StartTusd(ctx, l.tusd, at, dir)
		case report.Nginx:
			p.server, err = server.StartNginx(ctx, l.nginx, l.permission, at, dir)
		case report.Node:
			p.server, err = server.StartNode(ctx, l.node, at, dir)
		case report.Python:
			p.server, err = server.StartPython(ctx, l.python, at, dir)
		case report.Direct:
			p.store, p.bucket = store.New(at), "direct"
			err = c.store.CreateBucket(ctx, p.bucket)
		}
		if err != nil {
			return c, fmt.Errorf("start %s: %w", name, err)
		}
		if p.server != nil {
			p.bucket = p.server.Bucket
		}
		c.peers = append(c.peers, p)
	}
	return c, nil
}

func (c *cast) stop() (err error) {
	for _, p := range c.peers {
		if p.server != nil {
			err = errors.Join(err, p.server.Stop())
		}
	}
	return err
}

// once runs a row for one peer, and frees the space again.
func (c *cast) once(ctx context.Context, r row, l load, p *peer) (report.Measured, error) {
	m, err := r.do(ctx, l, p)
	if err != nil {
		// If the run was ended, the error is only a broken connection.
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return m, fmt.Errorf("%s: %s: %w", r.name, p.name, err)
	}
	return m, p.clean(ctx)
}
