// Package config is the only package that reads the environment. Load reads every setting once, checks it, and
// reports all faults together. Only cli, service and edge import it; service passes other packages the settings that
// they need.
//
// Names and meanings of variables are those of the Python file service that Holdfast replaces; new names follow
// their style. An empty variable counts as unset.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mode is how strict the service is: Production sends HSTS.
type Mode string

const (
	Testing     Mode = "Testing"
	Development Mode = "Development"
	Staging     Mode = "Staging"
	Production  Mode = "Production"
)

// StorageType is the store in which the objects are kept.
type StorageType string

const (
	Embedded StorageType = "embedded" // plain files in DATA_DIR
	Local    StorageType = "local"    // SeaweedFS
	Google   StorageType = "google"   // Google Cloud Storage's S3 API
	S3       StorageType = "s3"       // any S3
)

// Signing says whether requests to the store sign their bodies.
type Signing string

const (
	SigningDefault Signing = "" // the SDK's default: sign over plain HTTP, not over TLS
	Unsigned       Signing = "unsigned"
	Signed         Signing = "signed"
)

// Config is every setting, typed and checked.
type Config struct {
	Mode    Mode
	Debug   bool // show the reasons of internal errors to clients
	Host    string
	Port    int // 0: a free one
	TLS     TLS
	DataDir string
	// PublicURL is the base URL that clients see, without a trailing slash. If it is empty, URLs follow the Host of
	// each request, or else the address on which the service listens.
	PublicURL      string
	ExampleDir     string
	AllowedOrigins []string
	AllowedHeaders []string // request headers that pages may send, besides those that the service knows
	FrontendURL    string   // where browsers are sent to sign in; empty: nowhere
	Limits         Limits
	TrustedProxies []netip.Prefix // whose X-Real-IP is trusted
	Connections    Connections
	// InterimThroughProxy is how many interim answers (1xx) a request through a proxy may get at most.
	InterimThroughProxy int

	MaxFileSize   int64         // bytes
	MemoryBudget  int64         // bytes of uploads that may be in memory at the same time
	MaxUnfinished int64         // unfinished uploads that an identity may have; 0: any number
	UploadTTL     time.Duration // an unfinished upload is removed after this time without a byte
	ReadTimeout   time.Duration // time without a byte from an uploading client
	Drain         Drain
	StartTimeout  time.Duration // how long to wait for SQL and S3 at the start
	MinFreeSpace  int64         // bytes that uploads leave free in DataDir; negative: the default
	EmbeddedSync  bool          // flush the file system before an offset is acknowledged

	Admin        Admin
	CacheTTL     time.Duration // of permissions and records; 0: no caching
	WriteTimeout time.Duration // for sending 128 KiB to a downloading client
	Direct       Direct
	Download     Download
	Links        Links

	Postgres *Postgres // nil: SQLite in DataDir
	Storage  Storage
	Import   Import
	Quota    Quota
	Events   Events
	Auth     Auth
	Backend  string // URL of the backend that knows permissions; empty: none
	Traces   Traces

	Proxies     Proxies
	MemoryLimit bool // the operator has set GOMEMLIMIT
}

// Postgres is where the database is.
type Postgres struct {
	Host, User, Password, Database string
	Port                           int
	TLS                            PostgresTLS
}

// PostgresTLS says how connections to PostgreSQL are encrypted, as libpq's variables of these names do. Empty: prefer,
// and no files.
type PostgresTLS struct {
	Mode, RootCert, Cert, Key string
}

