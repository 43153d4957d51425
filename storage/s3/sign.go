package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Signing says whether the signature of a request covers its body. In any case the request has a CRC32 of the body,
// unless the store takes none (Quirks.NoChecksums). Requests without file bytes are always signed completely.
type Signing string

const (
	// SigningDefault is the SDK's default: signed over plain HTTP, unsigned over TLS.
	SigningDefault Signing = ""
	// Unsigned never signs bodies, which saves a SHA-256 of every byte. For stores behind TLS or a trusted network.
	Unsigned Signing = "unsigned"
	// Signed always signs bodies.
	Signed Signing = "signed"
)

// option is the option of calls that send a body. crc says that the store takes checksums.
func (s Signing) option(crc bool) func(*s3.Options) {
	if s == SigningDefault {
		return func(*s3.Options) {}
	}
	hash := unsignedPayload
	if s == Signed {
		hash = signedPayload(crc)
	}
	add := func(stack *middleware.Stack) error {
		// Before the SDK's own checksum: that computes the SHA-256 along with the CRC, and has it signed whatever is
		// set later.
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("HoldfastPayloadHash", hash), "ResolveEndpointV2",
			middleware.After)
	}
	return func(o *s3.Options) { o.APIOptions = append(o.APIOptions, add) }
}

func unsignedPayload(ctx context.Context, in middleware.FinalizeInput,
	next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	return next.HandleFinalize(v4.SetPayloadHash(ctx, "UNSIGNED-PAYLOAD"), in)
}

// signedPayload hashes a body that is sent over TLS, which the SDK would not sign. Over plain HTTP the SDK signs it.
func signedPayload(crc bool) func(context.Context, middleware.FinalizeInput,
	middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	return func(ctx context.Context, in middleware.FinalizeInput,
		next middleware.FinalizeHandler) (out middleware.FinalizeOutput, m middleware.Metadata, err error) {
		r, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return out, m, errors.New("sign the payload: not an HTTP request")
		}
		if r.IsHTTPS() {
			sum, check := sha256.New(), crc32.NewIEEE()
			if body := r.GetStream(); body != nil {
				if _, err := io.Copy(io.MultiWriter(sum, check), body); err != nil {
					return out, m, err
				}
				if err := r.RewindStream(); err != nil {
					return out, m, err
				}
			}
			if crc { // with this header the SDK adds no trailer, which could not be signed
				r.Header.Set("X-Amz-Checksum-Crc32", base64.StdEncoding.EncodeToString(check.Sum(nil)))
			}
			ctx = v4.SetPayloadHash(ctx, hex.EncodeToString(sum.Sum(nil)))
		}
		return next.HandleFinalize(ctx, in)
	}
}

// plainSigner does not sign Accept-Encoding: see Quirks.RewritesAcceptEncoding.
type plainSigner struct{ *v4.Signer }

func newPlainSigner() plainSigner {
	return plainSigner{v4.NewSigner(func(so *v4.SignerOptions) { so.DisableURIPathEscaping = true })}
}

func (g plainSigner) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service,
	region string, at time.Time, opts ...func(*v4.SignerOptions)) error {
	encoding := r.Header.Get("Accept-Encoding")
	r.Header.Del("Accept-Encoding")
	err := g.Signer.SignHTTP(ctx, c, r, payloadHash, service, region, at, opts...)
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	return err
}
