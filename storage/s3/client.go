// Package s3 is the S3 client. It is the only place that knows the S3 SDK.
//
// # Faults
//
// A call that fails for a reason that may pass (retryer names them) is made up to five
// times within the time that its kind of call has (limits). Each write is one that can be
// repeated: the same bytes go to the same key or part number. A connection on which nothing
// moves is given up, a slow one is not.
package s3

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"

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
	// Google works around two habits of Google Cloud Storage's S3 API: it changes
	// Accept-Encoding on the way in, which breaks a signature over it, and it knows
	// none of the SDK's checksums.
	Google bool

	// Proxy returns the HTTP proxy for a URL, or nil. Where it is nil itself there is none.
	Proxy func(*url.URL) (*url.URL, error)

	limits limits // zero: defaultLimits
	// Dial, if it is not nil, connects to the store.
	Dial      dialFunc
	transport func(*http.Transport) // tests change it
	// Durable, if it is not nil, is called after each write, and returns when that survives a power cut.
	Durable func(context.Context) error
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Client speaks to one S3 store. Its methods may be called from several goroutines.
type Client struct {
	s3      *s3.Client
	limits  limits
	calls   *calls
	reader  *reader // nil: the SDK reads
	sums    bool    // the store knows the SDK's checksums
	close   func()
	buckets sync.Map // names of buckets that were there

	// Options of single calls: that have a body to sign, whose answer should come soon, and
	// whose answer may take long.
	payload, soon, patient func(*s3.Options)
}

// New returns a client. It does not connect; see Ping.
func New(o Options) *Client {
	if o.limits == (limits{}) {
		o.limits = defaultLimits
	}
	if o.Proxy == nil {
		o.Proxy = func(*url.URL) (*url.URL, error) { return nil, nil }
	}
	l := o.limits
	normal := o.newTransport(pace{answer: l.stallRead, read: l.stallRead, write: l.stallWrite})
	soon := o.newTransport(pace{answer: l.answer, read: l.stallRead, write: l.stallWrite})
	patient := o.newTransport(pace{answer: l.patient, read: l.patient, write: l.stallWrite})
	options := s3.Options{
		Region:                     o.Region,
		Credentials:                credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, ""),
		HTTPClient:                 &http.Client{Transport: normal},
		UsePathStyle:               o.Endpoint != "",
		Retryer:                    newRetryer(l),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		// One round trip less for each part.
		ContinueHeaderThresholdBytes: -1,
	}
	if o.Endpoint != "" {
		options.BaseEndpoint = aws.String(o.Endpoint)
	}
	if o.Google {
		options.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		options.HTTPSignerV4 = newGoogleSigner()
	}
	calls := &calls{metrics: newMetrics()}
	calls.watch(&options)
	by := func(t *http.Transport) func(*s3.Options) {
		client := &http.Client{Transport: t}
		return func(o *s3.Options) { o.HTTPClient = client }
	}
	return &Client{
		s3: s3.New(options), limits: l, calls: calls, reader: newReader(o), sums: !o.Google,
		payload: o.Signing.option(!o.Google), soon: by(soon), patient: by(patient),
		close: func() {
			for _, t := range []*http.Transport{normal, soon, patient} {
				t.CloseIdleConnections()
			}
		},
	}
}

// Close gives idle connections back.
func (c *Client) Close() {
	c.close()
	if c.reader != nil {
		c.reader.wires.close()
	}
}

// Ping asks whether the store answers. It looks at a bucket that need not exist:
// any answer that is not the store's own failure will do, for keys that may be
// allowed no more than their buckets.
func (c *Client) Ping(ctx context.Context, bucket string) error {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	_, err := c.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}, c.soon, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	if s := status(err); err == nil || s >= 300 && s < 500 {
		return nil
	}
	return wrap(file.ErrStorageRead, "reach the object store", err)
}

// Put stores an object whole. body must hold size bytes.
func (c *Client) Put(ctx context.Context, at file.Location, contentType string, body io.ReadSeeker, size int64) (etag string, err error) {
	err = c.write(ctx, "put object", at.Bucket, c.limits.writing(size), func(ctx context.Context) error {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		out, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &at.Bucket, Key: &at.Key, ContentType: &contentType,
			Body: body, ContentLength: &size}, c.payload)
		if err == nil {
			etag, err = given("tag", out.ETag)
		}
		return err
	})
	return etag, err
}

// Delete removes an object. One that is not there is no error.
func (c *Client) Delete(ctx context.Context, at file.Location) error {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &at.Bucket, Key: &at.Key}, c.soon)
	err = wrap(file.ErrStorageWrite, "delete object", err)
	if errors.Is(err, file.ErrObjectMissing) {
		return nil
	}
	return err
}

// Stat looks at an object.
func (c *Client) Stat(ctx context.Context, at file.Location) (storage.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.ask)
	defer cancel()
	out, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &at.Bucket, Key: &at.Key}, c.soon)
	if err != nil {
		return storage.Object{}, wrap(file.ErrStorageRead, "look at object", err)
	}
	return storage.Object{Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag),
		Type: aws.ToString(out.ContentType), Modified: aws.ToTime(out.LastModified)}, nil
}
