package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"holdfast/bench/proc"
	"holdfast/bench/report"
	"holdfast/bench/server"
	"holdfast/bench/store"
	"holdfast/bench/tempbytes"
	"holdfast/bench/tus"
)

// peer is one of the programs that are compared.
type peer struct {
	name   string
	server *server.Server // nil for the direct one
	store  *store.Store   // what it puts its objects to; nil: it keeps files itself
	bucket string
	// gateway is the process of the store; nil: there is none.
	gateway *server.Gateway
	made    []string // the uploads of this row
	// hash says that the next finished upload is downloaded and its SHA-256 compared: once for each row in a run,
	// since that takes as long as the upload.
	hash bool
	// around, if set, is called before and after the timed part.
	around func(begin bool) error
}

// errWrong says that the stored bytes are not the ones that were sent.
var errWrong = errors.New("wrong content")

// dial opens connections to the server.
func (p *peer) dial(ctx context.Context, n int) (conns []*tus.Conn, hangUp func(), err error) {
	hangUp = func() {
		for _, c := range conns {
			c.Close()
		}
	}
	for range n {
		c, err := p.server.Dial(ctx)
		if err != nil {
			hangUp()
			return nil, nil, err
		}
		conns = append(conns, c)
	}
	return conns, hangUp, nil
}

// time measures the duration of do, and the resources that each process used.
func (p *peer) time(do func() error) (m report.Measured, err error) {
	if p.around != nil {
		if err := p.around(true); err != nil {
			return m, err
		}
		defer func() { err = errors.Join(err, p.around(false)) }()
	}
	var files tempbytes.Count
	if p.server != nil {
		if files, err = p.server.Temp.Count(); err != nil {
			return m, err
		}
		for _, pid := range p.server.Pids() {
			proc.ForgetPeak(pid)
		}
	}
	before, err := p.usage()
	if err != nil {
		return m, err
	}
	begin := time.Now()
	if err := do(); err != nil {
		return m, err
	}
	m.Seconds = time.Since(begin).Seconds()
	after, err := p.usage()
	if err != nil {
		return m, err
	}
	m.CPU = after.Sub(before)
	if p.server == nil {
		return m, nil
	}
	// For several processes this is the sum, which counts shared memory for each of them.
	for _, pid := range p.server.Pids() {
		peak, err := proc.PeakRSS(pid)
		if err != nil {
			return m, err
		}
		m.PeakRSS += peak
	}
	now, err := p.server.Temp.Count()
	m.Temp = now.Sub(files)
	return m, err
}

// usage returns the processor time that each process has used so far.
func (p *peer) usage() (u report.Usage, err error) {
	read := func(pids ...int) (sum float64) {
		for _, pid := range pids {
			t, failure := proc.CPU(pid)
			err = errors.Join(err, failure)
			sum += t.Seconds()
		}
		return sum
	}
	if p.server != nil {
		u.Server, u.Permission = read(p.server.Pids()...), read(p.server.PermissionPids()...)
	}
	u.Client = read(os.Getpid())
	if p.gateway != nil {
		u.Store = read(p.gateway.Pid())
	}
	busy, failure := proc.Busy()
	u.Others = busy.Seconds() - u.Server - u.Permission - u.Store - u.Client
	return u, errors.Join(err, failure)
}

// check checks a finished upload: the server's answer, the object, and perhaps its bytes.
func (p *peer) check(ctx context.Context, c *tus.Conn, l load, path string, length int64) error {
	if err := p.server.Head(c, path, length); err != nil {
		return err
	}
	if err := p.checkObject(ctx, p.server.Key(path), length); err != nil {
		return err
	}
	if !p.hash {
		return nil
	}
	p.hash = false
	got, n, err := p.server.Get(ctx, path)
	if err != nil {
		return err
	}
	if want := l.content.SHA256(length); n != length || got != want {
		return fmt.Errorf("%w: %d bytes of SHA-256 %s were downloaded, %d of %s were sent", errWrong, n, got, length, want)
	}
	return nil
}

// create creates an upload, which belongs to this row.
func (p *peer) create(c *tus.Conn, length int64) (path string, err error) {
	if path, err = p.server.Create(c, length); err == nil {
		p.made = append(p.made, path)
	}
	return path, err
}

// clean frees the space of a row.
func (p *peer) clean(ctx context.Context) error {
	made := p.made
	p.made = nil
	if p.store != nil {
		return errors.Join(p.store.Empty(ctx, p.bucket), p.gateway.Reclaim(ctx))
	}
	if len(made) == 0 {
		return nil
	}
	c, err := p.server.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, path := range made {
		if err := p.server.Delete(c, path); err != nil {
			return err
		}
	}
	return nil
}

// checkObject compares the length of an object. A server's own files are its own affair: their bytes are compared once
// in each row, as those of objects are.
func (p *peer) checkObject(ctx context.Context, key string, length int64) error {
	if p.store == nil {
		return nil
	}
	n, err := p.store.Size(ctx, p.bucket, key)
	if err == nil && n != length {
		err = fmt.Errorf("%w: object %s has %d bytes, not %d", errWrong, key, n, length)
	}
	return err
}
