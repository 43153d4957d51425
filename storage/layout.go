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

// Object is the place of a finished file.
func (l Layout) Object(accountID int64, id file.ID) file.Location {
	return file.Location{Bucket: l.BucketPrefix + "-" + strconv.FormatInt(accountID, 10), Key: string(id)}
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
	}
	id, err = file.ParseID(rest)
	return id, tail, err
}

// Tails begins the keys of all tails.
const Tails = "tails/"

// TailKey is the key, in the upload's bucket, of a tail that ends at offset end. With
// the epoch of the lease under which it is written it is never used for other bytes.
func TailKey(id file.ID, epoch, end int64) string {
	return fmt.Sprintf("%s%d-%d", tailPrefix(id), epoch, end)
}

// tailPrefix begins the keys of all tails of an upload.
func tailPrefix(id file.ID) string { return Tails + string(id) + "/" }
