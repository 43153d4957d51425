// Package reconcile compares what SQL says with what lies in S3, in both directions, while the
// service runs: records without their objects, objects without records, sizes and contents
// that differ, and tails and multipart uploads that nobody needs.
//
// Both sides are read in the order of their keys, a page at a time, so that memory does not
// grow with the number of files. They change meanwhile, and a store may list in another
// order: so whatever has no counterpart in the other stream is looked up by itself before
// anything is said about it.
//
// # What is never done
//
// Nothing is removed that is younger than MinAge, by the store's clock: it may belong to a
// request that is still going on. Nothing is removed because no row knows it, unless that is
// asked for: after a database was restored from an older backup, these are the files since.
// What a row proves to be left over may go. A record is never removed, and of one that this
// service wrote no more is changed than the object's tag, where all bytes were read and are
// the recorded ones.
//
// # Errors
//
// file.ErrUnavailable when SQL or the store do not answer; what was found until then was
// reported.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// MinAge is the least age of what may be removed.
const MinAge = 48 * time.Hour

// Kind is what is wrong.
type Kind string

const (
	MissingObject Kind = "missing-object"       // a record, and no object
	WrongSize     Kind = "wrong-size"           // the object has another length than was recorded
	WrongTag      Kind = "replaced-object"      // the object is another one than was recorded
	CopiedObject  Kind = "copied-object"        // another one, but its bytes are the recorded ones
	WrongContent  Kind = "wrong-content"        // its bytes have another SHA-256 than was recorded
	Unreadable    Kind = "unreadable"           // its bytes can't be read
	Unhealed      Kind = "unhealed-record"      // another program wrote the record, and its size or tag is not known
	Unknown       Kind = "unknown-object"       // no row knows the object
	Unrecorded    Kind = "unrecorded-object"    // its upload became a file, whose record is gone
	LeftObject    Kind = "left-object"          // its file is recorded with another object, written by another lease
	LeftTail      Kind = "left-tail"            // its upload has no use for it any more
	UnknownTail   Kind = "unknown-tail"         // no row knows its upload
	LeftParts     Kind = "left-multipart"       // its upload has no use for it any more
	UnknownParts  Kind = "unknown-multipart"    // no row knows its upload
	LostTail      Kind = "upload-without-tail"  // an upload's acknowledged bytes are gone
	WrongUsage    Kind = "wrong-usage"          // what is counted for the account's quota is not what it adds up to
	LostParts     Kind = "upload-without-parts" // an upload's acknowledged bytes are gone
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind    Kind          `json:"kind"`
	Account int64         `json:"account_id"`
	ID      file.ID       `json:"file_id,omitempty"`
	At      file.Location `json:"-"`
	Detail  string        `json:"detail"`
	// Done says what was done about it: empty if nothing was.
	Done string `json:"done,omitempty"`

	multipart string // the store's id
	young     bool   // not to be removed yet, nor to be spoken of
}

// Rows is what is needed of SQL. Package db says what each method does.
type Rows interface {
	Accounts(ctx context.Context, after int64, limit int) ([]int64, error)
	AccountFiles(ctx context.Context, accountID int64, after file.ID, limit int) ([]file.Record, error)
	File(ctx context.Context, id file.ID) (file.Record, error)
	OpenUploads(ctx context.Context, accountID int64, after file.ID, limit int) ([]file.ID, error)
	UploadRow(ctx context.Context, id file.ID) (*file.Upload, error)
	UploadTails(ctx context.Context, id file.ID) ([]file.Tail, error)
	Importing(ctx context.Context, id file.ID) (bool, error)
	HealRecord(ctx context.Context, r file.Record) error
	SetTag(ctx context.Context, id file.ID, was, tag string) error
	CountNew(ctx context.Context, accountID int64) error
	Recount(ctx context.Context, accountID int64, fix bool) (counted, used file.Usage, err error)
}

// Objects is what is needed of the store. Package storage says what each method does.
type Objects interface {
	Buckets(ctx context.Context, prefix string) ([]string, error)
	List(ctx context.Context, bucket, prefix, after string) ([]storage.Listed, error)
	Multiparts(ctx context.Context, bucket string, each func(storage.Begun) error) error
	Leftovers(ctx context.Context, bucket string, id file.ID) (storage.Left, error)
	Stat(ctx context.Context, at file.Location) (storage.Object, error)
	Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
	Delete(ctx context.Context, at file.Location) error
	Abort(ctx context.Context, at file.Location, uploadID string) error
}

