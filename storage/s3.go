// Package storage is the S3 client, the layout of objects, and the embedded S3
// gateway. It is the only place that knows the S3 SDK.
//
// # Errors
//
// A write that fails is file.ErrStorageWrite, a read file.ErrStorageRead (both are
// file.ErrUnavailable); a full store is file.ErrNoSpace; an object that is not
// there is file.ErrObjectMissing; a multipart upload that is not there is ErrNoUpload.
//
// # Durability
//
// A write that returned without error survives a power cut. A remote store promises
// that by itself; for the embedded one, Client flushes the file system first.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdfast/file"
)

// MaxParts is the highest part number S3 takes.
const MaxParts = 10000

// ErrNoUpload says that the store does not know this multipart upload: it was
// completed or aborted before, or never begun.
var ErrNoUpload = errors.New("no such multipart upload")

// Time-outs of one call, its retries included.
const (
	writeTimeout = 5 * time.Minute
	askTimeout   = 30 * time.Second
)

// Options say which S3 to use and how.
type Options struct {
	Endpoint                     string // empty: AWS, by Region
	Region, AccessKey, SecretKey string
	SignPayload                  bool // sign the body's SHA-256 too; needed only where the way to the store is not trusted
	// Google works around two habits of Google Cloud Storage's S3 API: it changes
	// Accept-Encoding on the way in, which breaks a signature over it, and it knows
	// none of the SDK's checksums.
	Google bool

	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	durable func(context.Context) error
}

// Client speaks to one S3 store. Its methods may be called from several goroutines.
type Client struct {
	s3      *s3.Client
	durable func(context.Context) error
	close   func()
	buckets sync.Map // names of buckets that were there
}

// New returns a client. It does not connect; see Ping.
func New(o Options) *Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	if o.dial == nil {
		o.dial = dialer.DialContext
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           o.dial,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute, // completing a large multipart upload takes long on some stores
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
		DisableCompression:    true,
	}
	options := s3.Options{
		Region:       o.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, ""),
		HTTPClient:   &http.Client{Transport: transport},
		UsePathStyle: o.Endpoint != "",
		Retryer: retry.NewStandard(func(ro *retry.StandardOptions) {
			ro.MaxAttempts, ro.MaxBackoff = 4, time.Second
		}),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		// One round trip less for each part.
		ContinueHeaderThresholdBytes: -1,
	}
	if o.Endpoint != "" {
		options.BaseEndpoint = aws.String(o.Endpoint)
	}
	if !o.SignPayload {
		options.APIOptions = append(options.APIOptions, unsignedPayload)
	}
	if o.Google {
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		options.HTTPSignerV4 = googleSigner{v4.NewSigner(func(so *v4.SignerOptions) { so.DisableURIPathEscaping = true })}
	}
	if o.durable == nil {
		o.durable = func(context.Context) error { return nil }
	}
	return &Client{s3: s3.New(options), durable: o.durable, close: transport.CloseIdleConnections}
}

// unsignedPayload signs requests without reading their bodies for it. Calls that
// have no body to sign are left alone: the SDK does not hash those anyway.
func unsignedPayload(stack *middleware.Stack) error {
	if _, ok := stack.Finalize.Get("ComputePayloadHash"); !ok {
		return nil
	}
	return v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware(stack)
}

type googleSigner struct{ *v4.Signer }

func (g googleSigner) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string, at time.Time, opts ...func(*v4.SignerOptions)) error {
	encoding := r.Header.Get("Accept-Encoding")
	r.Header.Del("Accept-Encoding")
	err := g.Signer.SignHTTP(ctx, c, r, payloadHash, service, region, at, opts...)
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	return err
}

// Close gives idle connections back.
func (c *Client) Close() { c.close() }

// Ping asks whether the store answers. It looks at a bucket that need not exist:
// any answer that is not the store's own failure will do, for keys that may be
// allowed no more than their buckets.
func (c *Client) Ping(ctx context.Context, bucket string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := c.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	if s := status(err); err == nil || s >= 300 && s < 500 {
		return nil
	}
	return wrap(file.ErrStorageRead, "reach the object store", err)
}

// Put stores an object whole. body must stand at its beginning and hold size bytes.
func (c *Client) Put(ctx context.Context, at file.Location, contentType string, body io.ReadSeeker, size int64) (etag string, err error) {
	err = c.write(ctx, "put object", at.Bucket, func(ctx context.Context) error {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		out, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &at.Bucket, Key: &at.Key, ContentType: &contentType,
			Body: body, ContentLength: &size})
		if err == nil {
			etag = aws.ToString(out.ETag)
		}
		return err
	})
	return etag, err
}

