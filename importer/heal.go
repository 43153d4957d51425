package importer

import (
	"context"
	"errors"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// Heal completes the records that another program wrote with what the store says about their objects: size, type,
// ETag, the time of an object that is older than its record, and the SHA-256 of its bytes.
func (im *Importer) Heal(ctx context.Context) error {
	total, err := im.Rows.CountUnhealed(ctx)
	if err != nil {
		return err
	}
	im.begin(total)
	return im.alone(ctx, func(ctx context.Context) error {
		g, ctx := im.group(ctx)
		for after := file.ID(""); ctx.Err() == nil; {
			records, err := im.Rows.Unhealed(ctx, after, page)
			if err != nil {
				return errors.Join(err, g.Wait())
			}
			for _, r := range records {
				g.Go(func() error { return im.healOne(ctx, r) })
				after = r.ID
			}
			if len(records) < page {
				break
			}
		}
		return g.Wait()
	})
}

// healOne heals one record. It returns an error only if the import has to end.
func (im *Importer) healOne(ctx context.Context, r file.Record) error {
	outcome, err := im.heal(ctx, &r)
	if err != nil && fatal(ctx, err) {
		return err
	}
	if err != nil {
		outcome = Failed
	}
	im.report(Result{Outcome: outcome, Source: r.Location.Bucket + "/" + r.Location.Key, ID: r.ID, Bytes: r.Size,
		Err: err})
	return nil
}

func (im *Importer) heal(ctx context.Context, r *file.Record) (Outcome, error) {
	r.Location = im.Layout.Of(*r)
	o, err := im.Objects.Stat(ctx, r.Location)
	if err != nil {
		return Failed, err
	}
	if r.ETag != "" && r.ETag != o.ETag {
		return Failed, file.ErrObjectChanged
	}
	r.Size, r.ETag, r.Type, r.CreatedAt = o.Size, o.ETag, bestType(r.Type, o), earlier(r.CreatedAt, o.Modified)
	if im.DryRun {
		return Would, nil
	}
	if r.SHA256, err = storage.Hash(ctx, im.Objects, r.Location, o.ETag, o.Size); err != nil {
		return Failed, err
	}
	return Healed, im.Rows.HealRecord(ctx, *r)
}

// bestType is the store's type if that is specific, and the recorded one otherwise.
func bestType(recorded string, o storage.Object) string {
	if t := file.CleanType(o.Type); t != file.DefaultType {
		return t
	}
	return file.CleanType(recorded)
}

// earlier is the earlier of a and b, or a if no record can have b, as a source may say it that does not know better.
func earlier(a, b time.Time) time.Time {
	if file.ValidTime(b) && b.Before(a) {
		return b
	}
	return a
}
