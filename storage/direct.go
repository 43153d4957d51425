package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/file"
)

var (
	// ErrPartChanged: a part that Complete names is not the one that the store has now. List the parts again.
	ErrPartChanged = fmt.Errorf("a part was replaced: %w", file.ErrStorageWrite)
	// ErrNoDirect: clients can't safely send parts to this store. The text says what the store does not support.
	ErrNoDirect = errors.New("the store can't take parts from clients")
)

// PartReceiver is a store to which clients can send the parts of a multipart upload by themselves, with URLs that
// expire.
type PartReceiver interface {
	// PartSigner returns a function that makes such URLs. endpoint is the store's address as clients see it; if it is
	// empty, the one that we use. Nothing is asked of the store, so the multipart upload need not exist.
	PartSigner(endpoint string) func(context.Context, file.Location, PartPut) (SignedPart, error)
	// AllowOrigins lets pages of these origins, and of no others, send parts to a bucket (CORS). AllowedOrigins returns
	// those that may.
	AllowOrigins(ctx context.Context, bucket string, origins []string) error
	AllowedOrigins(ctx context.Context, bucket string) ([]string, error)
	// CheckDirect tests whether the store enforces what is signed, and lists parts: ErrNoDirect if not. It begins
	// multipart uploads in the bucket, which are probes, and aborts them. needsSums: the store keeps parts whose bodies
	// broke off, unless they come with a checksum.
	CheckDirect(ctx context.Context, bucket string) (needsSums bool, err error)
}

// PartPut is what a URL permits: to send one part, of exactly this size, to one multipart upload.
type PartPut struct {
	Multipart file.Multipart
	Number    int32
	Size      int64  // bytes
	CRC32     string // of the part's bytes, in base64; empty: the client does not say
	TTL       time.Duration
}

// SignedPart is a request that stores one part: a PUT with these headers, besides the Content-Length that was signed.
type SignedPart struct {
	URL    string            `json:"url"`
	Header map[string]string `json:"headers"`
}
