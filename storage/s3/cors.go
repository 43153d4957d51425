package s3

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdfast/file"
)

// corsRule lets pages of these origins send parts with presigned URLs, and read the tags that they get. Chromium caches
// a preflight for two hours at most.
func corsRule(origins []string) types.CORSRule {
	return types.CORSRule{AllowedOrigins: origins, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"*"},
		ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: aws.Int32(3600)}
}

// AllowOrigins replaces the CORS rules of a bucket by one: pages of these origins may send parts.
func (c *Client) AllowOrigins(ctx context.Context, bucket string, origins []string) error {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	return wrap(file.ErrStorageWrite, "set the CORS rules of "+bucket, c.allowOrigins(ctx, bucket, origins))
}

// hasRules sets the CORS rules of a bucket that has none, and reports whether that need not be tried again. A store
// that refuses has them elsewhere, as MinIO does, or does not let this client set them: "holdfast store cors" shows it.
func (c *Client) hasRules(ctx context.Context, bucket string) bool {
	if len(c.origins) == 0 {
		return true
	}
	_, err := c.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &bucket}, c.soon)
	if code(err) == "NoSuchCORSConfiguration" {
		err = c.allowOrigins(ctx, bucket, c.origins)
	}
	return err == nil || answered(err) && status(err) < 500 || notImplemented(err)
}

func (c *Client) allowOrigins(ctx context.Context, bucket string, origins []string) error {
	_, err := c.s3.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &bucket, CORSConfiguration: &types.CORSConfiguration{
		CORSRules: []types.CORSRule{corsRule(origins)}}}, c.soon)
	return err
}

// AllowedOrigins returns the origins whose pages may send parts to a bucket.
func (c *Client) AllowedOrigins(ctx context.Context, bucket string) (origins []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	out, err := c.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &bucket}, c.soon)
	if code(err) == "NoSuchCORSConfiguration" {
		return nil, nil
	}
	if err != nil {
		return nil, wrap(file.ErrStorageRead, "read the CORS rules of "+bucket, err)
	}
	for _, r := range out.CORSRules {
		if slices.Contains(r.AllowedMethods, "PUT") && slices.Contains(r.ExposeHeaders, "ETag") {
			origins = append(origins, r.AllowedOrigins...)
		}
	}
	return origins, nil
}
