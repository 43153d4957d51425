package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdfast/file"
	"holdfast/storage"
)

// CopyPart has the store make a part of length bytes of the object from, from offset on.
// fromETag, if given, is what that object must still have; if it has another, or is not
// there, the error is file.ErrObjectMissing. The multipart upload must have been begun for
// copies. ErrNoCopy if the store can't do it.
func (c *Client) CopyPart(ctx context.Context, from file.Location, fromETag string, offset, length int64, to file.Location, uploadID string, number int32) (etag string, err error) {
	in := &s3.UploadPartCopyInput{Bucket: &to.Bucket, Key: &to.Key, UploadId: ownID(uploadID), PartNumber: &number,
		CopySource: aws.String(escape(from.Bucket) + "/" + escape(from.Key)), CopySourceRange: byteRange(offset, length)}
	if fromETag != "" {
		in.CopySourceIfMatch = &fromETag
	}
	err = c.write(ctx, "copy part", "", c.limits.patient, func(ctx context.Context) error {
		out, err := c.s3.UploadPartCopy(ctx, in, c.patient)
		switch s := status(err); {
		case notImplemented(err) || s == http.StatusMethodNotAllowed || code(err) == "MethodNotAllowed":
			return fmt.Errorf("%w: %w", storage.ErrNoCopy, err)
		case s == http.StatusPreconditionFailed:
			return fmt.Errorf("%w: %w", file.ErrObjectMissing, err)
		case err != nil:
			return err
		case out.CopyPartResult == nil:
			return errors.New("an answer without a result: not the store's")
		}
		etag, err = given("tag", out.CopyPartResult.ETag)
		return err
	})
	return etag, err
}

// Copy has the store copy an object of at most MaxCopy bytes, which must still have the tag
// fromETag. ErrNoCopy if the store can't do it.
func (c *Client) Copy(ctx context.Context, from file.Location, fromETag string, to file.Location, contentType string) error {
	in := &s3.CopyObjectInput{Bucket: &to.Bucket, Key: &to.Key, CopySource: aws.String(escape(from.Bucket) + "/" + escape(from.Key)),
		CopySourceIfMatch: &fromETag, MetadataDirective: types.MetadataDirectiveReplace, ContentType: &contentType}
	return c.write(ctx, "copy object", to.Bucket, c.limits.patient, func(ctx context.Context) error {
		_, err := c.s3.CopyObject(ctx, in, c.patient)
		switch s := status(err); {
		case s == http.StatusNotImplemented || s == http.StatusMethodNotAllowed || s == http.StatusForbidden:
			return fmt.Errorf("%w: %w", storage.ErrNoCopy, err)
		case s == http.StatusPreconditionFailed:
			return fmt.Errorf("%w: %w", file.ErrObjectMissing, err)
		}
		return err
	})
}

// escape writes a bucket or a key for a URL in a header: all but unreserved characters
// (RFC 3986, 2.3) and slashes. Some stores take a "+" there for a space.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s))
}
