package storage

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"holdfast/file"
)

// Left is what lies in the store of an upload, beside the object under ObjectKey.
type Left struct {
	Keys       []string // of its tails, and of objects under fenced keys
	Multiparts []Begun
}

// Leftovers finds what lies in a bucket of an upload, whether a row names it or a crash has left it. A
// store whose keys may not list says so, and is taken for one that has nothing.
func (c *Client) Leftovers(ctx context.Context, bucket string, id file.ID) (Left, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	var tails, objects []string
	var plain, fenced []Begun
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { tails, err = c.keys(ctx, bucket, tailPrefix(id)); return err })
	g.Go(func() (err error) { objects, err = c.keys(ctx, bucket, fencedPrefix(id)); return err })
	g.Go(func() (err error) { plain, err = c.begun(ctx, bucket, ObjectKey(id), id); return err })
	g.Go(func() (err error) { fenced, err = c.begun(ctx, bucket, fencedPrefix(id), id); return err })
	err := g.Wait()
	return Left{append(tails, objects...), append(plain, fenced...)}, err
}

// keys lists the keys of a bucket that begin with prefix.
func (c *Client) keys(ctx context.Context, bucket, prefix string) (keys []string, err error) {
	pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, c.soon)
		if cantList(err) {
			return keys, nil
		}
		if err != nil {
			return nil, wrap(file.ErrStorageRead, "list objects", err)
		}
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	return keys, nil
}

// begun lists the multipart uploads of id whose keys begin with prefix.
func (c *Client) begun(ctx context.Context, bucket, prefix string, id file.ID) (all []Begun, err error) {
	pages := s3.NewListMultipartUploadsPaginator(c.s3, &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, c.soon)
		if cantList(err) {
			return all, nil
		}
		if err != nil {
			return nil, wrap(file.ErrStorageRead, "list multipart uploads", err)
		}
		for _, u := range page.Uploads {
			key := aws.ToString(u.Key)
			if owner, tail, err := Owner(key); err == nil && owner == id && !tail {
				all = append(all, Begun{key, aws.ToString(u.UploadId), aws.ToTime(u.Initiated)})
			}
		}
	}
	return all, nil
}

// cantList tells a store that has no such bucket, or lets nobody list it, from one that
// failed.
func cantList(err error) bool {
	switch status(err) {
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}
