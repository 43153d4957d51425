// Package config is the only reader of the environment. Load reads every setting
// once, checks it, and names all faults at once. Package main alone imports it and
// hands each part what it needs.
//
// The names and meanings of the Python file service that Holdfast replaces are
// kept; new names follow their style. An empty variable counts as unset.
package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Mode says how strict the service is: Production sends HSTS.
type Mode string

const (
	Testing     Mode = "Testing"
	Development Mode = "Development"
	Production  Mode = "Production"
)

// StorageType says which S3 the objects lie in.
type StorageType string

const (
	Embedded StorageType = "embedded" // versitygw in this process, over DATA_DIR
	Local    StorageType = "local"    // SeaweedFS
	Google   StorageType = "google"   // Google Cloud Storage's S3 API
	S3       StorageType = "s3"       // any S3
)

// Signing says whether requests to the store sign the bytes they carry.
type Signing string

const (
	SigningDefault Signing = "" // as S3's SDK does it: over plain HTTP, not over TLS
	Unsigned       Signing = "unsigned"
	Signed         Signing = "signed"
)

// Config is every setting, typed and checked.
type Config struct {
	Mode    Mode
	Debug   bool // show the reasons of internal errors to clients
	Host    string
	Port    int // 0: a free one
	DataDir string
	// PublicURL is the base that clients see, without a trailing slash. Empty: it
	// follows from the address the service listens on.
	PublicURL      string
	ExampleDir     string
	AllowedOrigins []string
	FrontendURL    string // where browsers are sent to sign in; empty: nowhere
	Limits         Limits
	TrustedProxies []netip.Prefix // whose X-Real-IP is believed

	MaxFileSize  int64         // bytes
	MemoryBudget int64         // bytes of uploads that may be in memory at the same time
	UploadTTL    time.Duration // without a byte, until an unfinished upload is removed
	ReadTimeout  time.Duration // without a byte from an uploading client
	Drain        Drain
	StartTimeout time.Duration // for SQL and S3 to appear
	EmbeddedSync bool          // flush the file system before an offset is acknowledged

	AdminAddr    string        // where metrics are served; empty: nowhere
	RememberTTL  time.Duration // of permissions and records; 0: not at all
	WriteTimeout time.Duration // of a downloading client, for 128 KiB
	Download     Download
	Links        Links

	Postgres *Postgres // nil: SQLite in DataDir
	Storage  Storage
	Import   Import
	Quota    Quota
	Events   Events
	Auth     Auth
	Backend  string // URL of the backend that knows permissions; empty: none
}

// Postgres is where the database is.
type Postgres struct {
	Host, User, Password, Database string
	Port                           int
}

// DSN is the connection URL. It holds the password: never log it.
func (p Postgres) DSN() string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(p.User, p.Password),
		Host: net.JoinHostPort(p.Host, strconv.Itoa(p.Port)), Path: "/" + p.Database}
	return u.String()
}

// Storage is where the objects are. Endpoint and keys are empty for Embedded.
type Storage struct {
	Type                                   StorageType
	Endpoint, AccessKey, SecretKey, Region string
	BucketPrefix                           string
	Signing                                Signing
}

// Download is how files are handed out.
type Download struct {
	Redirect         bool          // large files come from the store itself
	RedirectAbove    int64         // bytes
	RedirectEndpoint string        // where clients reach the store; empty: where we do
	StoreTimeout     time.Duration // without a byte from the store
	CacheControl     string
	FrameOptions     string // X-Frame-Options of a PDF that is to be shown
}

// Links are signed links to files. Without Keys one is made and kept in the database.
type Links struct {
	Keys   [][]byte // the first signs, all are accepted
	MaxTTL time.Duration
}

