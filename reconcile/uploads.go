package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// leftovers calls found for the tails and multipart uploads in an account's bucket that are not needed any more.
func (c *Checker) leftovers(ctx context.Context, account int64, found func(context.Context, Finding) error) error {
	bucket := c.Layout.Object(account, "").Bucket
	for after := ""; ; {
		tails, err := c.Objects.List(ctx, bucket, storage.Tails, after)
		if err != nil {
			return err
		}
		if len(tails) == 0 {
			break
		}
		for _, t := range tails {
			c.Summary.Objects++
			c.Summary.Bytes += t.Size
			if err := c.tail(ctx, account, bucket, t, found); err != nil {
				return err
			}
		}
		after = tails[len(tails)-1].Key
	}
	return c.Objects.Multiparts(ctx, bucket, func(b storage.MultipartUpload) error {
		return c.multipart(ctx, account, bucket, b, found)
	})
}

// orphans looks for parts to which neither an upload nor an object leads, in a store that may have them.
func (c *Checker) orphans(ctx context.Context, account int64) error {
	store, ok := c.Objects.(storage.OrphanLister)
	if !ok {
		return nil
	}
	bucket := c.Layout.Object(account, "").Bucket
	return store.Orphans(ctx, bucket, func(b storage.MultipartUpload) error {
		return c.resolve(ctx, Finding{Kind: UnknownParts, Account: account, At: file.Location{Bucket: bucket},
			multipart: b.ID, young: c.isYoung(b.Since), Detail: fmt.Sprintf("parts/%s, which no object names, since %s", b.ID,
				b.Since.Format(time.DateOnly))})
	})
}

// tail checks whether an upload still needs a tail.
func (c *Checker) tail(ctx context.Context, account int64, bucket string, t storage.ListedObject,
	found func(context.Context, Finding) error) error {
	f := Finding{Kind: UnknownTail, Account: account, At: file.Location{Bucket: bucket, Key: t.Key},
		young:  c.isYoung(t.Modified),
		Detail: fmt.Sprintf("%s of %d bytes, stored %s", t.Key, t.Size, t.Modified.Format(time.DateOnly))}
	id, _, err := storage.Owner(t.Key)
	if err != nil || f.young { // it is judged when it is old enough
		return found(ctx, f)
	}
	f.ID = id
	u, err := c.Rows.UploadRow(ctx, id)
	if gone(err) {
		// A file of another program may have a key that looks like a tail's.
		if r, err := c.Rows.File(ctx, file.ID(t.Key)); !gone(err) && (err != nil || c.Layout.Of(r) == f.At) {
			return err
		}
		return found(ctx, f)
	}
	// The engine removes what belongs to a deleted upload.
	if err != nil || u.State == file.Deleted || u.Location.Bucket != bucket {
		return err
	}
	// Tails that were added since the row was read are younger than MinAge.
	named, err := c.Rows.UploadTails(ctx, id)
	if err != nil || slices.ContainsFunc(named, func(n file.Tail) bool { return n.Key == t.Key }) {
		return err
	}
	f.Kind = LeftTail
	return found(ctx, f)
}

// multipart checks whether an upload still needs a multipart upload of the store.
func (c *Checker) multipart(ctx context.Context, account int64, bucket string, b storage.MultipartUpload,
	found func(context.Context, Finding) error) error {
	f := Finding{Kind: UnknownParts, Account: account, At: file.Location{Bucket: bucket, Key: b.Key}, multipart: b.ID,
		young:  c.isYoung(b.Since),
		Detail: fmt.Sprintf("%s, begun %s", b.Key, b.Since.Format(time.DateOnly))}
	id, _, err := storage.Owner(b.Key)
	if err != nil || f.young {
		return found(ctx, f)
	}
	f.ID = id
	if begun, err := c.Rows.Importing(ctx, id); begun || err != nil {
		return err
	}
	u, err := c.Rows.UploadRow(ctx, id)
	if gone(err) {
		return found(ctx, f)
	}
	if err != nil || u.State == file.Deleted || u.Location.Bucket != bucket {
		return err
	}
	if u.Multipart.ID == b.ID && u.State != file.Recorded && u.State != file.Stored {
		return nil
	}
	f.Kind = LeftParts
	return found(ctx, f)
}
