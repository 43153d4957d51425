package s3

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"holdfast/file"
	"holdfast/storage"
)

// Leftovers implements storage.Store.
func (c *Client) Leftovers(ctx context.Context, bucket string, id file.ID) (storage.Leftovers, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	var tails, objects []string
	var plain, fenced []storage.MultipartUpload
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { tails, err = c.keys(ctx, bucket, storage.TailPrefix(id)); return err })
	g.Go(func() (err error) { objects, err = c.keys(ctx, bucket, storage.FencedPrefix(id)); return err })
	if c.quirks.ExactMultiparts {
		g.Go(func() (err error) { plain, err = c.multiparts(ctx, bucket, "", id); return err })
	} else {
		g.Go(func() (err error) { plain, err = c.multiparts(ctx, bucket, storage.ObjectKey(id), id); return err })
		g.Go(func() (err error) { fenced, err = c.multiparts(ctx, bucket, storage.FencedPrefix(id), id); return err })
	}
	err := g.Wait()
	return storage.Leftovers{Keys: append(tails, objects...), Multiparts: append(plain, fenced...)}, err
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

// multiparts lists the multipart uploads of id whose keys begin with prefix.
func (c *Client) multiparts(
	ctx context.Context, bucket, prefix string, id file.ID,
) (all []storage.MultipartUpload, err error) {
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
			if owner, tail, err := storage.Owner(key); err == nil && owner == id && !tail {
				all = append(all, begun(u))
			}
		}
	}
	return all, nil
}

func begun(u types.MultipartUpload) storage.MultipartUpload {
	return storage.MultipartUpload{Key: aws.ToString(u.Key), ID: aws.ToString(u.UploadId), Since: aws.ToTime(u.Initiated)}
}

// cantList reports whether the store says that there is no such bucket, or that this client may not list it. Other
// errors are failures.
func cantList(err error) bool {
	switch status(err) {
	case http.StatusForbidden:
		return answered(err)
	case http.StatusNotFound:
		return missing(err)
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}
