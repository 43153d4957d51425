package s3test_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/internal/test/s3test"
)

// An object survives when the server is killed; until the restart connections are refused.
func TestObjectSurvivesKill(t *testing.T) {
	s := s3test.Start(t)
	body := make([]byte, 6<<20)
	if _, err := rand.Read(body); err != nil {
		t.Fatal(err)
	}
	c := client(s)
	bucket, key := aws.String("bucket-1"), aws.String("object")
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	put := &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(body), ContentType: aws.String("image/png")}
	if _, err := c.PutObject(t.Context(), put); err != nil {
		t.Fatal(err)
	}

	s.Stop(t)
	if _, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{}); err == nil {
		t.Error("a stopped server answered")
	}

	s.Restart(t)
	got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(b, body) {
		t.Errorf("%d of %d bytes came back, or others (%v)", len(b), len(body), err)
	}
	if aws.ToString(got.ContentType) != "image/png" {
		t.Errorf("content type %q", aws.ToString(got.ContentType))
	}
}

func TestTwoAtOnceAreApart(t *testing.T) {
	a, b := s3test.Start(t), s3test.Start(t)
	if _, err := client(a).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("only-in-a")}); err != nil {
		t.Fatal(err)
	}
	list, err := client(b).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(list.Buckets) != 0 {
		t.Errorf("%d buckets, %v", len(list.Buckets), err)
	}
	b.SecretKey = "wrong"
	if _, err := client(b).ListBuckets(context.Background(), &s3.ListBucketsInput{}); err == nil {
		t.Error("a wrong secret was accepted")
	}
}

func client(s *s3test.Server) *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: aws.String(s.Endpoint), Region: s.Region, UsePathStyle: true,
		RetryMaxAttempts: 1,
		Credentials:      credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, "")})
}
