//go:build unix

package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/config"
	"holdfast/service"
	"holdfast/storage"
)

func newCORS(p *program) *cobra.Command {
	var set bool
	c := &cobra.Command{
		Use:   "cors",
		Short: "Show from which pages parts may be sent to the store, or set it.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return showCORS(p, set) },
	}
	c.Flags().BoolVar(&set, "set", false,
		"Replace the CORS rules of all buckets by one for ALLOWED_ORIGINS and PUBLIC_URL.")
	return c
}

// showCORS prints the origins whose pages may send parts to each bucket, and those that should. set replaces the rules.
func showCORS(p *program, set bool) (err error) {
	c, err := p.settings()
	if err != nil {
		return err
	}
	embedded := fmt.Errorf("%w: only S3 stores have CORS rules, and STORAGE_TYPE is embedded", service.ErrSettings)
	if c.Storage.Type == config.Embedded {
		return embedded
	}
	parts, err := service.OpenStore(p.ctx, c, p.log(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	store, ok := parts.Objects.(storage.PartReceiver)
	if !ok {
		return embedded
	}
	want := c.PartOrigins()
	fmt.Fprintf(p.stdout, "pages of %s should be allowed to PUT, with any headers, and to read ETag\n",
		strings.Join(want, ", "))
	buckets, err := parts.Objects.Buckets(p.ctx, c.Storage.BucketPrefix+"-")
	if err != nil {
		return err
	}
	different := 0
	for _, bucket := range buckets {
		if set {
			if err := store.AllowOrigins(p.ctx, bucket, want); err != nil {
				return err
			}
		}
		got, err := store.AllowedOrigins(p.ctx, bucket)
		if err != nil {
			return err
		}
		says := "as it should be"
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			different++
			says = "allowed are: " + strings.Join(got, ", ")
			if len(got) == 0 {
				says = "none is allowed"
			}
		}
		fmt.Fprintf(p.stdout, "%s: %s\n", bucket, says)
	}
	if different > 0 {
		return fmt.Errorf("%d of %d buckets have other rules: holdfast store cors --set replaces them", different,
			len(buckets))
	}
	return nil
}
