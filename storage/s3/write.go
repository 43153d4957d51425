package s3

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
)

// write does one writing call: in its time, and in a bucket that is created when it is first missing.
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
	if code(err) == "NoSuchBucket" { // somebody removed it meanwhile
		c.buckets.Delete(bucket)
		if err = c.ensureBucket(ctx, bucket); err == nil {
			err = call(ctx)
		}
	}
	return err
}

// ensureBucket looks once whether a bucket is there, and creates it if not. Before the
// write and not after it failed: a store that refuses a large body for want of a bucket
// may do so by cutting the connection, which tells nothing.
func (c *Client) ensureBucket(ctx context.Context, bucket string) error {
	if _, known := c.buckets.Load(bucket); known || bucket == "" {
		return nil
	}
	_, err := c.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}, c.soon)
	switch status(err) {
	case http.StatusNotFound:
		_, err = c.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
		switch code(err) {
		case "BucketAlreadyOwnedByYou", "BucketAlreadyExists": // somebody else was faster
			err = nil
		}
	case http.StatusForbidden, http.StatusMovedPermanently: // it is there, and keys may be allowed no more than to write
		err = nil
	}
	if err == nil {
		c.buckets.Store(bucket, true)
	}
	return err
}
