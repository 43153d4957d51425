package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"holdfast/file"
	"holdfast/storage"
)

// files compares the records of an account with the objects in its bucket. It merges two streams that are sorted by
// key.
func (c *Checker) files(ctx context.Context, account int64) error {
	bucket := c.Layout.Object(account, "").Bucket
	rows := &stream[file.Record]{next: func(after string) ([]file.Record, error) {
		return c.Rows.AccountFiles(ctx, account, file.ID(after), page)
	}, key: func(r file.Record) string { return string(r.ID) }}
	objects := &stream[storage.ListedObject]{next: func(after string) ([]storage.ListedObject, error) {
		return c.objects(ctx, bucket, after)
	},
		key: func(o storage.ListedObject) string { return o.Key }}
	d := c.newReader(ctx)
	for {
		r, moreRows, err := rows.peek()
		if err != nil {
			return err
		}
		o, moreObjects, err := objects.peek()
		if err != nil {
			return err
		}
		switch {
		case !moreRows && !moreObjects:
			return d.wait()
		case moreObjects && (!moreRows || o.Key < string(r.ID)):
			objects.take()
			c.count(o)
			err = c.checkObjectAlone(ctx, account, bucket, o)
		case moreRows && (!moreObjects || string(r.ID) < o.Key):
			rows.take()
			c.Summary.Records++
			err = c.checkRecordAlone(ctx, r, d)
		default:
			rows.take()
			objects.take()
			c.Summary.Records++
			c.count(o)
			if at := c.Layout.Of(r); at != (file.Location{Bucket: bucket, Key: o.Key}) {
				err = errors.Join(c.checkRecordAlone(ctx, r, d), c.checkObjectAlone(ctx, account, bucket, o))
			} else {
				err = c.checkPair(ctx, r, storage.Object{Size: o.Size, ETag: o.ETag, Modified: o.Modified}, d)
			}
		}
		if err != nil {
			return errors.Join(err, d.wait())
		}
	}
}

// objects lists the objects of a bucket other than those that leftovers looks at.
func (c *Checker) objects(ctx context.Context, bucket, after string) ([]storage.ListedObject, error) {
	for {
		all, err := c.Objects.List(ctx, bucket, "", after)
		if err != nil || len(all) == 0 {
			return nil, err
		}
		if after = all[len(all)-1].Key; strings.HasPrefix(after, storage.Tails) {
			after = storage.Tails + string(utf8.MaxRune)
		}
		all = slices.DeleteFunc(all, func(o storage.ListedObject) bool {
			return strings.HasPrefix(o.Key, storage.Tails) || storage.IsProbe(o.Key)
		})
		if len(all) > 0 {
			return all, nil
		}
	}
}

// checkRecordAlone looks for the object of a record that the listing does not have.
func (c *Checker) checkRecordAlone(ctx context.Context, r file.Record, d *reader) error {
	o, err := c.Objects.Stat(ctx, c.Layout.Of(r))
	if err == nil {
		return c.checkPair(ctx, r, o, d)
	}
	if !errors.Is(err, file.ErrObjectMissing) {
		return err
	}
	return c.resolveFile(ctx, Finding{Kind: MissingObject, Account: r.AccountID, ID: r.ID, At: c.Layout.Of(r),
		Detail: fmt.Sprintf("%s of %d bytes, recorded %s", r.Name, r.Size, r.CreatedAt.Format(time.DateOnly))})
}

// resolveFile is resolve for what was found about a recorded file, unless the file was deleted since.
func (c *Checker) resolveFile(ctx context.Context, f Finding) error {
	if _, err := c.Rows.File(ctx, f.ID); gone(err) {
		return nil
	} else if err != nil {
		return err
	}
	return c.resolve(ctx, f)
}

// checkObjectAlone looks for the row of an object that no record of its account names.
func (c *Checker) checkObjectAlone(ctx context.Context, account int64, bucket string, o storage.ListedObject) error {
	f := Finding{Kind: Unknown, Account: account, At: file.Location{Bucket: bucket, Key: o.Key},
		young: c.isYoung(o.Modified), Detail: stored(o)}
	if id, _, err := storage.Owner(o.Key); err == nil {
		f.ID = id
		r, err := c.Rows.File(ctx, id)
		if err == nil && c.Layout.Of(r) == f.At {
			return nil // recorded since, or by a record of another account
		}
		if err == nil && isBeside(r, f.At) {
			f.Kind = LeftObject
			return c.resolve(ctx, f)
		}
		if err != nil && !gone(err) {
			return err
		}
		u, err := c.Rows.UploadRow(ctx, id)
		switch {
		case err == nil && u.Location == f.At && u.State != file.Recorded:
			return nil // the upload engine is about to record or to remove it
		case err == nil && u.Location == f.At:
			f.Kind = Unrecorded
		case err != nil && !gone(err):
			return err
		}
		if begun, err := c.Rows.Importing(ctx, id); begun || err != nil {
			return err
		}
	}
	if _, err := c.Objects.Stat(ctx, f.At); errors.Is(err, file.ErrObjectMissing) {
		return nil // deleted since it was listed
	}
	return c.resolve(ctx, f)
}

