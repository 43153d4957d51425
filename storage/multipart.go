package storage

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdfast/file"
)

// MaxParts is the highest part number S3 takes.
const MaxParts = 10000

// MinPart is the shortest part that S3 takes, but for the last one, in bytes.
const MinPart = 5 << 20

// BeginMultipart begins a multipart upload and returns the store's id of it.
func (c *Client) BeginMultipart(ctx context.Context, at file.Location, contentType string) (uploadID string, err error) {
	err = c.write(ctx, "begin multipart upload", at.Bucket, c.limits.writing(0), func(ctx context.Context) error {
		out, err := c.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key, ContentType: &contentType})
		if err == nil {
			uploadID, err = given("id", out.UploadId)
		}
		return err
	})
	return uploadID, err
}

// PutPart stores one part. body must stand at its beginning and hold size bytes; it is not
// read any more when PutPart has returned.
func (c *Client) PutPart(ctx context.Context, at file.Location, uploadID string, number int32, body io.ReadSeeker, size int64) (etag string, err error) {
	err = c.write(ctx, "put part", "", c.limits.writing(size), func(ctx context.Context) error {
		out, err := c.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: &uploadID,
			PartNumber: &number, Body: body, ContentLength: &size}, c.payload)
		if err == nil {
			etag, err = given("tag", out.ETag)
		}
		return err
	})
	return etag, err
}

// Complete makes the parts of a multipart upload one object. ErrNoUpload may mean
// that it was done before: look with Stat.
func (c *Client) Complete(ctx context.Context, at file.Location, uploadID string, parts []file.Part) error {
	completed := make([]types.CompletedPart, len(parts))
	for i := range parts {
		completed[i] = types.CompletedPart{PartNumber: &parts[i].Number, ETag: &parts[i].ETag}
	}
	return c.write(ctx, "complete multipart upload", "", c.limits.patient, func(ctx context.Context) error {
		_, err := c.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key,
			UploadId: &uploadID, MultipartUpload: &types.CompletedMultipartUpload{Parts: completed}}, c.patient)
		return err
	})
}

// Abort ends a multipart upload and removes its parts. One that is not there is no error.
func (c *Client) Abort(ctx context.Context, at file.Location, uploadID string) error {
	err := c.write(ctx, "abort multipart upload", "", c.limits.writing(0), func(ctx context.Context) error {
		_, err := c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: &uploadID})
		return err
	})
	if errors.Is(err, ErrNoUpload) || errors.Is(err, file.ErrObjectMissing) {
		return nil
	}
	return err
}
