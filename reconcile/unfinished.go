package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast/file"
	"holdfast/storage"
)

// uploads checks whether the store has what unfinished uploads need.
func (c *Checker) uploads(ctx context.Context, account int64) error {
	for after := file.ID(""); ; {
		ids, err := c.Rows.UnfinishedUploads(ctx, account, after, page)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := c.upload(ctx, account, id); err != nil {
				return err
			}
			after = id
		}
		if len(ids) < page {
			return nil
		}
	}
}

// upload checks twice, because a request may change the upload between reading the row and the store.
func (c *Checker) upload(ctx context.Context, account int64, id file.ID) error {
	first, err := c.lost(ctx, account, id)
	if err != nil || len(first) == 0 {
		return err
	}
	second, err := c.lost(ctx, account, id)
	if err != nil {
		return err
	}
	second = slices.DeleteFunc(second, func(f Finding) bool { return !slices.Contains(first, f) })
	done, err := c.end(ctx, second)
	if err != nil {
		return err
	}
	for _, f := range second {
		f.Done = done
		if err := c.resolve(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// end ends an upload that can't be continued, with Fix. The service removes what the store still has of it.
func (c *Checker) end(ctx context.Context, found []Finding) (done string, err error) {
	i := slices.IndexFunc(found, func(f Finding) bool { return f.ends != file.Fence{} })
	if i < 0 || !c.Fix {
		return "", nil
	}
	err = c.Rows.DeleteUpload(ctx, found[i].ends, "")
	if errors.Is(err, file.ErrConflict) { // another request has it now
		return "", nil
	}
	return "upload ended", err
}

// lost returns what an upload needs and the store does not have, or has in another form.
func (c *Checker) lost(ctx context.Context, account int64, id file.ID) (all []Finding, err error) {
	u, err := c.Rows.UploadRow(ctx, id)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := func(kind Kind, key, detail string, sure bool) {
		f := Finding{Kind: kind, Account: account, ID: id, At: file.Location{Bucket: u.Location.Bucket, Key: key},
			Detail: detail}
		if sure {
			f.ends = u.Fence()
		}
		all = append(all, f)
	}
	switch {
	case u.State == file.Stored && u.Partial:
		return all, c.lostObject(ctx, u, found)
	case u.State != file.Open && u.State != file.Completing:
		return nil, nil
	}
	tails, err := c.Rows.UploadTails(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, t := range tails {
		if err := c.lostTail(ctx, u, t, found); err != nil {
			return nil, err
		}
	}
	if u.Multipart.ID != "" {
		err = c.lostParts(ctx, u, found)
	}
	return all, err
}

// notes is called for what is missing or damaged. sure means that the store itself has said so.
type notes func(kind Kind, key, detail string, sure bool)

// lostTail checks a tail.
func (c *Checker) lostTail(ctx context.Context, u *file.Upload, t file.Tail, found notes) error {
	at, what := file.Location{Bucket: u.Location.Bucket, Key: t.Key},
		fmt.Sprintf("%s, bytes %d to %d", t.Key, t.Offset, t.Offset+t.Size)
	o, err := c.Objects.Stat(ctx, at)
	if err == nil && o.Size == t.Size && c.Deep {
		err = c.sums(ctx, at, t)
	}
	switch {
	case errors.Is(err, file.ErrObjectChanged):
		found(DamagedTail, t.Key, what+": "+err.Error(), true)
	case errors.Is(err, file.ErrObjectMissing):
		found(LostTail, t.Key, what, !errors.Is(err, storage.ErrNoBucket))
	case err != nil:
		return err
	case o.Size != t.Size:
		found(DamagedTail, t.Key, fmt.Sprintf("%s: the object has %d bytes", what, o.Size), true)
	}
	return nil
}

// sums reads a tail: file.ErrObjectChanged if it is not what was stored.
func (c *Checker) sums(ctx context.Context, at file.Location, t file.Tail) error {
	sum, err := storage.CRC32(ctx, c.Objects, at, t.Size)
	if err == nil && t.CRC32 != "" && sum != t.CRC32 {
		err = fmt.Errorf("%w: it has the CRC32 %s, not %s", file.ErrObjectChanged, sum, t.CRC32)
	}
	return err
}

// lostParts compares the committed parts of an upload with those that the store has.
func (c *Checker) lostParts(ctx context.Context, u *file.Upload, found notes) error {
	parts, err := c.Rows.Parts(ctx, u.ID)
	if err != nil || len(parts) == 0 {
		return err
	}
	there, err := c.parts(ctx, u)
	switch {
	case errors.Is(err, storage.ErrNoList):
		return nil
	case errors.Is(err, storage.ErrNoUpload) && u.State == file.Completing:
		return nil // it may be an object already: the service checks, and ends it if it is not
	case errors.Is(err, storage.ErrNoUpload) || errors.Is(err, file.ErrObjectMissing):
		found(LostParts, u.Location.Key, fmt.Sprintf("the first %d bytes", u.Offset-u.TailSize()),
			errors.Is(err, storage.ErrNoUpload))
		return nil
	case err != nil:
		return err
	}
	checker, reads := c.Objects.(storage.PartChecker)
	for _, p := range parts {
		what := fmt.Sprintf("part %d, bytes %d to %d", p.Number, p.Offset, p.Offset+p.Size)
		has, is := there[p.Number]
		switch {
		case !is:
			found(LostPart, u.Location.Key, what, true)
		case has.Size != p.Size || has.ETag != p.ETag || p.CRC32 != "" && has.CRC32 != "" && has.CRC32 != p.CRC32:
			found(DamagedPart, u.Location.Key, fmt.Sprintf("%s: the store has %d bytes with the tag %s", what, has.Size,
				has.ETag), true)
		case c.Deep && reads:
			err := checker.CheckPart(ctx, u.Location, u.Multipart, p)
			if errors.Is(err, storage.ErrDamaged) {
				found(DamagedPart, u.Location.Key, what+": "+err.Error(), true)
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// parts returns all parts that the store has of an upload.
func (c *Checker) parts(ctx context.Context, u *file.Upload) (map[int32]file.Part, error) {
	all := map[int32]file.Part{}
	for after := int32(0); ; {
		page, err := c.Objects.Parts(ctx, u.Location, u.Multipart, after)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, p := range page {
			if p.Number <= after { // such a list may never end, and says nothing
				return nil, fmt.Errorf("%w: the list of parts repeats itself at %d", file.ErrStorageRead, p.Number)
			}
			all[p.Number], after = p, p.Number
		}
	}
}

// lostObject checks the object of a partial upload that has all its bytes.
func (c *Checker) lostObject(ctx context.Context, u *file.Upload, found notes) error {
	o, err := c.Objects.Stat(ctx, u.Location)
	what := fmt.Sprintf("all %d bytes", u.Size)
	switch {
	case errors.Is(err, file.ErrObjectChanged):
		found(DamagedPartial, u.Location.Key, what+": "+err.Error(), true)
		return nil
	case errors.Is(err, file.ErrObjectMissing):
		found(LostPartial, u.Location.Key, what, !errors.Is(err, storage.ErrNoBucket))
		return nil
	case err != nil:
		return err
	case o.Size != u.Size || o.ETag != u.ETag:
		found(DamagedPartial, u.Location.Key, fmt.Sprintf("%s: the object has %d bytes with the tag %s, not %s", what, o.Size,
			o.ETag, u.ETag), true)
		return nil
	case !c.Deep || u.HashState == nil:
		return nil
	}
	sum, err := storage.Hash(ctx, c.Objects, u.Location, u.ETag, u.Size)
	if errors.Is(err, file.ErrObjectMissing) {
		found(DamagedPartial, u.Location.Key, what+": "+err.Error(), true)
		return nil
	}
	if err != nil {
		return err
	}
	want, err := file.Digest(u.HashState)
	if err == nil && !slices.Equal(sum, want) {
		found(DamagedPartial, u.Location.Key, fmt.Sprintf("%s: the object has the SHA-256 %x, %x was sent", what, sum, want),
			true)
	}
	return err
}