// isBeside reports whether an object was written by an earlier holder of the upload's lease: the file is recorded with
// another object, and one of the two has a key that only this service makes.
func isBeside(r file.Record, at file.Location) bool {
	ours := r.ETag != "" && r.Location.Bucket == at.Bucket
	return ours && (storage.IsFenced(at.Key) || storage.IsFenced(r.Location.Key))
}

// checkPair compares a record with its object.
func (c *Checker) checkPair(ctx context.Context, r file.Record, o storage.Object, d *reader) error {
	f := Finding{Account: r.AccountID, ID: r.ID, At: c.Layout.Of(r)}
	foreign := r.ETag == ""
	switch {
	case foreign && r.Size != o.Size:
		f.Kind, f.Detail = Unhealed, fmt.Sprintf("recorded with %d bytes, the object has %d", r.Size, o.Size)
	case foreign:
		f.Kind, f.Detail = Unhealed, "its object was never looked at"
	case r.Size != o.Size:
		f.Kind, f.Detail = WrongSize, fmt.Sprintf("recorded with %d bytes, the object has %d", r.Size, o.Size)
	case r.ETag != o.ETag:
		f.Kind, f.Detail = WrongTag, fmt.Sprintf("recorded with the tag %s, the object has %s", r.ETag, o.ETag)
	}
	if f.Kind == WrongTag && c.Deep && r.SHA256 != nil {
		return d.copied(r, o.ETag, f)
	}
	if f.Kind != "" && !foreign {
		return c.resolveFile(ctx, f) // not the recorded bytes
	}
	if foreign {
		r.Size, r.ETag, r.Location = o.Size, o.ETag, f.At
	}
	if !c.Deep {
		if foreign {
			return c.heal(ctx, f, r)
		}
		return nil
	}
	return d.read(r, f)
}

// heal completes a record of another program, and reports it.
func (c *Checker) heal(ctx context.Context, f Finding, r file.Record) error {
	if c.Fix {
		if err := c.Rows.HealRecord(ctx, r); err == nil {
			f.Done = "healed"
		} else if !errors.Is(err, file.ErrConflict) {
			return err
		}
	}
	return c.resolve(ctx, f)
}

// reader reads the bytes of several files at the same time.
type reader struct {
	*Checker
	group *errgroup.Group
	ctx   context.Context
}

func (c *Checker) newReader(ctx context.Context) *reader {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(c.Jobs, 1))
	return &reader{c, group, ctx}
}

func (d *reader) wait() error { return d.group.Wait() }

// read compares the bytes of a file with its record. f is what else was found about it, or empty.
func (d *reader) read(r file.Record, f Finding) error {
	d.group.Go(func() error {
		sum, err := storage.Hash(d.ctx, d.Objects, f.At, r.ETag, r.Size)
		switch {
		case err != nil && d.ctx.Err() != nil:
			return err
		case err != nil:
			f.Kind, f.Detail = Unreadable, err.Error()
			return d.resolveFile(d.ctx, f)
		case r.SHA256 != nil && !bytes.Equal(sum, r.SHA256):
			f.Kind, f.Detail = WrongContent, fmt.Sprintf("recorded with the SHA-256 %x, the object has %x", r.SHA256, sum)
			return d.resolveFile(d.ctx, f)
		case f.Kind == Unhealed:
			r.SHA256 = sum
			return d.heal(d.ctx, f, r)
		}
		return nil
	})
	return d.ctx.Err()
}

// copied reports whether an object with another ETag than the recorded one has the recorded bytes: a store makes
// its own ETags when objects are copied into it, for example from a backup.
func (d *reader) copied(r file.Record, tag string, f Finding) error {
	d.group.Go(func() error {
		sum, err := storage.Hash(d.ctx, d.Objects, f.At, tag, r.Size)
		switch {
		case err != nil && d.ctx.Err() != nil:
			return err
		case err != nil:
			f.Kind, f.Detail = Unreadable, err.Error()
		case bytes.Equal(sum, r.SHA256):
			f.Kind, f.Detail = CopiedObject, f.Detail+"; its SHA-256 is the recorded one"
			if !d.Fix {
				break
			}
			if err := d.Rows.SetTag(d.ctx, r.ID, r.ETag, tag); err == nil {
				f.Done = "tag corrected"
			} else if !errors.Is(err, file.ErrConflict) {
				return err
			}
		}
		return d.resolveFile(d.ctx, f)
	})
	return d.ctx.Err()
}

// stream is a sequence that is read page by page.
type stream[T any] struct {
	next func(after string) ([]T, error)
	key  func(T) string
	page []T
	last string
	done bool
}

// peek returns the first item; false at the end.
func (s *stream[T]) peek() (first T, more bool, err error) {
	if len(s.page) == 0 && !s.done {
		if s.page, err = s.next(s.last); err != nil {
			return first, false, err
		}
		if s.done = len(s.page) == 0; !s.done {
			last := s.key(s.page[len(s.page)-1])
			if last <= s.last {
				return first, false, fmt.Errorf("%w: the listing repeats itself at %q", file.ErrStorageRead, last)
			}
			s.last = last
		}
	}
	if s.done {
		return first, false, nil
	}
	return s.page[0], true, nil
}

func (s *stream[T]) take() { s.page = s.page[1:] }
