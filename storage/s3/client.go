// Package s3 is the client of S3 stores: storage.Store and what S3 can do besides. It is the only package that knows
// the S3 SDK; what differs between kinds of stores is data, in quirks.go.
//
// # Faults
//
// A call that fails for a reason that may pass (newRetryer names them) is made up to five times, within the time
// limit of its kind of call (limits). A connection on which nothing moves is given up, a slow one is not. An answer
// that is not S3's is never taken for one: see errors.go.
package s3

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/file"
	"holdfast/storage"
)

// Options say which S3 to use and how.
type Options struct {
	Endpoint                     string // empty: AWS, by Region
	Region, AccessKey, SecretKey string
	Signing                      Signing
	Quirks                       Quirks
	// Origins are those whose pages may send parts to buckets, where these have no CORS rules yet.
	Origins []string
	// Dial connects to the store; nil: by the address of Endpoint.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Proxy returns the HTTP proxy for a URL, or nil. Where it is nil itself there is none.
	Proxy func(*url.URL) (*url.URL, error)

	limits    limits                // zero: defaultLimits
	transport func(*http.Transport) // tests change it
}

// Client speaks to one S3 store. Its methods may be called from several goroutines.
type Client struct {
	*storage.Calls
	s3      *s3.Client
	quirks  Quirks
	retryer aws.Retryer
	limits  limits
	reader  *reader // nil: the SDK reads, and sends
	signing Signing
	plain   *http.Client // sends what is signed already
	origins []string
	close   func()
	buckets sync.Map // names of buckets that are known to exist

	wholeSums atomic.Bool // Quirks.WholeSums, which CheckDirect finds out

	noPartCopy, noObjectCopy, noDeleteObjects refusal
	mixing                                    *mixing

	// Options of single calls: those that send a body, those that are answered quickly, and those that may take minutes.
	payload, soon, patient func(*s3.Options)
}

var _ interface {
	storage.Store
	storage.Copier
	storage.Deleter
	storage.Presigner
	storage.PartReceiver
} = (*Client)(nil)

// New returns a client. It does not connect; see Ping.
func New(o Options) *Client {
	if o.limits == (limits{}) {
		o.limits = defaultLimits
	}
	if o.Proxy == nil {
		o.Proxy = func(*url.URL) (*url.URL, error) { return nil, nil }
	}
	l, q := o.limits, o.Quirks
	normal := o.newTransport(pace{answer: l.stallRead, read: l.stallRead, write: l.stallWrite})
	soon := o.newTransport(pace{answer: l.answer, read: l.stallRead, write: l.stallWrite})
	patient := o.newTransport(pace{answer: l.patient, read: l.patient, write: l.stallWrite})
	options := o.sdk()
	options.HTTPClient = &http.Client{Transport: normal}
	calls := storage.NewCalls("S3", reasonOf)
	watch(calls, &options)
	by := func(t *http.Transport) func(*s3.Options) {
		client := &http.Client{Transport: t}
		return func(o *s3.Options) { o.HTTPClient = client }
	}
	c := &Client{
		s3: s3.New(options), quirks: q, retryer: options.Retryer, limits: l, signing: o.Signing, Calls: calls,
		reader: newReader(o), plain: &http.Client{Transport: normal}, origins: o.Origins,
		noPartCopy: refusal{known: q.NoPartCopy}, noObjectCopy: refusal{known: q.NoObjectCopy},
		noDeleteObjects: refusal{known: q.NoDeleteObjects}, mixing: newMixing(q),
		payload: o.Signing.option(!q.NoChecksums), soon: by(soon), patient: by(patient),
		close: func() {
			for _, t := range []*http.Transport{normal, soon, patient} {
				t.CloseIdleConnections()
			}
		},
	}
	c.wholeSums.Store(q.WholeSums)
	return c
}

// sdk returns the SDK's options for this store.
func (o Options) sdk() s3.Options {
	options := s3.Options{
		Region:                     o.Region,
		Credentials:                credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, ""),
		UsePathStyle:               o.Endpoint != "",
		Retryer:                    newRetryer(o.limits),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		// No "Expect: 100-continue": it costs one round trip for each part.
		ContinueHeaderThresholdBytes: -1,
		// Otherwise the SDK would sign by the store's clock when ours is wrong, and Ping succeed, while our own requests
		// (reader) fail, links end at other times and what the store has seems older than it is.
		DisableClockSkewCorrection: true,
	}
	if o.Endpoint != "" {
		options.BaseEndpoint = aws.String(o.Endpoint)
	}
	if o.Quirks.NoChecksums {
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	}
	if o.Quirks.RewritesAcceptEncoding {
		options.HTTPSignerV4 = newPlainSigner()
	}
	return options
}

// Close closes idle connections.
func (c *Client) Close() {
	c.close()
	if c.reader != nil {
		c.reader.wires.close()
	}
}

// Ping reports whether the store answers, by listing a bucket that need not exist. A refusal by S3 is success: the
// access key may be allowed no more than its own buckets. An answer that is not S3's is an error, and so is a
// refusal of the access key or the signature, since the store then refuses every call.
func (c *Client) Ping(ctx context.Context, bucket string) error {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	// Not HEAD: the answer has no body, so S3's 404 looks like that of any web server.
	out, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(1)}, c.soon,
		func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	const doing = "reach the object store"
	switch s := status(err); {
	case err == nil:
		_, err = given("the bucket's name", out.Name)
		return wrap(file.ErrStorageRead, doing, err)
	case refusesKeys(err):
		return wrap(file.ErrStorageRead, doing, err)
	case s >= 300 && s < 500 && answered(err):
		return nil
	case s >= 300 && s < 500:
		err = fmt.Errorf("the answer is not S3's: %w", err)
	}
	// Not wrap, which would make file.ErrObjectMissing of S3's 404.
	return fmt.Errorf("%s: %w: %w", doing, file.ErrStorageRead, err)
}
