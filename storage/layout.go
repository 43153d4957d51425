package storage

import (
	"fmt"
	"strconv"
	"strings"

	"holdfast/file"
)

// Layout says where things lie in the store. Every key leads back to the id of an
// upload or a file, so that whatever is found in the store can be traced to a row.
type Layout struct {
	// BucketPrefix begins the name of every account's bucket.
	BucketPrefix string
}

// Object is the place of a finished file, unless its record names another: see FencedKey.
func (l Layout) Object(accountID int64, id file.ID) file.Location {
	return file.Location{Bucket: l.BucketPrefix + "-" + strconv.FormatInt(accountID, 10), Key: ObjectKey(id)}
}

// Of is the place of a file's object: where its record says or, of a record that another program wrote, where that
// program puts objects.
func (l Layout) Of(r file.Record) file.Location {
	if r.Location == (file.Location{}) {
		return l.Object(r.AccountID, r.ID)
	}
	return r.Location
}

// ObjectKey is the key of a file's object, in its account's bucket.
func ObjectKey(id file.ID) string { return string(id) }

// FencedKey is the key of a file's object that is used in place of ObjectKey where an earlier writer's
// PUT may still be on its way there: the one of this writer alone, by the epoch of its lease.
func FencedKey(id file.ID, epoch int64) string {
	return FencedPrefix(id) + strconv.FormatInt(epoch, 10)
}

// IsFenced reports whether a key is one that FencedKey makes.
func IsFenced(key string) bool {
	_, fenced := cutFenced(key)
	return fenced
}

// Fenced begins the keys that FencedKey makes.
const Fenced = "objects/"

// FencedPrefix begins the keys that FencedKey makes for a file.
func FencedPrefix(id file.ID) string { return Fenced + string(id) + "/" }

// cutFenced finds the id in a key that FencedKey made.
func cutFenced(key string) (id string, fenced bool) {
	rest, fenced := strings.CutPrefix(key, Fenced)
	i := strings.LastIndexByte(rest, '/')
	if !fenced || i < 0 {
		return "", false
	}
	epoch, err := strconv.ParseInt(rest[i+1:], 10, 64)
	return rest[:i], err == nil && epoch > 0 && strconv.FormatInt(epoch, 10) == rest[i+1:]
}

// Account is the account whose files lie in a bucket; false if the bucket is none of ours.
func (l Layout) Account(bucket string) (int64, bool) {
	number, ours := strings.CutPrefix(bucket, l.BucketPrefix+"-")
	id, err := strconv.ParseInt(number, 10, 64)
	// There is one way to write a number: bucket "x-07" is not account 7's.
	return id, ours && err == nil && id > 0 && strconv.FormatInt(id, 10) == number
}

// Owner traces a key to the upload or the file that it belongs to. tail says that it is the
// key of a tail; file.ErrNotFound that no key of ours looks so.
func Owner(key string) (id file.ID, tail bool, err error) {
	rest, tail := strings.CutPrefix(key, Tails)
	if tail {
		rest, _, _ = strings.Cut(rest, "/")
	} else if of, fenced := cutFenced(key); fenced {
		rest = of
	}
	id, err = file.ParseID(rest)
	return id, tail, err
}

// Tails begins the keys of all tails.
const Tails = "tails/"

// TailKey is the key, in the upload's bucket, of a tail that ends at offset end. With
// the epoch of the lease under which it is written it is never used for other bytes.
func TailKey(id file.ID, epoch, end int64) string {
	return fmt.Sprintf("%s%d-%d", TailPrefix(id), epoch, end)
}

// TailPrefix begins the keys of all tails of an upload.
func TailPrefix(id file.ID) string { return Tails + string(id) + "/" }
