// Package store is the benchmark's own client of the S3 store: it puts objects directly, for comparison, checks what
// the servers stored, and frees space.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

// Access is the address and the credentials of the store.
type Access struct {
	Endpoint, Region, AccessKey, SecretKey string
}

// None reports whether there is no store: the servers keep files themselves.
func (a Access) None() bool { return a.Endpoint == "" }

// Store is a client of the store. It may be used by several goroutines.
type Store struct {
	client *s3.Client
	upload *transfermanager.Client
}

// New returns a client; it does not connect.
func New(a Access) *Store {
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(a.Endpoint), Region: a.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(a.AccessKey, a.SecretKey, ""),
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, WriteBufferSize: 64 << 10,
			ReadBufferSize: 64 << 10}},
		// Signing the SHA-256 of each part would take time at both ends. The direct put should be as fast as possible;
		// the SDK's CRC32 stays.
		APIOptions: []func(*middleware.Stack) error{unsignedPayload},
	})
	return &Store{client: client, upload: transfermanager.New(client)}
}

// unsignedPayload comes before the SDK's own steps: over plain HTTP its checksum step also computes the SHA-256, which
// is then signed, whatever a later step asks for.
func unsignedPayload(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("unsignedPayload",
		func(ctx context.Context, in middleware.InitializeInput,
			next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(v4.SetPayloadHash(ctx, "UNSIGNED-PAYLOAD"), in)
		}), middleware.Before)
}

// Put puts an object as the SDK does by default: in parts of 8 MiB, five at a time.
func (s *Store) Put(ctx context.Context, bucket, key string, body io.Reader) error {
	_, err := s.upload.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &bucket, Key: &key, Body: body})
	if err != nil {
		return fmt.Errorf("put %s/%s: %w", bucket, key, err)
	}
	return nil
}

// Get reads length bytes of an object from offset on, as the SDK does by default. The body
// must be closed.
func (s *Store) Get(ctx context.Context, bucket, key string, offset, length int64) (io.ReadCloser, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key,
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))})
	if err != nil {
		return nil, fmt.Errorf("get %s/%s: %w", bucket, key, err)
	}
	return out.Body, nil
}

// Presign returns a URL with which anybody may read an object, or a range of it, for that long. The object need not
// exist yet.
func (s *Store) Presign(ctx context.Context, bucket, key string, lasting time.Duration) (*url.URL, error) {
	presign := s3.NewPresignClient(s.client, s3.WithPresignExpires(lasting),
		s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
			// Otherwise the SDK signs a header that asks for checksums, which every client would have to send.
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}))
	r, err := presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("sign the address of %s/%s: %w", bucket, key, err)
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, fmt.Errorf("sign the address of %s/%s: %w", bucket, key, err)
	}
	return u, nil
}

// Size returns the length of an object, in bytes.
func (s *Store) Size(ctx context.Context, bucket, key string) (int64, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return 0, fmt.Errorf("look at %s/%s: %w", bucket, key, err)
	}
	return aws.ToInt64(out.ContentLength), nil
}

// CreateBucket creates a bucket, if it does not exist.
func (s *Store) CreateBucket(ctx context.Context, bucket string) error {
	_, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
	var owned *types.BucketAlreadyOwnedByYou
	var exists *types.BucketAlreadyExists
	if err != nil && !errors.As(err, &owned) && !errors.As(err, &exists) {
		return fmt.Errorf("create bucket %s: %w", bucket, err)
	}
	return nil
}

// Empty removes all objects and unfinished multipart uploads of a bucket, since the RAM disk is small. It is no error
// if the bucket does not exist.
func (s *Store) Empty(ctx context.Context, bucket string) error {
	uploads := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &bucket})
	for uploads.HasMorePages() {
		page, err := uploads.NextPage(ctx)
		if missing(err) {
			return nil
		} else if err != nil {
			return fmt.Errorf("list the unfinished uploads of %s: %w", bucket, err)
		}
		for _, u := range page.Uploads {
			if _, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: u.Key,
				UploadId: u.UploadId}); err != nil {
				return fmt.Errorf("abort an upload to %s: %w", bucket, err)
			}
		}
	}
	objects := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for objects.HasMorePages() {
		page, err := objects.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list %s: %w", bucket, err)
		}
		if len(page.Contents) == 0 {
			break
		}
		var these types.Delete
		for _, o := range page.Contents {
			these.Objects = append(these.Objects, types.ObjectIdentifier{Key: o.Key})
		}
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &these})
		if err != nil {
			return fmt.Errorf("empty %s: %w", bucket, err)
		}
		if len(out.Errors) > 0 {
			return fmt.Errorf("empty %s: %s: %s", bucket, aws.ToString(out.Errors[0].Key), aws.ToString(out.Errors[0].Message))
		}
	}
	return nil
}

func missing(err error) bool {
	var answer interface{ ErrorCode() string }
	return errors.As(err, &answer) && answer.ErrorCode() == "NoSuchBucket"
}
