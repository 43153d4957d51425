package service

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"holdfast/config"
)

// reloadInterval is how often the files of the certificate are read. They are small; their contents say more than
// their times, which a symbolic link or a mounted secret may keep.
const reloadInterval = time.Second

// certificate is the service's certificate, reloaded when its files change.
type certificate struct {
	files   config.TLS
	log     *slog.Logger
	current atomic.Pointer[tls.Certificate]
	certificateMetrics

	// From the last time that the files were read:
	cert, key []byte
	failure   string // why they were not a valid certificate; empty: they were
	told      bool   // the failure was logged
}

// openCertificate reads the certificate. The error is an ErrSettings and names the file.
func openCertificate(files config.TLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log}
	c.certificateMetrics = newCertificateMetrics(&c.current)
	cert, key, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	pair, err := c.parse(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	c.cert, c.key = cert, key
	c.use(pair)
	return c, nil
}

// get implements tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// read returns the contents of the files.
func (c *certificate) read() (cert, key []byte, err error) {
	cert, err = os.ReadFile(c.files.Cert)
	if err != nil {
		return nil, nil, fmt.Errorf("TLS_CERT: %w", err)
	}
	if key, err = os.ReadFile(c.files.Key); err != nil {
		return nil, nil, fmt.Errorf("TLS_KEY: %w", err)
	}
	return cert, key, nil
}

// parse returns the certificate with its key.
func (c *certificate) parse(cert, key []byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("TLS_CERT (%s) and TLS_KEY (%s) are not a certificate and its key: %w", c.files.Cert,
			c.files.Key, err)
	}
	return &pair, nil
}

// use uses a certificate for all handshakes from now on. One that is not valid at the moment may be better than none:
// clients decide.
func (c *certificate) use(pair *tls.Certificate) {
	c.current.Store(pair)
	leaf, now := pair.Leaf, time.Now()
	switch {
	case now.After(leaf.NotAfter):
		c.log.Warn("the certificate has expired", "file", c.files.Cert, "not_after", leaf.NotAfter)
	case now.Before(leaf.NotBefore):
		c.log.Warn("the certificate is not valid yet", "file", c.files.Cert, "not_before", leaf.NotBefore)
	}
}

// watch reloads the files when they change, until ctx ends.
func (c *certificate) watch(ctx context.Context) {
	tick := time.NewTicker(reloadInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.reload()
		case <-ctx.Done():
			return
		}
	}
}

// reload uses a certificate that has changed. After a fault the previous one stays in use. A fault counts only if the
// next reload finds it, too: the two files can't be replaced at the same moment.
func (c *certificate) reload() {
	cert, key, err := c.read()
	if err == nil && c.failure == "" && bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return
	}
	var pair *tls.Certificate
	if err == nil {
		pair, err = c.parse(cert, key)
	}
	if err == nil {
		changed := !bytes.Equal(cert, c.cert) || !bytes.Equal(key, c.key)
		c.cert, c.key, c.failure, c.told = cert, key, "", false
		if changed {
			c.reloads.WithLabelValues("taken").Inc()
			c.use(pair)
			c.log.Info("the certificate was reloaded", "file", c.files.Cert, "not_after", pair.Leaf.NotAfter)
		}
		return
	}
	c.refuse(err)
}

// refuse handles a fault, and logs it once.
func (c *certificate) refuse(err error) {
	if err.Error() != c.failure {
		c.failure, c.told = err.Error(), false
		return
	}
	if c.told {
		return
	}
	c.told = true
	c.reloads.WithLabelValues("refused").Inc()
	c.log.Error("the changed certificate can't be used, the previous one stays in use", "error", err)
}
