package direct

import (
	"encoding/xml"

	"holdfast/file"
)

// bucketName stands in S3's answers for the bucket, which clients need not know.
const bucketName = "files"

// initiateResult is S3's InitiateMultipartUploadResult. Key and UploadId are both the upload's id.
type initiateResult struct {
	XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
	Bucket   string
	Key      file.ID
	UploadID file.ID `xml:"UploadId"`
}

// listPartsResult is S3's ListPartsResult. It has all parts.
type listPartsResult struct {
	XMLName     xml.Name `xml:"ListPartsResult"`
	Bucket      string
	Key         file.ID
	UploadID    file.ID `xml:"UploadId"`
	IsTruncated bool
	Part        []listPartsEntry
}

type listPartsEntry struct {
	PartNumber int32
	Size       int64
	ETag       string
}

// newListPartsResult lists all parts of an upload that was completed: a client that lost the answer to its completion
// then asks for that again.
func newListPartsResult(s statusResponse, tag string) listPartsResult {
	l := listPartsResult{Bucket: bucketName, Key: s.ID, UploadID: s.ID}
	for n := int32(1); s.State != stateOpen && int64(n) <= s.Parts; n++ {
		l.Part = append(l.Part, listPartsEntry{n, min(s.PartSize, s.Size-int64(n-1)*s.PartSize), tag})
	}
	for _, p := range s.Sent {
		l.Part = append(l.Part, listPartsEntry{p.Number, p.Size, p.ETag})
	}
	return l
}

// completeResult is S3's CompleteMultipartUploadResult.
type completeResult struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      file.ID
	ETag     string
}
