package s3

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdfast/file"
	"holdfast/storage"
)

// BeginMultipart begins a multipart upload and returns the id by which the other methods
// know it. The store is told that each part comes with its CRC32: then it compares them in
// the end, and does not compute a sum of its own over every byte instead, as some do.
// copies says that parts will be copied: versitygw makes a wrong sum of a source in parts.
func (c *Client) BeginMultipart(ctx context.Context, at file.Location, contentType string, copies bool) (uploadID string, err error) {
	err = c.write(ctx, "begin multipart upload", at.Bucket, c.limits.writing(0), func(ctx context.Context) error {
		in := &s3.CreateMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key, ContentType: &contentType}
		mark := ""
		if !c.quirks.NoChecksums && !copies {
			in.ChecksumAlgorithm, mark = types.ChecksumAlgorithmCrc32, storage.Summed
		}
		out, err := c.s3.CreateMultipartUpload(ctx, in)
		if mark != "" && notImplemented(err) {
			in.ChecksumAlgorithm, mark = "", ""
			out, err = c.s3.CreateMultipartUpload(ctx, in)
		}
		if err == nil {
			uploadID, err = given("id", out.UploadId)
			uploadID += mark
		}
		return err
	})
	return uploadID, err
}

// ownID is the store's own id of a multipart upload.
func ownID(uploadID string) *string { return aws.String(strings.TrimSuffix(uploadID, storage.Summed)) }

// PutPart stores one part. body must stand at its beginning and hold size bytes; it is not
// read any more when PutPart has returned. The tag is what Complete needs: the store's own
// and, behind a space, the part's CRC32 if the store has taken note of it.
func (c *Client) PutPart(ctx context.Context, at file.Location, uploadID string, number int32, body io.ReadSeeker, size int64) (etag string, err error) {
	err = c.write(ctx, "put part", "", c.limits.writing(size), func(ctx context.Context) error {
		out, err := c.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: ownID(uploadID),
			PartNumber: &number, Body: body, ContentLength: &size}, c.payload)
		if err == nil {
			etag, err = given("tag", out.ETag)
			if sum := aws.ToString(out.ChecksumCRC32); sum != "" && strings.HasSuffix(uploadID, storage.Summed) {
				etag += " " + sum
			}
		}
		return err
	})
	return etag, err
}

// completed lists parts for the store, with all their sums, or none: a store that gave one
// no sum did not listen.
func completed(parts []file.Part) []types.CompletedPart {
	list, all := make([]types.CompletedPart, len(parts)), true
	for i, p := range parts {
		tag, sum, ok := strings.Cut(p.ETag, " ")
		list[i] = types.CompletedPart{PartNumber: &parts[i].Number, ETag: &tag, ChecksumCRC32: &sum}
		all = all && ok
	}
	for i := 0; i < len(list) && !all; i++ {
		list[i].ChecksumCRC32 = nil
	}
	return list
}

// Complete makes the parts of a multipart upload one object. ErrNoUpload may mean
// that it was done before: look with Stat.
func (c *Client) Complete(ctx context.Context, at file.Location, uploadID string, parts []file.Part) error {
	list := completed(parts)
	return c.write(ctx, "complete multipart upload", "", c.limits.patient, func(ctx context.Context) error {
		_, err := c.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key,
			UploadId: ownID(uploadID), MultipartUpload: &types.CompletedMultipartUpload{Parts: list}}, c.patient)
		return err
	})
}

// Abort ends a multipart upload and removes its parts. One that is not there is no error.
func (c *Client) Abort(ctx context.Context, at file.Location, uploadID string) error {
	err := c.write(ctx, "abort multipart upload", "", c.limits.writing(0), func(ctx context.Context) error {
		_, err := c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: ownID(uploadID)})
		return err
	})
	if errors.Is(err, storage.ErrNoUpload) || errors.Is(err, file.ErrObjectMissing) {
		return nil
	}
	return err
}
