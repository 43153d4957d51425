package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdfast/file"
)

// maxDeleted is how many objects S3 removes in one call.
const maxDeleted = 1000

// Delete removes an object. One that is not there is no error.
func (c *Client) Delete(ctx context.Context, at file.Location) error {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &at.Bucket, Key: &at.Key}, c.soon)
	err = wrap(file.ErrStorageWrite, "delete object", err)
	if errors.Is(err, file.ErrObjectMissing) {
		return nil
	}
	return err
}

// DeleteAll implements storage.Deleter. What the store does not remove in one call is removed one by one. If that works
// the store is not asked for several before refusalTTL.
func (c *Client) DeleteAll(ctx context.Context, bucket string, keys []string) (err error) {
	for batch := range slices.Chunk(keys, maxDeleted) {
		left, ask := batch, len(batch) > 1 && !c.noDeleteObjects.stands()
		if ask {
			var failed error
			left, failed = c.deleteObjects(ctx, bucket, batch)
			err = errors.Join(err, failed)
		}
		alone := c.deleteEach(ctx, bucket, left)
		if ask && len(left) > 0 && alone == nil {
			c.noDeleteObjects.note(refusalTTL)
		}
		err = errors.Join(err, alone)
	}
	return err
}

// deleteObjects removes objects in one call. It returns the keys about which the store has said nothing: it may not
// know the call.
func (c *Client) deleteObjects(ctx context.Context, bucket string, keys []string) (left []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	in := &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{}}
	for _, key := range keys {
		in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: &key})
	}
	out, err := c.s3.DeleteObjects(ctx, in, c.soon, withMD5)
	switch s := status(err); {
	case code(err) == "NoSuchBucket":
		return nil, nil
	case s >= 300 && s < 500 && s != http.StatusTooManyRequests || notImplemented(err):
		return keys, nil
	case err != nil:
		return nil, wrap(file.ErrStorageWrite, "delete objects", err)
	}
	said := make(map[string]bool, len(keys))
	for _, d := range out.Deleted {
		said[aws.ToString(d.Key)] = true
	}
	for _, e := range out.Errors {
		said[aws.ToString(e.Key)] = true
		if c := aws.ToString(e.Code); c != "NoSuchKey" {
			err = errors.Join(err, fmt.Errorf("delete objects: %w: %s: %s: %s", file.ErrStorageWrite, aws.ToString(e.Key), c,
				aws.ToString(e.Message)))
		}
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return said[key] }), err
}

func (c *Client) deleteEach(ctx context.Context, bucket string, keys []string) (err error) {
	for _, key := range keys {
		err = errors.Join(err, c.Delete(ctx, file.Location{Bucket: bucket, Key: key}))
	}
	return err
}

// withMD5 adds Content-MD5 to a call: S3 asked for it before there were other checksums, and many stores still do.
func withMD5(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.AddContentChecksumMiddleware)
}
