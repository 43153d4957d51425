package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
)

// MinCopy is the shortest part, but for the last one, that S3 takes, in bytes.
const MinCopy = 5 << 20

// MaxCopy is the longest object that S3 copies, in bytes.
const MaxCopy = 5 << 30

// ErrNoCopy says that the store can't copy a part by itself: its bytes have to be read
// and sent.
var ErrNoCopy = errors.New("the store can't copy parts")

// CopyPart makes a part of length bytes of another object, from offset on, without
// sending them. An etag, if given, is what that object must still have.
func (c *Client) CopyPart(ctx context.Context, from file.Location, fromETag string, offset, length int64,
	to file.Location, uploadID string, number int32) (etag string, err error) {
	in := &s3.UploadPartCopyInput{
		Bucket: &to.Bucket, Key: &to.Key, UploadId: &uploadID, PartNumber: &number,
		CopySource:      aws.String((&url.URL{Path: from.Bucket + "/" + from.Key}).EscapedPath()),
		CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)),
	}
	if fromETag != "" {
		in.CopySourceIfMatch = &fromETag
	}
	err = c.write(ctx, "copy part", "", func(ctx context.Context) error {
		out, err := c.s3.UploadPartCopy(ctx, in)
		if s := status(err); s == http.StatusNotImplemented || s == http.StatusMethodNotAllowed || code(err) == "NotImplemented" {
			return fmt.Errorf("%w: %w", ErrNoCopy, err)
		}
		if err == nil && out.CopyPartResult != nil {
			etag = aws.ToString(out.CopyPartResult.ETag)
		}
		return err
	})
	return etag, err
}