// BeginMultipart begins a multipart upload and returns the store's id of it.
func (c *Client) BeginMultipart(ctx context.Context, at file.Location, contentType string) (uploadID string, err error) {
	err = c.write(ctx, "begin multipart upload", at.Bucket, func(ctx context.Context) error {
		out, err := c.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key, ContentType: &contentType})
		if err == nil {
			uploadID = aws.ToString(out.UploadId)
		}
		return err
	})
	return uploadID, err
}

// PutPart stores one part.
func (c *Client) PutPart(ctx context.Context, at file.Location, uploadID string, number int32, body io.ReadSeeker, size int64) (etag string, err error) {
	err = c.write(ctx, "put part", "", func(ctx context.Context) error {
		out, err := c.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: &uploadID,
			PartNumber: &number, Body: body, ContentLength: &size})
		if err == nil {
			etag = aws.ToString(out.ETag)
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
	return c.write(ctx, "complete multipart upload", "", func(ctx context.Context) error {
		_, err := c.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key,
			UploadId: &uploadID, MultipartUpload: &types.CompletedMultipartUpload{Parts: completed}})
		return err
	})
}

// Abort ends a multipart upload and removes its parts. One that is not there is no error.
func (c *Client) Abort(ctx context.Context, at file.Location, uploadID string) error {
	err := c.write(ctx, "abort multipart upload", "", func(ctx context.Context) error {
		_, err := c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: &uploadID})
		return err
	})
	if errors.Is(err, ErrNoUpload) || errors.Is(err, file.ErrObjectMissing) {
		return nil
	}
	return err
}

// Delete removes an object. One that is not there is no error.
func (c *Client) Delete(ctx context.Context, at file.Location) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &at.Bucket, Key: &at.Key})
	err = wrap(file.ErrStorageWrite, "delete object", err)
	if errors.Is(err, file.ErrObjectMissing) {
		return nil
	}
	return err
}

// Object is what the store says of an object.
type Object struct {
	Size int64
	ETag string
}

// Stat looks at an object.
func (c *Client) Stat(ctx context.Context, at file.Location) (Object, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &at.Bucket, Key: &at.Key})
	if err != nil {
		return Object{}, wrap(file.ErrStorageRead, "look at object", err)
	}
	return Object{Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag)}, nil
}

// Open reads length bytes of an object from offset on. An etag, if given, is what the
// object must still have.
func (c *Client) Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &at.Bucket, Key: &at.Key}
	if length > 0 { // a range over an empty object can't be satisfied
		in.Range = aws.String("bytes=" + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+length-1, 10))
	}
	if etag != "" {
		in.IfMatch = &etag
	}
	out, err := c.s3.GetObject(ctx, in)
	if err != nil {
		return nil, wrap(file.ErrStorageRead, "read object", err)
	}
	if got := aws.ToInt64(out.ContentLength); got != length {
		out.Body.Close()
		return nil, fmt.Errorf("read object: %w: it has %d bytes from %d on, want %d", file.ErrStorageRead, got, offset, length)
	}
	return out.Body, nil
}

// write does one writing call: in its time, in a bucket that is created when it is
// first missing, and durable when it returns.
func (c *Client) write(ctx context.Context, doing, bucket string, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
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
	if err == nil {
		err = c.durable(ctx)
	}
	return wrap(file.ErrStorageWrite, doing, err)
}

// ensureBucket looks once whether a bucket is there, and creates it if not. Before the
// write and not after it failed: a store that refuses a large body for want of a bucket
// may do so by cutting the connection, which tells nothing.
func (c *Client) ensureBucket(ctx context.Context, bucket string) error {
	if _, known := c.buckets.Load(bucket); known || bucket == "" {
		return nil
	}
	_, err := c.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
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

func wrap(kind error, doing string, err error) error {
	if err == nil {
		return nil
	}
	switch c, s := code(err), status(err); {
	case c == "NoSuchUpload":
		kind = ErrNoUpload
	case s == http.StatusInsufficientStorage || c == "XMinioStorageFull" || c == "QuotaExceeded":
		kind = file.ErrNoSpace
	case s == http.StatusNotFound || s == http.StatusPreconditionFailed && kind == file.ErrStorageRead:
		kind = file.ErrObjectMissing
	}
	return fmt.Errorf("%s: %w: %w", doing, kind, err)
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
