package s3

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
	"holdfast/storage"
)

// Presigner implements storage.Presigner.
func (c *Client) Presigner(
	endpoint string,
) func(context.Context, file.Location, storage.PresignOptions) (string, error) {
	signer := s3.NewPresignClient(c.s3, s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
		o.APIOptions = nil // they record calls, and presigning makes none
		if endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = &endpoint, true
		}
	}))
	return func(ctx context.Context, at file.Location, p storage.PresignOptions) (string, error) {
		ttl := s3.WithPresignExpires(p.TTL)
		var signed *v4.PresignedHTTPRequest
		var err error
		if p.Method == http.MethodHead {
			signed, err = signer.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: &at.Bucket, Key: &at.Key,
				ResponseContentDisposition: &p.Disposition, ResponseContentType: &p.Type,
				ResponseCacheControl: &p.CacheControl}, ttl)
		} else {
			signed, err = signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &at.Bucket, Key: &at.Key,
				ResponseContentDisposition: aws.String(p.Disposition), ResponseContentType: aws.String(p.Type),
				ResponseCacheControl: aws.String(p.CacheControl)}, ttl)
		}
		if err != nil {
			return "", fmt.Errorf("presign: %w: %w", file.ErrStorageRead, err)
		}
		return signed.URL, nil
	}
}
