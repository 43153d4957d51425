package config

import (
	"cmp"
	"regexp"
	"strings"
)

// Kinds of stores that need special treatment, as storage/s3 names them.
const (
	aws       = "aws" // which needs no endpoint
	google    = "google"
	seaweedFS = "seaweedfs"
)

// StoreKinds are the values that S3_KIND may have.
func StoreKinds() []string { return []string{aws, google, "minio", "r2", seaweedFS, "versitygw"} }

// storage reads the settings of every kind of store, and returns those of the chosen kind.
func (r *reader) storage() Storage {
	r.group = "Object store"
	kind := oneOf(r, "STORAGE_TYPE",
		"the object store: `embedded` (in this process, in `DATA_DIR`), `local` (SeaweedFS), `google`, or `s3` (any other)",
		Embedded, Embedded, Local, Google, S3)
	prefix := r.string("BUCKET_PREFIX", "the prefix of bucket names: the files of account 7 are in the bucket `PREFIX-7`",
		"pneumatic-dev-test")
	signing := oneOf(r, "S3_PAYLOAD_SIGNING",
		"whether requests to the store sign their bodies: `unsigned` never, `signed` always (for a network that is not "+
			"trusted). By default neither over TLS, nor to a plain HTTP endpoint that is set here, nor to the embedded store",
		SigningDefault, Unsigned, Signed)
	store := oneOf(r, "S3_KIND", "the kind of store with `STORAGE_TYPE=s3`, if it differs from AWS: `aws`, `google`, "+
		"`minio`, `r2`, `seaweedfs`, `versitygw`. By default `aws` without an endpoint, otherwise a store without known "+
		"differences", "", StoreKinds()...)
	if !validBucketPrefix(kind, prefix) {
		r.fault("BUCKET_PREFIX", "must be 3 to 40 of a-z, 0-9, '-' and '.' (with another store than the embedded one also "+
			"'_' and "+
			"capitals), beginning with a letter or digit")
	}
	s := Storage{Type: Embedded, Region: "us-east-1", Signing: Unsigned}
	for _, other := range []Storage{
		r.server(kind, Local, "SEAWEEDFS_S3_", "where SeaweedFS is, with `STORAGE_TYPE=local`", ""),
		r.server(kind, Google, "GCS_S3_", "where Google Cloud Storage is, with `STORAGE_TYPE=google`",
			"https://storage.googleapis.com"),
		r.server(kind, S3, "S3_", "where the store is, with `STORAGE_TYPE=s3`; without, AWS", ""),
	} {
		if other.Type == kind {
			s = other
		}
	}
	switch {
	case kind == Local:
		s.Kind = seaweedFS
	case kind == Google:
		s.Kind = google
	case kind == S3 && store == "" && s.Endpoint == "":
		s.Kind = aws
	case kind == S3:
		s.Kind = store
	}
	s.BucketPrefix, s.Signing = prefix, cmp.Or(signing, s.Signing)
	return s
}

// server reads the settings of one kind of S3 server. Missing ones are faults only if this kind is used. The
// default for Signing follows from the endpoint.
func (r *reader) server(used, kind StorageType, prefix, meaning, endpoint string) Storage {
	s := Storage{
		Type:      kind,
		Endpoint:  r.string(prefix+"ENDPOINT", meaning, endpoint),
		AccessKey: r.string(prefix+"ACCESS_KEY", "its key", ""),
		SecretKey: r.string(prefix+"SECRET_KEY", "and the secret of that", ""),
		Region:    r.string(prefix+"REGION", "the store's region", "us-east-1"),
	}
	tls := r.bool(prefix+"USE_SSL", "for an endpoint without `http://` or `https://`", false)
	if kind != used {
		return s
	}
	why := "with STORAGE_TYPE=" + string(kind)
	if kind != S3 { // AWS needs no endpoint: it follows from the region
		r.needs(prefix+"ENDPOINT", s.Endpoint, why)
	}
	if s.Endpoint != "" && !strings.Contains(s.Endpoint, "://") {
		scheme := "http://"
		if tls {
			scheme = "https://"
		}
		s.Endpoint = scheme + s.Endpoint
	}
	if s.Endpoint != "" {
		// An operator who sets a plain HTTP endpoint trusts the network to it: the bytes can be read there
		// anyway.
		if u := r.checkURL(prefix+"ENDPOINT", s.Endpoint); u != nil && u.Scheme == "http" {
			s.Signing = Unsigned
		}
	}
	r.needs(prefix+"ACCESS_KEY", s.AccessKey, why)
	r.needs(prefix+"SECRET_KEY", s.SecretKey, why)
	return s
}

// validBucketPrefix leaves room for "-" and an account number: bucket names have at most 63 characters. Google has
// buckets with "_", and older stores some with capitals; the embedded store accepts neither in the names of new
// buckets.
func validBucketPrefix(kind StorageType, s string) bool {
	valid := plainPrefix
	if kind != Embedded {
		valid = widePrefix
	}
	return valid.MatchString(s)
}

var (
	plainPrefix = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{2,39}$`)
	widePrefix  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{2,39}$`)
)
