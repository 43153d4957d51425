package storage

import (
	"fmt"
	"strconv"

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

// TailKey is the key, in the upload's bucket, of a tail that ends at offset end. With
// the epoch of the lease under which it is written it is never used for other bytes.
func TailKey(id file.ID, epoch, end int64) string {
	return fmt.Sprintf("%s%d-%d", tailPrefix(id), epoch, end)
}

// tailPrefix begins the keys of all tails of an upload.
func tailPrefix(id file.ID) string { return "tails/" + string(id) + "/" }
