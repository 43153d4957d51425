// Package reconcile compares the database with the store, in both directions, while the service runs. It finds
// records without objects, objects without records, sizes and contents that differ, tails and multipart uploads that
// are not needed, and those that are needed and gone or damaged.
//
// Both sides are read in the order of their keys, a page at a time, so memory does not grow with the number of
// files. Both change meanwhile, and a store may list in another order. So whatever has no counterpart in the other
// stream is looked up individually before it is reported.
//
// # What is never done
//
// Nothing is removed that is younger than MinAge by the store's clock: it may belong to a running request. Nothing
// is removed merely because no row names it, unless DeleteUnknown is set: after a restore from an older backup,
// these are the files uploaded since. What a row proves to be left over is removed with Fix. A record is never
// removed. Of a record that this service wrote only the object's ETag is changed, and only after all bytes were
// read and match the recorded SHA-256.
//
// # Errors
//
// file.ErrUnavailable if the database or the store does not answer. What was found before was reported.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// MinAge is the least age of an object that may be removed.
const MinAge = 48 * time.Hour

// Kind is the kind of a Finding.
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
	LeftProbe     Kind = "left-probe"           // made to find out what the store can do
	UnknownTail   Kind = "unknown-tail"         // no row knows its upload
	LeftParts     Kind = "left-multipart"       // its upload has no use for it any more
	UnknownParts  Kind = "unknown-multipart"    // no row knows its upload
	LostTail      Kind = "upload-without-tail"  // an upload's acknowledged bytes are gone
	WrongUsage    Kind = "wrong-usage"          // what is counted for the account's quota is not what it adds up to
	LostParts     Kind = "upload-without-parts" // an upload's acknowledged bytes are gone
	LostPart      Kind = "upload-without-part"  // the acknowledged bytes of one part are gone
	DamagedTail   Kind = "damaged-tail"         // an upload's acknowledged bytes are not what was stored
	DamagedPart   Kind = "damaged-part"         // the bytes of one part are not what was stored

	LostPartial    Kind = "partial-without-object" // the object of a partial upload is gone
	DamagedPartial Kind = "damaged-partial"        // the object of a partial upload is not what was stored
)

// Finding is one difference between the database and the store.
type Finding struct {
	Kind    Kind          `json:"kind"`
	Account int64         `json:"account_id"`
	ID      file.ID       `json:"file_id,omitempty"`
	At      file.Location `json:"-"`
	Detail  string        `json:"detail"`
	// Done says what was done about it; empty if nothing was.
	Done string `json:"done,omitempty"`

	multipart string     // the store's id
	ends      file.Fence // of the upload that can't go on; zero: that is not certain
	young     bool       // younger than MinAge: neither removed nor reported
}

// Rows is the database. Package db documents the methods.
type Rows interface {
	Accounts(ctx context.Context, after int64, limit int) ([]int64, error)
	AccountFiles(ctx context.Context, accountID int64, after file.ID, limit int) ([]file.Record, error)
	File(ctx context.Context, id file.ID) (file.Record, error)
	UnfinishedUploads(ctx context.Context, accountID int64, after file.ID, limit int) ([]file.ID, error)
	UploadRow(ctx context.Context, id file.ID) (*file.Upload, error)
	UploadTails(ctx context.Context, id file.ID) ([]file.Tail, error)
	Parts(ctx context.Context, id file.ID) ([]file.Part, error)
	DeleteUpload(ctx context.Context, f file.Fence, why string) error
	Importing(ctx context.Context, id file.ID) (bool, error)
	HealRecord(ctx context.Context, r file.Record) error
	SetTag(ctx context.Context, id file.ID, was, tag string) error
	CountNew(ctx context.Context, accountID int64) error
	Recount(ctx context.Context, accountID int64, fix bool) (counted, used file.Usage, err error)
}

// Options of a Checker. With the zero value nothing is changed.
type Options struct {
	Fix           bool  // repair what can be repaired safely
	DeleteUnknown bool  // remove objects that no row names
	Deep          bool  // read all bytes
	Jobs          int   // files read at the same time with Deep; 0: one
	Account       int64 // 0: all
	Now           func() time.Time
}

// Checker compares database and store. Report is called for each finding, from one goroutine at a time.
type Checker struct {
	Rows    Rows
	Objects storage.Store
	Layout  storage.Layout
	Report  func(Finding) error
	Metrics *Metrics // nil: nothing is counted
	Options

	Summary Summary

	mu sync.Mutex // held while repairing and reporting: with Deep several goroutines do
}

// Summary counts what was compared.
type Summary struct {
	Records int64 `json:"records"`
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"` // of objects
	Found   int64 `json:"found"`
	Fixed   int64 `json:"fixed"`
	Young   int64 `json:"young"` // without a counterpart, and too young to be judged
}

// page is the number of rows that are read at a time.
const page = 1000

// noAccount has the bucket in which probes are made while there is no account's.
const noAccount = 0

// Run compares all accounts, or one.
func (c *Checker) Run(ctx context.Context) error {
	if c.Account != 0 {
		return c.account(ctx, c.Account)
	}
	// Buckets of accounts that have no rows.
	buckets, err := c.Objects.Buckets(ctx, c.Layout.BucketPrefix+"-")
	if err != nil {
		return err
	}
	strangers := make(map[int64]bool)
	for _, b := range buckets {
		if id, ours := c.Layout.Account(b); ours || b == c.Layout.Object(noAccount, "").Bucket {
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
	if err := c.leftovers(ctx, id, c.resolve); err != nil {
		return fmt.Errorf("account %d: %w", id, err)
	}
	if err := c.orphans(ctx, id); err != nil {
		return fmt.Errorf("account %d: %w", id, err)
	}
	if err := c.uploads(ctx, id); err != nil {
		return fmt.Errorf("account %d: %w", id, err)
	}
	return c.usage(ctx, id)
}

// usage compares what is counted for the account's quota with the sum of its files and uploads.
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
	return c.resolve(ctx, f)
}

// resolve repairs a finding if that is permitted, and reports it.
func (c *Checker) resolve(ctx context.Context, f Finding) error {
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

// repair removes what a row proves to be left over and, with DeleteUnknown, what no row names. A loss can't be
// repaired.
func (c *Checker) repair(ctx context.Context, f *Finding) (err error) {
	switch f.Kind {
	case LeftObject, LeftTail, LeftParts, LeftProbe:
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
