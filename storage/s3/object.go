package s3

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
	"holdfast/storage"
)

// Put stores an object whole. body must hold size bytes.
func (c *Client) Put(
	ctx context.Context, at file.Location, contentType string, body io.ReadSeeker, size int64,
) (etag string, err error) {
	err = c.write(ctx, "put object", at.Bucket, c.limits.writing(size), func(ctx context.Context) error {
		if req, ok := c.outgoing(at, body, size); ok {
			req.header.Set("Content-Type", contentType)
			answer, err := c.send(ctx, "PutObject", req)
			if err == nil {
				etag, err = given("tag", aws.String(answer.Get("ETag")))
			}
			return err
		}
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		out, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &at.Bucket, Key: &at.Key, ContentType: &contentType,
			Body: body, ContentLength: &size}, c.payload)
		if err == nil {
			etag, err = given("tag", out.ETag)
		}
		return err
	})
	return etag, err
}

// Stat looks at an object.
func (c *Client) Stat(ctx context.Context, at file.Location) (storage.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	out, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &at.Bucket, Key: &at.Key}, c.soon)
	if status(err) == http.StatusNotFound {
		err = c.confirmMissing(ctx, at, err)
	}
	if err != nil {
		return storage.Object{}, wrap(file.ErrStorageRead, "look at object", err)
	}
	return storage.Object{Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag),
		Type: aws.ToString(out.ContentType), Modified: aws.ToTime(out.LastModified)}, nil
}

// confirmMissing repeats with GET a request that HEAD has answered with 404: an answer to HEAD has no body in which S3
// would say that the object is missing, so any web server's 404 looks the same.
func (c *Client) confirmMissing(ctx context.Context, at file.Location, head error) error {
	first := "bytes=0-0"
	out, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &at.Bucket, Key: &at.Key, Range: &first}, c.soon)
	if err != nil {
		return err
	}
	out.Body.Close()
	return fmt.Errorf("HEAD finds nothing where GET does: %s", head.Error())
}
