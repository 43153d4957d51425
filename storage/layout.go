package storage

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"holdfast/file"
)

// Layout maps files and uploads to buckets and keys. Every key contains the id of an upload or a file, so every object
// in the store can be traced to a row; or it is a probe's, which is to be removed.
type Layout struct {
	// BucketPrefix begins the name of every account's bucket.
	BucketPrefix string
}

// Object is the location of a finished file, unless its record names another: see FencedKey.
func (l Layout) Object(accountID int64, id file.ID) file.Location {
	return file.Location{Bucket: l.BucketPrefix + "-" + strconv.FormatInt(accountID, 10), Key: ObjectKey(id)}
}

// Of is the location of a file's object: the one in its record or, if another program wrote the record, the one where
// that program puts objects.
func (l Layout) Of(r file.Record) file.Location {
	if r.Location == (file.Location{}) {
		return l.Object(r.AccountID, r.ID)
	}
	return r.Location
}

// ObjectKey is the key of a file's object, in its account's bucket.
func ObjectKey(id file.ID) string { return string(id) }

// FencedKey is a key for a file's object that only the holder of one lease writes to. It is used in place of ObjectKey
// if an earlier writer's PUT to that key may still arrive.
func FencedKey(id file.ID, epoch int64) string {
	return FencedPrefix(id) + strconv.FormatInt(epoch, 10)
}

// IsFenced reports whether FencedKey made a key.
func IsFenced(key string) bool {
	_, fenced := cutFenced(key)
	return fenced
}

// Fenced is the prefix of all keys that FencedKey makes.
const Fenced = "objects/"

// FencedPrefix is the prefix of the keys that FencedKey makes for one file.
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

// Account returns the account that a bucket belongs to; false if the bucket does not belong to Holdfast.
func (l Layout) Account(bucket string) (int64, bool) {
	number, ours := strings.CutPrefix(bucket, l.BucketPrefix+"-")
	id, err := strconv.ParseInt(number, 10, 64)
	// Each account has exactly one bucket: "x-07" is not account 7's.
	return id, ours && err == nil && id > 0 && strconv.FormatInt(id, 10) == number
}

// Owner returns the id of the upload or file that a key belongs to, and whether it is the key of a tail.
// file.ErrNotFound if Holdfast makes no such key.
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

// Tails is the prefix of the keys of all tails.
const Tails = "tails/"

// TailKey is the key, in the upload's bucket, of a tail that ends at offset end. It contains the epoch of the lease
// under which it is written, so it is never used again for other bytes.
func TailKey(id file.ID, epoch, end int64) string {
	return fmt.Sprintf("%s%d-%d", TailPrefix(id), epoch, end)
}

// TailPrefix is the prefix of the keys of all tails of one upload.
func TailPrefix(id file.ID) string { return Tails + string(id) + "/" }

// Probes is the prefix of the keys of all probes: objects that are made to find out what a store can do, and removed at
// once. No row names one that a killed process has left.
const Probes = "probes/"

// NewProbe returns a location of its own for a probe.
func NewProbe(bucket string) file.Location {
	return file.Location{Bucket: bucket, Key: Probes + string(file.NewID())}
}

// IsProbe reports whether NewProbe made a key.
func IsProbe(key string) bool { return probeKey.MatchString(key) }

// probeKey is strict: ids of imported files may be any text.
var probeKey = regexp.MustCompile(`^probes/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
