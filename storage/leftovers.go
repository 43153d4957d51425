package storage

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
)

// Leftovers finds what a crash left of an upload and no row names: the keys of its tails,
// and the ids of multipart uploads under its object's key. A store whose keys may not list
// says so, and is taken for one that has none.
func (c *Client) Leftovers(ctx context.Context, at file.Location, id file.ID) (tails, multiparts []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	prefix := tailPrefix(id)
	keys := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: &at.Bucket, Prefix: &prefix})
	for keys.HasMorePages() {
		page, err := keys.NextPage(ctx, c.soon)
		if err != nil {
			if cantList(err) {
				break
			}
			return nil, nil, wrap(file.ErrStorageRead, "list tails", err)
		}
		for _, o := range page.Contents {
			tails = append(tails, aws.ToString(o.Key))
		}
	}
	begun := s3.NewListMultipartUploadsPaginator(c.s3, &s3.ListMultipartUploadsInput{Bucket: &at.Bucket, Prefix: &at.Key})
	for begun.HasMorePages() {
		page, err := begun.NextPage(ctx, c.soon)
		if err != nil {
			if cantList(err) {
				break
			}
			return nil, nil, wrap(file.ErrStorageRead, "list multipart uploads", err)
		}
		for _, u := range page.Uploads {
			if aws.ToString(u.Key) == at.Key {
				multiparts = append(multiparts, aws.ToString(u.UploadId))
			}
		}
	}
	return tails, multiparts, nil
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
