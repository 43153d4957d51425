package s3

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdfast/file"
	"holdfast/storage"
)

// BeginMultipart begins a multipart upload. The store is told that each part comes with its CRC32: then it compares
// them in the end, and does not compute a sum of its own over every byte instead, as some do. Where parts will be
// copied it is not told: versitygw gives a copied part the sum of its whole source.
func (c *Client) BeginMultipart(
	ctx context.Context, at file.Location, contentType string, withoutSums bool,
) (m file.Multipart, err error) {
	err = c.write(ctx, "begin multipart upload", at.Bucket, c.limits.writing(0), func(ctx context.Context) error {
		in := &s3.CreateMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key, ContentType: &contentType}
		if m.Sums = !c.quirks.NoChecksums && !withoutSums; m.Sums {
			in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
		}
		if m.Sums && c.wholeSums.Load() {
			in.ChecksumType = types.ChecksumTypeFullObject
		}
		out, err := c.s3.CreateMultipartUpload(ctx, in)
		if m.Sums && notImplemented(err) {
			in.ChecksumAlgorithm, in.ChecksumType, m.Sums = "", "", false
			out, err = c.s3.CreateMultipartUpload(ctx, in)
		}
		if err == nil {
			m.ID, err = given("id", out.UploadId)
		}
		return err
	})
	return m, err
}

// PutPart stores one part.
func (c *Client) PutPart(
	ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker, size int64,
) (part file.Part, err error) {
	part = file.Part{Number: number, Size: size}
	err = c.write(ctx, "put part", "", c.limits.writing(size), func(ctx context.Context) error {
		if req, ok := c.outgoing(at, body, size); ok {
			req.query = url.Values{"partNumber": {strconv.Itoa(int(number))}, "uploadId": {m.ID}}
			answer, err := c.send(ctx, "UploadPart", req)
			if err == nil {
				part.ETag, err = given("tag", aws.String(answer.Get("ETag")))
				if m.Sums {
					part.CRC32 = answer.Get("X-Amz-Checksum-Crc32")
				}
			}
			return err
		}
		out, err := c.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: &m.ID,
			PartNumber: &number, Body: body, ContentLength: &size}, c.payload)
		if err == nil {
			part.ETag, err = given("tag", out.ETag)
			if m.Sums {
				part.CRC32 = aws.ToString(out.ChecksumCRC32)
			}
		}
		return err
	})
	return part, err
}

// Complete makes the parts of a multipart upload one object.
func (c *Client) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	return c.write(ctx, "complete multipart upload", "", c.limits.patient, func(ctx context.Context) error {
		list, err := c.completed(ctx, at, m, parts)
		if err != nil {
			return err
		}
		_, err = c.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key,
			UploadId: &m.ID, MultipartUpload: &types.CompletedMultipartUpload{Parts: list}}, c.patient)
		return err
	})
}

// completed lists parts for the store, with the checksums of all of them or of none. If some are not known the store
// is asked: a replica of the previous version sends parts without keeping their checksums. If the store does not know
// them either, it has ignored that the upload has checksums.
func (c *Client) completed(
	ctx context.Context, at file.Location, m file.Multipart, parts []file.Part,
) ([]types.CompletedPart, error) {
	list, unknown := make([]types.CompletedPart, len(parts)), false
	for i, p := range parts {
		list[i] = types.CompletedPart{PartNumber: &p.Number, ETag: &p.ETag}
		if m.Sums && p.CRC32 != "" {
			list[i].ChecksumCRC32 = &p.CRC32
		}
		unknown = unknown || list[i].ChecksumCRC32 == nil
	}
	if !m.Sums || !unknown {
		return list, nil
	}
	kept, err := c.sums(ctx, at, m)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].ChecksumCRC32 != nil {
			continue
		}
		sum, known := kept[part{*list[i].PartNumber, *list[i].ETag}]
		if !known {
			for i := range list {
				list[i].ChecksumCRC32 = nil
			}
			break
		}
		list[i].ChecksumCRC32 = &sum
	}
	return list, nil
}

// part identifies a part by what both the store and we know of it.
type part struct {
	number int32
	etag   string
}

// sums returns the CRC32s that the store keeps of the parts of a multipart upload; none if it lists no parts.
func (c *Client) sums(ctx context.Context, at file.Location, m file.Multipart) (map[part]string, error) {
	found := map[part]string{}
	pages := s3.NewListPartsPaginator(c.s3, &s3.ListPartsInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: &m.ID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, c.soon)
		if cantList(err) && code(err) != "NoSuchUpload" {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parts {
			if sum := aws.ToString(p.ChecksumCRC32); sum != "" {
				found[part{aws.ToInt32(p.PartNumber), aws.ToString(p.ETag)}] = sum
			}
		}
	}
	return found, nil
}

// Abort ends a multipart upload and removes its parts. One that is not there is no error.
func (c *Client) Abort(ctx context.Context, at file.Location, uploadID string) error {
	err := c.write(ctx, "abort multipart upload", "", c.limits.writing(0), func(ctx context.Context) error {
		_, err := c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &at.Bucket, Key: &at.Key,
			UploadId: &uploadID})
		return err
	})
	if errors.Is(err, storage.ErrNoUpload) || errors.Is(err, file.ErrObjectMissing) {
		return nil
	}
	return err
}
