package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// leftovers calls found for the tails, probes and multipart uploads in an account's bucket that are not needed any
// more.
func (c *Checker) leftovers(ctx context.Context, account int64, found func(context.Context, Finding) error) error {
	bucket := c.Layout.Object(account, "").Bucket
	if err := c.each(ctx, bucket, storage.Probes, func(p storage.ListedObject) error {
		return c.probe(ctx, account, bucket, p, found)
	}); err != nil {
		return err
	}
	if err := c.each(ctx, bucket, storage.Tails, func(t storage.ListedObject) error {
		return c.tail(ctx, account, bucket, t, found)
	}); err != nil {
		return err
	}
	return c.Objects.Multiparts(ctx, bucket, func(b storage.MultipartUpload) error {
		return c.multipart(ctx, account, bucket, b, found)
	})
}

// each calls fn for the objects of a bucket whose keys begin with prefix.
func (c *Checker) each(ctx context.Context, bucket, prefix string, fn func(storage.ListedObject) error) error {
	for after := ""; ; {
		all, err := c.Objects.List(ctx, bucket, prefix, after)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, o := range all {
			if err := fn(o); err != nil {
				return err
			}
		}
		after = all[len(all)-1].Key
	}
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

// probe reports an object that was made to find out what the store can do. Nothing needs it for longer than a moment.
func (c *Checker) probe(ctx context.Context, account int64, bucket string, p storage.ListedObject,
	found func(context.Context, Finding) error) error {
	if !storage.IsProbe(p.Key) {
		return nil // another program's, which files looks at
	}
	c.count(p)
	f := Finding{Kind: LeftProbe, Account: account, At: file.Location{Bucket: bucket, Key: p.Key},
		young: c.isYoung(p.Modified), Detail: stored(p)}
	if recorded, err := c.recorded(ctx, f.At); recorded || err != nil {
		return err
	}
	return found(ctx, f)
}

// recorded reports whether an object with a key as we make it, but not for files, is a file of another program.
func (c *Checker) recorded(ctx context.Context, at file.Location) (bool, error) {
	r, err := c.Rows.File(ctx, file.ID(at.Key))
	if gone(err) {
		return false, nil
	}
	return err == nil && c.Layout.Of(r) == at, err
}

// count adds an object to the summary.
func (c *Checker) count(o storage.ListedObject) {
	c.Summary.Objects++
	c.Summary.Bytes += o.Size
}

// stored describes an object.
func stored(o storage.ListedObject) string {
	return fmt.Sprintf("%s of %d bytes, stored %s", o.Key, o.Size, o.Modified.Format(time.DateOnly))
}

// tail checks whether an upload still needs a tail.
func (c *Checker) tail(ctx context.Context, account int64, bucket string, t storage.ListedObject,
	found func(context.Context, Finding) error) error {
	c.count(t)
	f := Finding{Kind: UnknownTail, Account: account, At: file.Location{Bucket: bucket, Key: t.Key},
		young: c.isYoung(t.Modified), Detail: stored(t)}
	id, _, err := storage.Owner(t.Key)
	if err != nil || f.young { // it is judged when it is old enough
		return found(ctx, f)
	}
	f.ID = id
	u, err := c.Rows.UploadRow(ctx, id)
	if gone(err) {
		if recorded, err := c.recorded(ctx, f.At); recorded || err != nil {
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
	if storage.IsProbe(b.Key) {
		f.Kind = LeftProbe
		return found(ctx, f)
	}
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
