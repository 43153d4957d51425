package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
	"holdfast/storage"
)

// PartSigner implements storage.PartReceiver. The signature covers the number, the multipart upload, Content-Length and
// the checksum, so the URL is good for nothing else.
func (c *Client) PartSigner(endpoint string) func(context.Context, file.Location, storage.PartPut) (storage.SignedPart,
	error) {
	signer := s3.NewPresignClient(c.s3, s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
		o.APIOptions = nil // they record calls, and presigning makes none
		// By itself the SDK would sign the checksum of an empty body.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		if endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = &endpoint, true
		}
	}), func(o *s3.PresignOptions) {
		// A checksum in the query is ignored by some stores: it stays a header.
		o.Presigner = v4.NewSigner(func(so *v4.SignerOptions) {
			so.DisableHeaderHoisting, so.DisableURIPathEscaping = true, true
		})
	})
	return func(ctx context.Context, at file.Location, p storage.PartPut) (storage.SignedPart, error) {
		in := &s3.UploadPartInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: &p.Multipart.ID, PartNumber: &p.Number,
			ContentLength: &p.Size}
		if p.CRC32 != "" {
			in.ChecksumCRC32 = &p.CRC32
		}
		signed, err := signer.PresignUploadPart(ctx, in, s3.WithPresignExpires(p.TTL))
		if err != nil {
			return storage.SignedPart{}, fmt.Errorf("presign a part: %w: %w", file.ErrStorageWrite, err)
		}
		out := storage.SignedPart{URL: signed.URL, Header: map[string]string{}}
		for name, values := range signed.SignedHeader {
			if name != "Host" && name != "Content-Length" { // clients send these by themselves
				out.Header[name] = values[0]
			}
		}
		return out, nil
	}
}

// Parts implements storage.Store.
func (c *Client) Parts(
	ctx context.Context, at file.Location, m file.Multipart, after int32,
) (parts []file.Part, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	in := &s3.ListPartsInput{Bucket: &at.Bucket, Key: &at.Key, UploadId: &m.ID}
	if after > 0 {
		in.PartNumberMarker = aws.String(fmt.Sprint(after))
	}
	page, err := c.s3.ListParts(ctx, in, c.soon)
	if err == nil {
		_, err = given("the multipart upload's id", page.UploadId)
	}
	if cantList(err) && !missing(err) && code(err) != "NoSuchUpload" {
		return nil, fmt.Errorf("list parts: %w: %w", storage.ErrNoList, err)
	}
	if err != nil {
		return nil, wrap(file.ErrStorageRead, "list parts", err)
	}
	return newest(page.Parts, aws.ToBool(page.IsTruncated)), nil
}

// CheckDirect implements storage.PartReceiver.
func (c *Client) CheckDirect(ctx context.Context, bucket string) (needsSums bool, err error) {
	at := storage.NewProbe(bucket)
	err = c.checkMultipart(ctx, at)
	if errors.Is(err, errNotMade) && c.wholeSums.CompareAndSwap(false, true) {
		err = c.checkMultipart(ctx, at)
	}
	if errors.Is(err, errNotMade) {
		err = fmt.Errorf("%w: %w", storage.ErrNoDirect, err)
	}
	if err != nil {
		return false, err
	}
	if needsSums, err = c.takesCutParts(ctx, at, false); err != nil || !needsSums {
		return false, err
	}
	taken, err := c.takesCutParts(ctx, at, true)
	if err == nil && taken {
		err = fmt.Errorf("%w: it takes a part whose body broke off, also with a checksum", storage.ErrNoDirect)
	}
	return true, err
}

// errNotMade is the error for a store that refuses to make an object of parts that clients have sent.
var errNotMade = errors.New("it makes no object of parts that it has taken from others")

// checkMultipart begins a multipart upload for checkParts, and completes it.
func (c *Client) checkMultipart(ctx context.Context, at file.Location) error {
	m, err := c.BeginMultipart(ctx, at, "application/octet-stream", false)
	if err != nil {
		return err
	}
	if err = c.checkParts(ctx, at, m); err == nil {
		err = c.checkCompletion(ctx, at, m)
	}
	ctx = context.WithoutCancel(ctx)
	if err != nil { // else there is nothing to be aborted
		err = errors.Join(err, c.Abort(ctx, at, m.ID))
	}
	return errors.Join(err, c.Delete(ctx, at))
}

// checkCompletion makes an object of the first part. A store may want to be told the sum of each part then, which it
// does not list.
func (c *Client) checkCompletion(ctx context.Context, at file.Location, m file.Multipart) error {
	parts, err := c.Parts(ctx, at, m, 0)
	if err != nil {
		return err
	}
	err = c.Complete(ctx, at, m, parts[:min(1, len(parts))])
	if s := status(err); s == http.StatusNotImplemented || s/100 == 4 {
		return fmt.Errorf("%w: %w", errNotMade, err)
	}
	return err
}

// checkParts sends parts to a multipart upload that are what their URLs say, and some that are not.
func (c *Client) checkParts(ctx context.Context, at file.Location, m file.Multipart) error {
	sign := c.PartSigner("")
	good, wrong := "", ""
	if m.Sums {
		good, wrong = "xFkpTw==", "AAAAAA==" // the CRC32 of "whole", and another
	}
	for _, probe := range []struct {
		number int32
		size   int64
		crc    string
		taken  bool
		fault  string
	}{
		{2, 4, good, false, "it takes a part that is longer than was signed"},
		{2, 6, good, false, "it takes a part that is shorter than was signed"},
		{2, 5, wrong, !m.Sums, "it takes a part with another checksum than was signed"},
		{2, 5, good, true, "it refuses a part that is as it was signed"},
		{1, 5, good, true, "it refuses a part that is as it was signed"}, // MinIO lists only behind a part that is there
	} {
		signed, err := sign(ctx, at, storage.PartPut{Multipart: m, Number: probe.number, Size: probe.size,
			CRC32: probe.crc, TTL: time.Minute})
		if err != nil {
			return err
		}
		status, err := c.putSigned(ctx, signed, "whole")
		switch {
		case err == nil && status >= http.StatusInternalServerError:
			err = fmt.Errorf("the store answers %d", status)
			fallthrough
		case err != nil:
			return fmt.Errorf("send a part: %w: %w", file.ErrStorageWrite, err)
		case (status == http.StatusOK) != probe.taken:
			return fmt.Errorf("%w: %s (status %d)", storage.ErrNoDirect, probe.fault, status)
		}
	}
	parts, err := c.Parts(ctx, at, m, 1)
	switch {
	case err != nil && status(err) != http.StatusNotImplemented && status(err)/100 != 4:
		return err
	case err != nil || len(parts) != 1 || parts[0].Number != 2 || parts[0].Size != 5 || parts[0].ETag == "":
		return fmt.Errorf("%w: it does not list the parts of an upload: %+v (%v)", storage.ErrNoDirect, parts, err)
	}
	return nil
}

// putSigned sends a part as a client does, and returns the status of the answer.
func (c *Client) putSigned(ctx context.Context, signed storage.SignedPart, body string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, signed.URL, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	for name, value := range signed.Header {
		r.Header.Set(name, value)
	}
	resp, err := c.plain.Do(r)
	if err != nil {
		return 0, errors.New("the store does not answer") // the client's error has the URL, with its signature
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, err
}
