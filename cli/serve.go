//go:build unix

package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"holdfast/service"
)

type serveCommand struct{}

func (serveCommand) Run(p *program) error {
	c, err := p.settings()
	if err != nil {
		return err
	}
	log := p.log(c)
	if p.asPython {
		log.Info("the arguments are those of the Python service: running serve")
	}
	return service.Serve(p.ctx, c, p.stdout, log)
}

type healthcheckCommand struct{}

// Run asks the service whether it is ready.
func (healthcheckCommand) Run(p *program) error {
	c, err := p.settings()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	url := c.TLS.Scheme() + "://" + service.ReachableAddress(c.Host, c.Port) + "/readyz"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	// The certificate is for the name that clients use, not for this address. No secret is sent.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the service answered %s", resp.Status)
	}
	return nil
}
