package e2e

import (
	"database/sql"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/s3test"
)

// backing is the database and the store of programs under test.
type backing struct {
	pg   *pgtest.Server
	s3   *s3test.Server
	rows *sql.DB // for number
}

func startBacking(t *testing.T) backing {
	t.Helper()
	b := backing{pg: pgtest.Start(t), s3: s3test.Start(t)}
	var err error
	if b.rows, err = sql.Open("pgx", b.pg.DSN()); err != nil {
		t.Fatal(err)
	}
	b.rows.SetMaxOpenConns(1)
	t.Cleanup(func() { b.rows.Close() })
	return b
}

// bucket is the bucket of account 1.
const bucket = "pneumatic-dev-test-1"

// number runs a query that returns a number. Its connection is kept: each costs PostgreSQL a process.
func (b backing) number(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	err := b.rows.QueryRowContext(t.Context(), query, args...).Scan(&n)
	if err != nil { // the server may have been restarted
		b.rows.SetMaxIdleConns(-1)
		b.rows.SetMaxIdleConns(1)
		err = b.rows.QueryRowContext(t.Context(), query, args...).Scan(&n)
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (b backing) store() *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: aws.String(b.s3.Endpoint), Region: b.s3.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(b.s3.AccessKey, b.s3.SecretKey, "")})
}

// objects lists the objects in the bucket.
func (b backing) objects(t *testing.T) (all []types.Object) {
	t.Helper()
	for pages := s3.NewListObjectsV2Paginator(b.store(),
		&s3.ListObjectsV2Input{Bucket: aws.String(bucket)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Contents...)
	}
	return all
}

// multiparts lists the unfinished multipart uploads.
func (b backing) multiparts(t *testing.T) (all []types.MultipartUpload) {
	t.Helper()
	out, err := b.store().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Uploads
}
