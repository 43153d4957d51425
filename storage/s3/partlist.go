package s3

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdfast/file"
)

// newest returns a page of parts with each part once. In S3 a part replaces the one that had its number. SeaweedFS
// keeps and lists all of them, and a part whose connection ended before its first byte is an empty one. It completes an
// upload with those whose tags are named.
//
// The last part of a page that is not the last page is left to the next page, which may begin with more of its number.
func newest(page []types.Part, more bool) (parts []file.Part) {
	for len(page) > 0 {
		number, n := aws.ToInt32(page[0].PartNumber), 1
		for n < len(page) && aws.ToInt32(page[n].PartNumber) == number {
			n++
		}
		same := page[:n]
		page = page[n:]
		if more && len(page) == 0 && len(parts) > 0 {
			break
		}
		if p, known := last(same); known {
			parts = append(parts, file.Part{Number: number, Size: aws.ToInt64(p.Size), ETag: aws.ToString(p.ETag),
				CRC32: aws.ToString(p.ChecksumCRC32)})
		}
	}
	return parts
}

// last returns the part that was stored last of those with the same number. Times are in whole seconds: false if two
// parts with different bytes have the last time. Then the part counts as missing, and the client sends it again.
func last(same []types.Part) (newest types.Part, known bool) {
	newest, known = same[0], true
	for _, p := range same[1:] {
		switch was, is := aws.ToTime(newest.LastModified), aws.ToTime(p.LastModified); {
		case aws.ToInt64(p.Size) == 0:
		case aws.ToInt64(newest.Size) == 0 || is.After(was):
			newest, known = p, true
		case is.Equal(was) && aws.ToString(p.ETag) != aws.ToString(newest.ETag):
			known = false
		}
	}
	return newest, known
}
