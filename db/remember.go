package db

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"holdfast/file"
)

// maxRemembered is how many records are remembered; one takes about 500 bytes.
const maxRemembered = 10_000

// Remembering is a DB that answers File from memory for a while. A record never changes
// (but for a size that is healed), so only its deletion can be missed: by this process never, since it forgets the record
// with every deletion that it makes; by others for the time given.
type Remembering struct {
	*DB
	records *otter.Cache[file.ID, file.Record] // nil: nothing is remembered
	links   *otter.Cache[string, file.Link]    // by their ids
	stats   *stats.Counter
}

// Remember returns d with a memory of so long; 0 is none. What is missing is never
// remembered: it may be there a moment later.
func Remember(d *DB, ttl time.Duration) *Remembering {
	r := &Remembering{DB: d, stats: stats.NewCounter()}
	if ttl > 0 {
		r.records = otter.Must(&otter.Options[file.ID, file.Record]{MaximumSize: maxRemembered, StatsRecorder: r.stats,
			ExpiryCalculator: otter.ExpiryWriting[file.ID, file.Record](ttl)})
		r.links = otter.Must(&otter.Options[string, file.Link]{MaximumSize: maxRemembered,
			ExpiryCalculator: otter.ExpiryWriting[string, file.Link](ttl)})
	}
	return r
}

// File reads the record of a file, or remembers it. Requests that come together share
// one query. A query that a deletion overtakes is made again.
func (r *Remembering) File(ctx context.Context, id file.ID) (file.Record, error) {
	if r.records == nil {
		return r.DB.File(ctx, id)
	}
	return r.records.Get(ctx, id, otter.LoaderFunc[file.ID, file.Record](r.DB.File))
}

// Link is DB's, or remembers it.
func (r *Remembering) Link(ctx context.Context, id string) (file.Link, error) {
	if r.links == nil {
		return r.DB.Link(ctx, id)
	}
	return r.links.Get(ctx, id, otter.LoaderFunc[string, file.Link](r.DB.Link))
}

// EndLink is DB's. The link is forgotten even after an error; see DeleteFile.
func (r *Remembering) EndLink(ctx context.Context, id file.ID, link string) error {
	if r.links != nil {
		defer r.links.Invalidate(link)
	}
	return r.DB.EndLink(ctx, id, link)
}

// EndLinks is DB's. The file's links are forgotten even after an error; see DeleteFile.
func (r *Remembering) EndLinks(ctx context.Context, id file.ID) error {
	if r.links == nil {
		return r.DB.EndLinks(ctx, id)
	}
	all, err := r.DB.Links(ctx, id)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range all {
			r.links.Invalidate(l.ID)
		}
	}()
	return r.DB.EndLinks(ctx, id)
}

// Reload reads the record of a file from the database.
func (r *Remembering) Reload(ctx context.Context, id file.ID) (file.Record, error) {
	r.forget(id)
	return r.File(ctx, id)
}

// Heal is DB's.
func (r *Remembering) Heal(ctx context.Context, id file.ID, size int64) error {
	defer r.forget(id)
	return r.DB.Heal(ctx, id, size)
}

// DeleteFile is DB's. The record is forgotten even after an error: a commit whose answer
// was lost may have happened.
func (r *Remembering) DeleteFile(ctx context.Context, rec file.Record) error {
	defer r.forget(rec.ID)
	return r.DB.DeleteFile(ctx, rec)
}

// DeleteUpload is DB's; see DeleteFile.
func (r *Remembering) DeleteUpload(ctx context.Context, f file.Fence) error {
	defer r.forget(f.ID)
	return r.DB.DeleteUpload(ctx, f)
}

func (r *Remembering) forget(id file.ID) {
	if r.records != nil {
		r.records.Invalidate(id)
	}
}
