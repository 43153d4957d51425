package config

import (
	"cmp"
	"strings"
)

// Import is the store from which files are imported. Without AccessKey, sources of the form s3://bucket/key are in
// the service's own store.
type Import struct {
	Endpoint, AccessKey, SecretKey, Region string
	Google                                 bool   // Google Cloud Storage's S3 API
	Texts                                  string // URL of a PostgreSQL database, which holds the password: never log it
}

func (r *reader) imports() Import {
	r.group = "Import"
	i := Import{
		Google: oneOf(r, "IMPORT_S3_TYPE",
			"for `holdfast import`: the kind of store that files are imported from, `s3` or `google`", "s3", "s3",
			"google") == "google",
		Endpoint:  r.string("IMPORT_S3_ENDPOINT", "the URL of that store, if it is not the service's own", ""),
		AccessKey: r.string("IMPORT_S3_ACCESS_KEY", "the access key there", ""),
		SecretKey: r.string("IMPORT_S3_SECRET_KEY", "the secret key there", ""),
		Region:    r.string("IMPORT_S3_REGION", "the region of that store", "us-east-1"),
		Texts: r.get("IMPORT_TEXTS_URL",
			"for `holdfast import links` and `access crossing`: the PostgreSQL database with the texts, "+
				"`postgres://user:password@host/database`", ""),
	}
	if i.Google {
		i.Endpoint = cmp.Or(i.Endpoint, "https://storage.googleapis.com")
	}
	if i.Endpoint != "" {
		r.checkURL("IMPORT_S3_ENDPOINT", i.Endpoint)
	}
	if (i.Endpoint != "" || i.SecretKey != "") && i.AccessKey == "" {
		r.fault("IMPORT_S3_ACCESS_KEY", "is needed to read another store")
	}
	if i.AccessKey != "" && i.SecretKey == "" {
		r.fault("IMPORT_S3_SECRET_KEY", "is needed with IMPORT_S3_ACCESS_KEY")
	}
	if i.Texts != "" && !strings.HasPrefix(i.Texts, "postgres://") && !strings.HasPrefix(i.Texts, "postgresql://") {
		r.fault("IMPORT_TEXTS_URL", "must be a URL such as postgres://user:password@host:5432/database")
	}
	return i
}
