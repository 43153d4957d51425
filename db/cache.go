package db

import (
	"context"
	"time"

	"holdfast/file"
	"holdfast/internal/cache"
)

// CachedDB is a DB with a cache for the records of files and for links. Neither ever changes (except for a size
// that is corrected, and a SHA-256 that becomes known), so only a deletion can make a cached row stale. A deletion
// by this process invalidates the row; one by another process is noticed when the cached row expires.
type CachedDB struct {
	*DB
	records *cache.Cache[file.ID, file.Record]
	links   *cache.Cache[string, file.Link] // by their ids
}

// NewCached returns d with a cache that keeps rows for ttl; with 0 nothing is cached. A missing row is never
// cached: it may exist a moment later.
func NewCached(d *DB, ttl time.Duration) *CachedDB {
	return &CachedDB{DB: d,
		records: cache.New[file.ID](cache.Options[file.Record]{TTL: ttl}),
		links:   cache.New[string](cache.Options[file.Link]{TTL: ttl})}
}

// File returns the record of a file. Concurrent requests share one query. If the record is deleted during the
// query, the query is made again.
func (c *CachedDB) File(ctx context.Context, id file.ID) (file.Record, error) {
	return c.records.Get(ctx, id, c.DB.File)
}

// Link returns the row of a link.
func (c *CachedDB) Link(ctx context.Context, id string) (file.Link, error) {
	return c.links.Get(ctx, id, c.DB.Link)
}

// EndLink is DB's. The link is invalidated even after an error; see DeleteFile.
func (c *CachedDB) EndLink(ctx context.Context, id file.ID, link string) error {
	defer c.links.Invalidate(link)
	return c.DB.EndLink(ctx, id, link)
}

// EndLinks is DB's. The file's links are invalidated even after an error; see DeleteFile.
func (c *CachedDB) EndLinks(ctx context.Context, id file.ID) error {
	ids, err := c.DB.linkIDs(ctx, id)
	if err != nil {
		return err
	}
	defer func() {
		for _, link := range ids {
			c.links.Invalidate(link)
		}
	}()
	return c.DB.EndLinks(ctx, id)
}

// EndLinksOf is DB's. After an error no link is invalidated: which ones were ended is unknown, and their cached rows
// expire.
func (c *CachedDB) EndLinksOf(ctx context.Context, m file.LinkMaker) ([]string, error) {
	ids, err := c.DB.EndLinksOf(ctx, m)
	for _, id := range ids {
		c.links.Invalidate(id)
	}
	return ids, err
}

// Reload reads the record of a file from the database.
func (c *CachedDB) Reload(ctx context.Context, id file.ID) (file.Record, error) {
	c.records.Invalidate(id)
	return c.File(ctx, id)
}

// Heal is DB's.
func (c *CachedDB) Heal(ctx context.Context, id file.ID, size int64) error {
	defer c.records.Invalidate(id)
	return c.DB.Heal(ctx, id, size)
}

// SetSum is DB's.
func (c *CachedDB) SetSum(ctx context.Context, u *file.Upload, sum []byte) error {
	defer c.records.Invalidate(u.ID)
	return c.DB.SetSum(ctx, u, sum)
}

// DeleteFile is DB's. The record is invalidated even after an error: a commit whose answer was lost may have
// happened.
func (c *CachedDB) DeleteFile(ctx context.Context, rec file.Record) error {
	defer c.records.Invalidate(rec.ID)
	return c.DB.DeleteFile(ctx, rec)
}

// DeleteUpload is DB's; see DeleteFile.
func (c *CachedDB) DeleteUpload(ctx context.Context, f file.Fence, why string) error {
	defer c.records.Invalidate(f.ID)
	return c.DB.DeleteUpload(ctx, f, why)
}