// DSN is the connection URL. It holds the password: never log it. What it says, the library does not take from the PG
// variables of the environment.
func (p Postgres) DSN() string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(p.User, p.Password),
		Host: net.JoinHostPort(p.Host, strconv.Itoa(p.Port)), Path: "/" + p.Database}
	query := url.Values{}
	for name, value := range map[string]string{"sslmode": p.TLS.Mode, "sslrootcert": p.TLS.RootCert,
		"sslcert": p.TLS.Cert, "sslkey": p.TLS.Key} {
		if value != "" {
			query.Set(name, value)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Storage is where the objects are. Endpoint and keys are empty for Embedded.
type Storage struct {
	Kind                                   string // kind of store, as storage/s3 names it; empty: not known
	Type                                   StorageType
	Endpoint, AccessKey, SecretKey, Region string
	BucketPrefix                           string
	Signing                                Signing
}

// Download has the settings of downloads.
type Download struct {
	Redirect         bool          // clients fetch large files from the store itself
	RedirectAbove    int64         // bytes
	RedirectEndpoint string        // where clients reach the store; empty: at our own endpoint
	StoreTimeout     time.Duration // time without a byte from the store
	CacheControl     string
	FrameOptions     string // X-Frame-Options of a PDF shown in the browser
	ResourcePolicy   string // Cross-Origin-Resource-Policy of files
}

// Links has the settings of signed links. Without Keys, a key is made and stored in the database.
type Links struct {
	Keys   [][]byte // the first signs, all are accepted
	MaxTTL time.Duration
}

// Load reads the settings by getenv. The error, if any, has one line per fault.
func Load(getenv func(string) string) (Config, error) {
	r := reader{getenv: getenv}
	c := r.load()
	if err := r.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// load reads all settings, even after faults, in the order of the documentation.
func (r *reader) load() (c Config) {
	r.service(&c)
	r.uploads(&c)
	r.downloads(&c)
	c.Auth, c.Backend = r.auth()
	c.Postgres = r.postgres()
	c.Storage = r.storage()
	c.EmbeddedSync = r.bool("EMBEDDED_SYNC",
		"flush the embedded store's file system before an offset is acknowledged. `off` is faster, and a power cut may "+
			"lose acknowledged bytes", true)
	if c.Direct.On && c.Storage.Type == Embedded {
		r.fault("UPLOAD_DIRECT", "needs a store that clients can reach: another STORAGE_TYPE than embedded")
	}
	if c.Download.Redirect && c.Storage.Type == Embedded {
		r.fault("DOWNLOAD_MODE", "redirect needs a store that clients can reach: another STORAGE_TYPE than embedded")
	}
	c.Limits = r.limits(c.Mode)
	c.Connections = r.connections()
	c.TrustedProxies = r.proxies(c.Backend != "")
	c.InterimThroughProxy = r.interim()
	c.Quota = r.quotas()
	c.Events = r.events()
	c.Import = r.imports()
	c.Traces = r.traces()
	r.process(&c)
	return c
}

func (r *reader) service(c *Config) {
	r.group = "The service"
	c.Mode = oneOf(r, "CONFIG", "`Testing`, `Development`, `Staging` (prints no token at start) or `Production` (the "+
		"same, with JSON logs, rate limits and HSTS)",
		Development, Testing, Development, Staging, Production)
	c.Debug = r.bool("DEBUG", "show the text of internal errors to clients", false)
	c.Host = r.listenHost("HOST", "the address to listen on; `0.0.0.0`: all addresses", "127.0.0.1")
	c.Port = r.int("PORT", "the port to listen on; 0: any free port", 8000, 0, 65535)
	c.TLS = r.tls()
	c.DataDir = r.path("DATA_DIR", "the folder of the SQLite database and of the embedded store", "./data")
	c.PublicURL = r.publicURL()
	c.ExampleDir = r.path("EXAMPLE_DIR", "the folder of the built example pages, which are served at `/` if it exists",
		"web-example/dist")
	c.FrontendURL, c.AllowedOrigins = r.origins()
	c.AllowedHeaders = r.allowedHeaders()
	c.Admin = r.admin()
	c.StartTimeout = r.duration("START_TIMEOUT", "how long to wait for the database and the store at start",
		30*time.Second,
		24*time.Hour)
	c.Drain = r.drain()
}

func (r *reader) uploads(c *Config) {
	r.group = "Uploads"
	c.MaxFileSize = r.int64("MAX_FILE_SIZE", "the largest file, in bytes", 104857600, 1, 5<<40)
	c.MemoryBudget = r.int64("MEMORY_BUDGET",
		"how many bytes of uploads may be in memory at the same time; at least two parts of the largest file's", 256<<20,
		17<<20, 1<<40)
	c.UploadTTL = r.timeFrom("UPLOAD_TTL", "an unfinished upload is removed after this time without a byte", 24*time.Hour,
		time.Millisecond, 365*24*time.Hour)
	c.MaxUnfinished = r.int64("MAX_UNFINISHED_UPLOADS", "how many unfinished uploads one identity may have, with those "+
		"whose URL a client never got because its connection broke; of a public form's, one visitor at most a tenth. "+
		"See [Visitors of forms](#visitors-of-forms). 0: no limit",
		1000, 0, 1<<40)
	c.ReadTimeout = r.duration("READ_TIMEOUT",
		"an upload request is ended after this time without a byte; the bytes that came are kept", 60*time.Second,
		24*time.Hour)
	c.MinFreeSpace = r.minFreeSpace()
	c.Direct = r.direct()
	r.int64("CHUNK_SIZE", "a setting of the Python service that has no effect here; its value is still checked", 1048576,
		1, 1<<40)
}

// minFreeSpace is negative if the variable is not set.
func (r *reader) minFreeSpace() int64 {
	const name, usual = "MIN_FREE_SPACE", 256 << 20
	n := r.int64(name, "how many bytes uploads leave free on the disk of `DATA_DIR`, so that files can still be deleted: "+
		"an upload that would leave less is refused (507). By default at most a tenth of the disk; 0: none", usual, 0, 1<<50)
	if strings.TrimSpace(r.getenv(name)) == "" {
		return -1
	}
	return n
}

func (r *reader) publicURL() string {
	name := "PUBLIC_URL"
	u := r.httpURL(name, "the URL under which clients see files; it must be set behind a proxy. Without it, the URLs "+
		"that a client gets have the host of its request (`http://HOST/files`). Unfinished uploads have URLs below its "+
		"path: under another path their clients find nothing, and begin anew")
	if other := r.pythonURL("FASTAPI_BASE_URL", "the Python service's name for `PUBLIC_URL`"); u == nil && other != nil {
		name, u = "FASTAPI_BASE_URL", other
	}
	if u == nil {
		return ""
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		r.fault(name, "must be a plain URL, without user, query and fragment")
	}
	switch {
	case u.RawPath != "" && strings.Count(u.EscapedPath(), "/") != strings.Count(u.RawPath, "/"):
		r.fault(name, "must have a path that is escaped as a whole, since it has %2F: other characters in it are not")
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		r.fault(name, "must have no . and .. in its path: clients leave them out of their requests")
	}
	return strings.TrimRight(u.String(), "/")
}

// origins reads the origins whose pages may call the API. The first result is the URL to which browsers are sent to
// sign in, without a trailing slash, or empty.
func (r *reader) origins() (frontend string, all []string) {
	for _, s := range r.list("ALLOWED_ORIGINS",
		"origins whose pages may call the API (CORS), as a comma list or JSON list: such as `https://app.example.org`, "+
			"`https://*.example.org`, an app's `capacitor://localhost`, or `*` for every origin, but without cookies") {
		if o := r.origin(s); o != "" {
			all = append(all, o)
		}
	}
	if u := r.pythonURL("FRONTEND_URL",
		"the front end: its origin may call the API, and a browser that opens a file's URL without a token is redirected "+
			"there to sign in"); u != nil {
		frontend = strings.TrimRight(u.String(), "/")
		all = append(all, Origin(u))
	}
	if u := r.pythonURL("FORMS_URL",
		"the URL of public forms: its origin may call the API. Here and in `FRONTEND_URL`, `BACKEND_PRIVATE_URL` and "+
			"`FASTAPI_BASE_URL` the scheme may be left out: it is http for IP addresses and names without a dot, otherwise "+
			"https"); u != nil {
		all = append(all, Origin(u))
	}
	return frontend, all
}

func (r *reader) postgres() *Postgres {
	r.group = "Database"
	p := &Postgres{
		Host: r.string("POSTGRES_HOST",
			"the host of PostgreSQL (15 or newer); without it, the database is SQLite in `DATA_DIR`", ""),
		Port:     r.int("POSTGRES_PORT", "the port of PostgreSQL", 5432, 1, 65535),
		User:     r.string("POSTGRES_USER", "the role that the service uses", ""),
		Password: r.string("POSTGRES_PASSWORD", "the password of that role", ""),
		Database: r.string("POSTGRES_DB", "the name of the database", ""),
		TLS: PostgresTLS{
			Mode: oneOf(r, "PGSSLMODE", "whether connections to PostgreSQL are encrypted, as for its own programs: `disable`, "+
				"`allow`, `prefer`, `require`, `verify-ca` or `verify-full`", "", "disable", "allow", "prefer", "require",
				"verify-ca", "verify-full"),
			RootCert: r.get("PGSSLROOTCERT", "the file with the certificates by which PostgreSQL's is verified", ""),
			Cert:     r.get("PGSSLCERT", "the file with the service's own certificate, if PostgreSQL asks for one", ""),
			Key:      r.get("PGSSLKEY", "the file with the key of that certificate", ""),
		},
	}
	if p.Host == "" {
		return nil
	}
	if inside, ok := strings.CutPrefix(p.Host, "["); ok { // as in a URL
		p.Host = strings.TrimSuffix(inside, "]")
	}
	if (p.TLS.Cert == "") != (p.TLS.Key == "") {
		r.fault("PGSSLKEY", "belongs to PGSSLCERT: set both, or none")
	}
	r.needs("POSTGRES_USER", p.User, "with POSTGRES_HOST")
	r.needs("POSTGRES_DB", p.Database, "with POSTGRES_HOST")
	return p
}

// redis reads the URL of a Redis.
func (r *reader) redis(name, meaning string) string {
	s := r.get(name, meaning, "")
	u, err := url.Parse(s)
	// The error of url.Parse contains its input, including the password.
	if s != "" && (err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.Host == "") {
		r.fault(name, "must be a redis or rediss URL, such as redis://host:6379/1")
	}
	return s
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