// Load reads the settings by getenv. The error, if any, has one line for each fault.
func Load(getenv func(string) string) (Config, error) {
	r := reader{getenv: getenv}
	c := Config{
		Mode:         oneOf(&r, "CONFIG", Development, Testing, Development, Production),
		Debug:        r.bool("DEBUG", false),
		Host:         r.string("HOST", "127.0.0.1"),
		Port:         r.int("PORT", 8000, 0, 65535),
		DataDir:      r.path("DATA_DIR", "data"),
		PublicURL:    r.publicURL(),
		ExampleDir:   r.path("EXAMPLE_DIR", filepath.Join("web-example", "dist")),
		MaxFileSize:  r.int64("MAX_FILE_SIZE", 104857600, 1, 5<<40),
		MemoryBudget: r.int64("MEMORY_BUDGET", 256<<20, 17<<20, 1<<40),
		UploadTTL:    r.timeFrom("UPLOAD_TTL", 24*time.Hour, time.Millisecond, 365*24*time.Hour),
		ReadTimeout:  r.duration("READ_TIMEOUT", 60*time.Second, 24*time.Hour),
		Drain:        r.drain(),
		StartTimeout: r.duration("START_TIMEOUT", 30*time.Second, 24*time.Hour),
		EmbeddedSync: r.bool("EMBEDDED_SYNC", true),
		AdminAddr:    r.address("ADMIN_ADDR", "127.0.0.1:9090"),
		RememberTTL:  r.timeFrom("PERMISSION_CACHE_TTL", 10*time.Second, 0, time.Hour),
		WriteTimeout: r.duration("WRITE_TIMEOUT", 2*time.Minute, 24*time.Hour),
		Links:        r.links(),
		Postgres:     r.postgres(),
		Storage:      r.storage(),
		Import:       r.imports(),
		Quota:        r.quotas(),
		Events:       r.events(),
		Auth:         r.auth(),
		Backend:      r.backend(),
	}
	c.AllowedOrigins = r.origins()
	c.FrontendURL = r.frontend()
	c.Limits = r.limits(c.Mode)
	c.TrustedProxies = r.proxies()
	c.Download = r.download(c.Storage.Type)
	r.int64("CHUNK_SIZE", 1048576, 1, 1<<40) // checked, so that a typing error is told; not needed
	if err := r.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (r *reader) publicURL() string {
	name := "PUBLIC_URL"
	if r.get(name) == "" {
		name = "FASTAPI_BASE_URL"
	}
	u := r.httpURL(name)
	if u == nil {
		return ""
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		r.fault(name, "must be a plain URL, without user, query and fragment")
	}
	return strings.TrimRight(u.String(), "/")
}

func (r *reader) origins() []string {
	var all []string
	for _, o := range r.list("ALLOWED_ORIGINS") {
		if o != "*" && r.checkURL("ALLOWED_ORIGINS", o) == nil {
			continue
		}
		all = append(all, strings.TrimRight(o, "/"))
	}
	for _, name := range []string{"FRONTEND_URL", "FORMS_URL"} {
		if u := r.httpURL(name); u != nil {
			all = append(all, u.Scheme+"://"+u.Host)
		}
	}
	return all
}

func (r *reader) postgres() *Postgres {
	if r.get("POSTGRES_HOST") == "" {
		return nil
	}
	return &Postgres{
		Host:     r.string("POSTGRES_HOST", ""),
		Port:     r.int("POSTGRES_PORT", 5432, 1, 65535),
		User:     r.required("POSTGRES_USER", "with POSTGRES_HOST"),
		Password: r.get("POSTGRES_PASSWORD"),
		Database: r.required("POSTGRES_DB", "with POSTGRES_HOST"),
	}
}

func (r *reader) redis() string {
	const name = "AUTH_REDIS_URL"
	s := r.get(name)
	u, err := url.Parse(s)
	// The error of url.Parse repeats what it read, password and all.
	if s != "" && (err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.Host == "") {
		r.fault(name, "must be a redis or rediss URL, such as redis://host:6379/1")
	}
	return s
}

func (r *reader) storage() Storage {
	s := Storage{
		Type:         oneOf(r, "STORAGE_TYPE", Embedded, Embedded, Local, Google, S3),
		BucketPrefix: r.string("BUCKET_PREFIX", "pneumatic-dev-test"),
		Signing:      oneOf(r, "S3_PAYLOAD_SIGNING", SigningDefault, Unsigned, Signed),
	}
	if !validBucketPrefix(s.BucketPrefix) {
		r.fault("BUCKET_PREFIX", "must be 3 to 40 of a-z, 0-9, '-' and '.', beginning with a letter or digit")
	}
	prefix := map[StorageType]string{Local: "SEAWEEDFS_S3_", Google: "GCS_S3_", S3: "S3_"}[s.Type]
	if prefix == "" {
		s.Region, s.Signing = "us-east-1", cmp.Or(s.Signing, Unsigned)
		return s
	}
	why := "with STORAGE_TYPE=" + string(s.Type)
	endpoint := ""
	if s.Type == Google {
		endpoint = "https://storage.googleapis.com"
	}
	s.Endpoint = r.string(prefix+"ENDPOINT", endpoint)
	if s.Endpoint == "" && s.Type != S3 { // AWS needs none: it follows from the region
		r.fault(prefix+"ENDPOINT", "is needed "+why)
	}
	if s.Endpoint != "" && !strings.Contains(s.Endpoint, "://") {
		scheme := "http://"
		if r.bool(prefix+"USE_SSL", false) {
			scheme = "https://"
		}
		s.Endpoint = scheme + s.Endpoint
	}
	if s.Endpoint != "" {
		// Who names a plain HTTP endpoint trusts the way to it: its bytes can be read there anyway.
		if u := r.checkURL(prefix+"ENDPOINT", s.Endpoint); u != nil && u.Scheme == "http" {
			s.Signing = cmp.Or(s.Signing, Unsigned)
		}
	}
	s.AccessKey = r.required(prefix+"ACCESS_KEY", why)
	s.SecretKey = r.required(prefix+"SECRET_KEY", why)
	s.Region = r.string(prefix+"REGION", "us-east-1")
	return s
}

// validBucketPrefix leaves room for "-" and an account number: bucket names have
// at most 63 characters.
func validBucketPrefix(s string) bool {
	if len(s) < 3 || len(s) > 40 {
		return false
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '-' && r != '.') {
			return false
		}
	}
	return true
}

// Redacted describes the settings for a log line, without any secret.
func (c Config) Redacted() string {
	database := "sqlite"
	if c.Postgres != nil {
		database = fmt.Sprintf("postgres %s@%s:%d/%s", c.Postgres.User, c.Postgres.Host, c.Postgres.Port, c.Postgres.Database)
	}
	storage := string(c.Storage.Type)
	if c.Storage.Endpoint != "" {
		storage += " " + c.Storage.Endpoint
	}
	return fmt.Sprintf("mode=%s database=%q storage=%q max_file_size=%d", c.Mode, database, storage, c.MaxFileSize)
}
