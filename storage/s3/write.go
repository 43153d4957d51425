package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdfast/file"
	"holdfast/storage"
)

// write does one writing call: in its time, and in a bucket that is created when it is first missing.
func (c *Client) write(ctx context.Context, doing, bucket string, limit time.Duration, call func(context.Context) error) error {
	return wrap(file.ErrStorageWrite, doing, c.writeInTime(ctx, bucket, limit, call))
}

func (c *Client) writeInTime(ctx context.Context, bucket string, limit time.Duration, call func(context.Context) error) error {
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

// given refuses a success without what a store never leaves out: something else answered.
func given(what string, s *string) (string, error) {
	if aws.ToString(s) == "" {
		return "", fmt.Errorf("an answer without %s: not the store's", what)
	}
	return *s, nil
}

func wrap(kind error, doing string, err error) error {
	if err == nil {
		return nil
	}
	switch c, s := code(err), status(err); {
	case c == "NoSuchUpload":
		kind = storage.ErrNoUpload
	case s == http.StatusInsufficientStorage || c == "XMinioStorageFull" || c == "QuotaExceeded":
		kind = file.ErrNoSpace
	case s == http.StatusNotFound:
		kind = file.ErrObjectMissing
	case kind == file.ErrStorageRead && (s == http.StatusPreconditionFailed || s == http.StatusRequestedRangeNotSatisfiable):
		kind = file.ErrObjectChanged // another tag, or shorter than the range begins
	}
	return fmt.Errorf("%s: %w: %w", doing, kind, err)
}

func notImplemented(err error) bool {
	return status(err) == http.StatusNotImplemented || code(err) == "NotImplemented"
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func status(err error) int {
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) {
		return re.HTTPStatusCode()
	}
	return 0
}
