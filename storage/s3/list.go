package s3

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
	"holdfast/storage"
)

// List implements storage.Store.
func (c *Client) List(ctx context.Context, bucket, prefix, after string) ([]storage.ListedObject, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.patient)
	defer cancel()
	in := &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix}
	if after != "" {
		in.StartAfter = &after
	}
	// A page may be empty without being the last, if the store skipped deleted objects.
	for pages := s3.NewListObjectsV2Paginator(c.s3, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, c.soon)
		if err = wrap(file.ErrStorageRead, "list objects", err); errors.Is(err, file.ErrObjectMissing) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		var all []storage.ListedObject
		for _, o := range page.Contents {
			all = append(all, storage.ListedObject{
				Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), ETag: aws.ToString(o.ETag),
				Modified: aws.ToTime(o.LastModified)})
		}
		if len(all) > 0 {
			return all, nil
		}
	}
	return nil, nil
}

// Multiparts implements storage.Store.
func (c *Client) Multiparts(ctx context.Context, bucket string, each func(storage.MultipartUpload) error) error {
	for pages := s3.NewListMultipartUploadsPaginator(c.s3,
		&s3.ListMultipartUploadsInput{Bucket: &bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, c.soon)
		if err = wrap(file.ErrStorageRead, "list multipart uploads", err); errors.Is(err, file.ErrObjectMissing) {
			return nil
		} else if err != nil {
			return err
		}
		for _, u := range page.Uploads {
			if err := each(begun(u)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Buckets implements storage.Store.
func (c *Client) Buckets(ctx context.Context, prefix string) (names []string, err error) {
	for pages := s3.NewListBucketsPaginator(c.s3, &s3.ListBucketsInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, c.soon)
		if err != nil && cantList(err) {
			return nil, nil
		} else if err != nil {
			return nil, wrap(file.ErrStorageRead, "list buckets", err)
		}
		for _, b := range page.Buckets {
			if name := aws.ToString(b.Name); strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
