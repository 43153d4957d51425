package direct

import (
	"encoding/xml"

	"holdfast/file"
)

// bucketName stands in S3's answers for the bucket, which clients need not know.
const bucketName = "files"

// initiated is S3's InitiateMultipartUploadResult. Key and UploadId are both the upload's id.
type initiated struct {
	XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
	Bucket   string
	Key      file.ID
	UploadID file.ID `xml:"UploadId"`
}

// list is S3's ListPartsResult. It has all parts.
type list struct {
	XMLName     xml.Name `xml:"ListPartsResult"`
	Bucket      string
	Key         file.ID
	UploadID    file.ID `xml:"UploadId"`
	IsTruncated bool
	Part        []listedPart
}

type listedPart struct {
	PartNumber int32
	Size       int64
	ETag       string
}

// listed has all parts of an upload that the store has put together, so that a client that lost the answer to its end
// asks for that again.
func listed(s state, tag string) list {
	l := list{Bucket: bucketName, Key: s.ID, UploadID: s.ID}
	for n := int32(1); s.State != stateOpen && int64(n) <= s.Parts; n++ {
		l.Part = append(l.Part, listedPart{n, min(s.PartSize, s.Size-int64(n-1)*s.PartSize), tag})
	}
	for _, p := range s.Sent {
		l.Part = append(l.Part, listedPart{p.Number, p.Size, p.ETag})
	}
	return l
}

// joined is S3's CompleteMultipartUploadResult.
type joined struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      file.ID
	ETag     string
}
