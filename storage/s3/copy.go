package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdfast/file"
	"holdfast/storage"
)

// CopyPart implements storage.Copier. A refusal is ErrNoCopy, in whatever form the store refuses. If it does not seem
// to be about this part only, the store is not asked again before refusalTTL. A store that wants parts of one size
// refuses, too.
func (c *Client) CopyPart(
	ctx context.Context, from file.Location, fromETag string, offset, length int64,
	to file.Location, m file.Multipart, number int32,
) (part file.Part, err error) {
	part = file.Part{Number: number, Size: length}
	if !c.noPartCopy.stands() && !c.mixesParts(ctx, to.Bucket) {
		return part, fmt.Errorf("copy part: %w: %w", file.ErrStorageWrite, storage.ErrNoCopy)
	}
	in := &s3.UploadPartCopyInput{Bucket: &to.Bucket, Key: &to.Key, UploadId: &m.ID, PartNumber: &number,
		CopySource: copySource(from), CopySourceRange: byteRange(offset, length)}
	if fromETag != "" {
		in.CopySourceIfMatch = &fromETag
	}
	err = c.copy(ctx, "copy part", "", &c.noPartCopy, func(ctx context.Context) error {
		out, err := c.s3.UploadPartCopy(ctx, in, c.patient)
		switch {
		case err != nil:
			return err
		case out.CopyPartResult == nil:
			// A store that does not know copies takes the request for a part without bytes.
			return errNoResult
		}
		part.ETag, err = given("tag", out.CopyPartResult.ETag)
		return err
	})
	return part, err
}

// Copy implements storage.Copier. Refusals are as for CopyPart.
func (c *Client) Copy(
	ctx context.Context, from file.Location, fromETag string, to file.Location, contentType string,
) error {
	in := &s3.CopyObjectInput{Bucket: &to.Bucket, Key: &to.Key, CopySource: copySource(from),
		CopySourceIfMatch: &fromETag, MetadataDirective: types.MetadataDirectiveReplace, ContentType: &contentType}
	return c.copy(ctx, "copy object", to.Bucket, &c.noObjectCopy, func(ctx context.Context) error {
		out, err := c.s3.CopyObject(ctx, in, c.patient)
		if err == nil && out.CopyObjectResult == nil {
			return errNoResult
		}
		return err
	})
}

// errNoResult is the error for a copy that was answered with success, but without a result.
var errNoResult = errors.New("an answer without a result")

// copy makes one call that copies, unless the store has refused such calls.
func (c *Client) copy(ctx context.Context, doing, bucket string, no *refusal, call func(context.Context) error) error {
	if no.stands() {
		return fmt.Errorf("%s: %w: %w", doing, file.ErrStorageWrite, storage.ErrNoCopy)
	}
	return c.write(ctx, doing, bucket, c.limits.patient, func(ctx context.Context) error {
		err := call(ctx)
		refused, always := c.refusesCopy(err)
		switch {
		case always:
			no.note(refusalTTL)
			fallthrough
		case refused:
			return fmt.Errorf("%w: %w", storage.ErrNoCopy, err)
		case status(err) == http.StatusPreconditionFailed:
			return fmt.Errorf("%w: %w", file.ErrObjectMissing, err)
		}
		return err
	})
}

// refusesCopy distinguishes a store that does not copy from one that failed, or lacks the source. Stores refuse in
// many ways: 501, 405, 411 (they want the bytes), 400 with a code of their own, 200 for a part without bytes. always
// says that it will refuse every copy: the refusal was not about this source, its range or the right to read it.
func (c *Client) refusesCopy(err error) (refused, always bool) {
	if errors.Is(err, errNoResult) {
		return true, true
	}
	s := status(err)
	switch code(err) {
	case "NoSuchUpload", "NoSuchKey", "NoSuchBucket":
		return false, false
	case "NotImplemented", "MethodNotAllowed":
		return true, true
	case "InvalidRange", "InvalidCopySource", "EntityTooLarge", "EntityTooSmall", "KeyTooLongError":
		return true, false
	}
	switch {
	case s == http.StatusNotImplemented:
		return true, true
	case s < 300 || s >= 500 || s == http.StatusPreconditionFailed || c.retryer.IsErrorRetryable(err):
		return false, false
	case s == http.StatusForbidden || s == http.StatusNotFound || s == http.StatusConflict ||
		s == http.StatusRequestedRangeNotSatisfiable:
		return true, false
	}
	return true, true
}

// refusal remembers that a store does not support an operation. A refusal that was seen expires after refusalTTL: the
// store may have been replaced by a newer one, or a proxy may have been the cause.
type refusal struct {
	known bool // it never does
	until atomic.Pointer[time.Time]
}

const refusalTTL = time.Hour

func (r *refusal) stands() bool {
	until := r.until.Load()
	return r.known || until != nil && time.Now().Before(*until)
}

func (r *refusal) note(ttl time.Duration) { r.until.Store(new(time.Now().Add(ttl))) }

// copySource returns an object as a header names it: everything but unreserved characters (RFC 3986, 2.3) and slashes
// is escaped. Some stores read a "+" there as a space.
func copySource(at file.Location) *string {
	escape := strings.NewReplacer("+", "%20", "%2F", "/")
	return aws.String(escape.Replace(url.QueryEscape(at.Bucket)) + "/" + escape.Replace(url.QueryEscape(at.Key)))
}
