package s3

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
)

// write makes a call that writes, within its time limit. If bucket is not empty it is created first where it is
// missing.
func (c *Client) write(ctx context.Context, doing, bucket string, limit time.Duration,
	call func(context.Context) error) error {
	return wrap(file.ErrStorageWrite, doing, c.writeInTime(ctx, bucket, limit, call))
}

func (c *Client) writeInTime(ctx context.Context, bucket string, limit time.Duration,
	call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := c.ensureBucket(ctx, bucket)
	if err == nil {
		err = call(ctx)
	}
	if code(err) == "NoSuchBucket" { // it was removed since
		c.buckets.Delete(bucket)
		if err = c.ensureBucket(ctx, bucket); err == nil {
			err = call(ctx)
		}
	}
	return err
}

// ensureBucket checks once whether a bucket exists, and creates it if not. It is called before the write, and not after
// a failed one: a store may refuse a large body for a missing bucket by closing the connection, which gives no reason.
func (c *Client) ensureBucket(ctx context.Context, bucket string) error {
	if _, known := c.buckets.Load(bucket); known || bucket == "" {
		return nil
	}
	_, err := c.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}, c.soon)
	switch status(err) {
	case http.StatusNotFound:
		_, err = c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
		switch code(err) {
		case "BucketAlreadyOwnedByYou", "BucketAlreadyExists": // another replica was faster
			err = nil
		}
	case http.StatusForbidden, http.StatusMovedPermanently: // it exists; the access key may not look at it, but may write
		err = nil
	}
	if err == nil && c.hasRules(ctx, bucket) {
		c.buckets.Store(bucket, true)
	}
	return err
}
