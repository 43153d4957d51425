//go:build unix

package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"holdfast/service"
)

func newServe(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the service (what plain holdfast does).",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return serve(p) },
	}
}

func serve(p *program) error {
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

func newHealthcheck(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit with status 0 if the service on HOST and PORT is ready.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return healthcheck(p) },
	}
}

// healthcheck asks the service whether it is ready.
func healthcheck(p *program) error {
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