// Options say how far to go. The zero value looks and changes nothing.
type Options struct {
	Fix           bool  // repair what is safe
	DeleteUnknown bool  // remove what no row knows
	Deep          bool  // read all bytes
	Jobs          int   // files read at the same time with Deep; 0: one
	Account       int64 // 0: all
	Now           func() time.Time
}

// Checker compares. Report is called for each finding, from one goroutine at a time.
type Checker struct {
	Rows    Rows
	Objects Objects
	Layout  storage.Layout
	Report  func(Finding) error
	Metrics *Metrics // nil: nothing is counted
	Options

	Summary Summary

	mu sync.Mutex // of what is repaired and reported: with Deep there are several readers
}

// Summary counts what was seen.
type Summary struct {
	Records int64 `json:"records"`
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"` // of objects
	Found   int64 `json:"found"`
	Fixed   int64 `json:"fixed"`
	Young   int64 `json:"young"` // without a counterpart, and too young to be judged
}

// page is how many rows are read at a time.
const page = 1000

// Run compares everything, or one account.
func (c *Checker) Run(ctx context.Context) error {
	if c.Account != 0 {
		return c.account(ctx, c.Account)
	}
	// Buckets without any row are those of accounts that SQL does not know.
	buckets, err := c.Objects.Buckets(ctx, c.Layout.BucketPrefix+"-")
	if err != nil {
		return err
	}
	strangers := make(map[int64]bool)
	for _, b := range buckets {
		if id, ours := c.Layout.Account(b); ours {
			strangers[id] = true
		}
	}
	for after, more := int64(0), true; more; {
		ids, err := c.Rows.Accounts(ctx, after, page)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := c.account(ctx, id); err != nil {
				return err
			}
			delete(strangers, id)
			after = id
		}
		more = len(ids) == page
	}
	for _, id := range slices.Sorted(maps.Keys(strangers)) {
		if err := c.account(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checker) account(ctx context.Context, id int64) error {
	if err := c.files(ctx, id); err != nil {
		return fmt.Errorf("account %d: %w", id, err)
	}
	if err := c.leftovers(ctx, id, c.settle); err != nil {
		return fmt.Errorf("account %d: %w", id, err)
	}
	if err := c.uploads(ctx, id); err != nil {
		return fmt.Errorf("account %d: %w", id, err)
	}
	return c.usage(ctx, id)
}

// usage adds up what the account uses.
func (c *Checker) usage(ctx context.Context, id int64) error {
	counted, used, err := c.Rows.Recount(ctx, id, c.Fix)
	if err != nil || counted == used {
		return err
	}
	f := Finding{Kind: WrongUsage, Account: id,
		Detail: fmt.Sprintf("%d bytes and %d files are counted, it has %d and %d", counted.Bytes, counted.Files,
			used.Bytes, used.Files)}
	if c.Fix {
		f.Done = "corrected"
	}
	return c.settle(ctx, f)
}

// settle repairs what may be repaired, and reports.
func (c *Checker) settle(ctx context.Context, f Finding) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.young {
		c.Summary.Young++
		return nil
	}
	if err := c.repair(ctx, &f); err != nil {
		f.Done = "not repaired: " + err.Error()
		if ctx.Err() != nil {
			return err
		}
	} else if f.Done != "" {
		c.Summary.Fixed++
	}
	c.Summary.Found++
	return c.Report(f)
}

// repair removes what may be removed: what a row proves to be left over, or what no row knows.
// A loss can be told, and not be repaired.
func (c *Checker) repair(ctx context.Context, f *Finding) (err error) {
	switch f.Kind {
	case LeftObject, LeftTail, LeftParts:
		if !c.Fix {
			return nil
		}
	case Unknown, Unrecorded, UnknownTail, UnknownParts:
		if !c.DeleteUnknown {
			return nil
		}
	default:
		return nil
	}
	if f.multipart != "" {
		err = c.Objects.Abort(ctx, f.At, f.multipart)
	} else {
		err = c.Objects.Delete(ctx, f.At)
	}
	if err == nil {
		f.Done = "removed"
	}
	return err
}

func (c *Checker) isYoung(since time.Time) bool { return c.Now().Sub(since) < MinAge }

// gone reports whether there is no such row.
func gone(err error) bool { return errors.Is(err, file.ErrNotFound) }
