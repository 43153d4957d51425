package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if k, v, _ := strings.Cut(p, "="); k == name {
				return v
			}
		}
		return ""
	}
}

func TestDefaults(t *testing.T) {
	c, err := Load(env())
	if err != nil {
		t.Fatal(err)
	}
	data, _ := filepath.Abs("data")
	example, _ := filepath.Abs("web-example/dist")
	want := Config{
		Mode: Development, Host: "127.0.0.1", Port: 8000, DataDir: data, ExampleDir: example,
		Admin: Admin{Addr: "127.0.0.1:9464"}, CacheTTL: 10 * time.Second, WriteTimeout: 2 * time.Minute,
		Direct: Direct{TTL: 15 * time.Minute},
		Download: Download{RedirectAbove: 8 << 20, StoreTimeout: 30 * time.Second, CacheControl: "private, no-cache",
			FrameOptions: "DENY", ResourcePolicy: "same-site"},
		Links:       Links{MaxTTL: 7 * 24 * time.Hour},
		MaxFileSize: 100 << 20, MemoryBudget: 256 << 20, MaxUnfinished: 1000, UploadTTL: 24 * time.Hour,
		ReadTimeout: time.Minute, StartTimeout: 30 * time.Second, MinFreeSpace: -1,
		Events: Events{Scan: Scan{MaxSize: 25 << 20, MaxTime: 2 * time.Minute}}, EmbeddedSync: true,
		Drain:       Drain{Timeout: 10 * time.Second},
		Storage:     Storage{Type: Embedded, Region: "us-east-1", BucketPrefix: "pneumatic-dev-test", Signing: Unsigned},
		Import:      Import{Region: "us-east-1"},
		Auth:        Auth{RedisPrefix: ":1:", Iterations: 1, CacheTTL: 5 * time.Second},
		Connections: Connections{Idle: 11 * time.Minute},
		Limits: Limits{Uploads: Rate{10, time.Minute}, Downloads: Rate{100, time.Minute},
			Failures: Rate{100, time.Minute}, RedisTimeout: 500 * time.Millisecond},
	}
	if fmt.Sprint(c.TrustedProxies) != "[127.0.0.0/8 ::1/128]" {
		t.Error(c.TrustedProxies)
	}
	c.TrustedProxies = nil
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestThePythonServicesEnvironment(t *testing.T) {
	c, err := Load(env("CONFIG=Production", "PORT=8002", "FRONTEND_URL=https://app.example.org/",
		"FORMS_URL=https://forms.example.org",
		`ALLOWED_ORIGINS=["https://a.example.org", "https://b.example.org/"]`, "POSTGRES_HOST=db", "POSTGRES_USER=u",
		"POSTGRES_PASSWORD=p@ss/w",
		"POSTGRES_DB=files", "STORAGE_TYPE=local", "SEAWEEDFS_S3_ENDPOINT=seaweedfs:8333", "SEAWEEDFS_S3_ACCESS_KEY=a",
		"SEAWEEDFS_S3_SECRET_KEY=s", "SEAWEEDFS_S3_USE_SSL=False", "FASTAPI_BASE_URL=https://app.example.org/files/",
		"WORKERS=4",
		"AUTH_REDIS_URL=redis://:re%2Fdis@redis:6379/1", "DJANGO_SECRET_KEY=django secret", "AUTH_TOKEN_ITERATIONS=2",
		"KEY_PREFIX_REDIS=:2:", "BACKEND_PRIVATE_URL=http://backend:8000/", "CHUNK_SIZE=1048576", "DEBUG="))
	if err != nil {
		t.Fatal(err)
	}
	if c.PublicURL != "https://app.example.org/files" || c.Storage.Endpoint != "http://seaweedfs:8333" {
		t.Errorf("%q %q", c.PublicURL, c.Storage.Endpoint)
	}
	if got := c.Postgres.DSN(); got != "postgres://u:p%40ss%2Fw@db:5432/files" {
		t.Error(got)
	}
	c.Postgres.TLS = PostgresTLS{Mode: "verify-full", RootCert: "/etc/ca.pem"}
	if got := c.Postgres.DSN(); !strings.HasSuffix(got, "/files?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem") {
		t.Error(got)
	}
	want := []string{"https://a.example.org", "https://b.example.org", "https://app.example.org",
		"https://forms.example.org"}
	if diff := cmp.Diff(want, c.AllowedOrigins); diff != "" {
		t.Error(diff)
	}
	auth := Auth{Redis: "redis://:re%2Fdis@redis:6379/1", RedisPrefix: ":2:", Secret: "django secret", Iterations: 2,
		CacheTTL: 5 * time.Second}
	if diff := cmp.Diff(auth, c.Auth); diff != "" || c.Backend != "http://backend:8000" {
		t.Error(diff, c.Backend)
	}
	for _, secret := range []string{"p@ss", "re%2Fdis", "re/dis", "django secret"} {
		if s := c.Redacted(); strings.Contains(s, secret) {
			t.Errorf("%q is shown: %s", secret, s)
		}
	}
}

func TestPostgres(t *testing.T) {
	base := []string{"POSTGRES_USER=u", "POSTGRES_DB=d"}
	for host, want := range map[string]string{"[::1]": "postgres://u:@[::1]:5432/d", "::1": "postgres://u:@[::1]:5432/d",
		"db": "postgres://u:@db:5432/d"} {
		c, err := Load(env(append(base, "POSTGRES_HOST="+host)...))
		if err != nil || c.Postgres.DSN() != want {
			t.Errorf("%s: %v, %v", host, c.Postgres, err)
		}
	}
	for _, half := range []string{"PGSSLCERT=/c", "PGSSLKEY=/k"} {
		_, err := Load(env(append(base, "POSTGRES_HOST=db", half)...))
		if err == nil || !strings.Contains(err.Error(), "PGSSLKEY belongs to PGSSLCERT") {
			t.Errorf("%s alone: %v", half, err)
		}
	}
}

func TestTheEdge(t *testing.T) {
	c, err := Load(env("CONFIG=Production", "RATE_LIMIT_UPLOAD_REQUESTS=3", "RATE_LIMIT_UPLOAD_WINDOW=120",
		"RATE_LIMIT_REDIS_TIMEOUT=3s",
		"TRUSTED_PROXIES=10.1.2.3/8, 192.0.2.7,2001:db8::/32",
		"FRONTEND_URL=https://app.example.org/"))
	if err != nil {
		t.Fatal(err)
	}
	want := Limits{true, Rate{3, 2 * time.Minute}, Rate{100, time.Minute}, Rate{100, time.Minute}, 3 * time.Second}
	if c.Limits != want || fmt.Sprint(c.TrustedProxies) != "[10.0.0.0/8 192.0.2.7/32 2001:db8::/32]" ||
		c.FrontendURL != "https://app.example.org" {
		t.Errorf("%+v %v %q", c.Limits, c.TrustedProxies, c.FrontendURL)
	}
	for _, e := range []string{"CONFIG=Testing", "CONFIG=Development", "CONFIG=Production RATE_LIMIT_ENABLED=off"} {
		if c, err := Load(env(strings.Fields(e)...)); err != nil || c.Limits.On {
			t.Errorf("%s: %+v %v", e, c.Limits, err)
		}
	}
	if c, err := Load(env("TRUSTED_PROXIES=private,192.0.2.7")); err != nil || len(c.TrustedProxies) != 9 {
		t.Errorf("%v %v", c.TrustedProxies, err)
	}
	if c, err := Load(env("BACKEND_PRIVATE_URL=http://nginx:8001")); err != nil || len(c.TrustedProxies) != 8 {
		t.Errorf("behind the proxy of a backend: %v %v", c.TrustedProxies, err)
	}
	if c, err := Load(env("TRUSTED_PROXIES=none", "RATE_LIMIT_ENABLED=on")); err != nil || c.TrustedProxies != nil ||
		!c.Limits.On {
		t.Errorf("%v %v", c.TrustedProxies, err)
	}
}

func TestPayloadSigning(t *testing.T) {
	for _, c := range []struct {
		env  string // separated by spaces
		want Signing
	}{
		{"", Unsigned},
		{"S3_PAYLOAD_SIGNING=signed", Signed},
		{"STORAGE_TYPE=local SEAWEEDFS_S3_ENDPOINT=weed:8333", Unsigned},
		{"STORAGE_TYPE=local SEAWEEDFS_S3_ENDPOINT=weed:8333 SEAWEEDFS_S3_USE_SSL=true", SigningDefault},
		{"STORAGE_TYPE=s3 S3_ENDPOINT=http://minio:9000", Unsigned},
		{"STORAGE_TYPE=s3 S3_ENDPOINT=HTTP://minio:9000", Unsigned},
		{"STORAGE_TYPE=s3 S3_ENDPOINT=http://minio:9000 S3_PAYLOAD_SIGNING=signed", Signed},
		{"STORAGE_TYPE=s3 S3_ENDPOINT=https://s3.example.org", SigningDefault},
		{"STORAGE_TYPE=s3 S3_ENDPOINT=https://s3.example.org S3_PAYLOAD_SIGNING=unsigned", Unsigned},
		{"STORAGE_TYPE=s3", SigningDefault}, // AWS
		{"STORAGE_TYPE=s3 S3_PAYLOAD_SIGNING=signed", Signed},
		{"STORAGE_TYPE=google", SigningDefault},
	} {
		keys := " SEAWEEDFS_S3_ACCESS_KEY=a SEAWEEDFS_S3_SECRET_KEY=s S3_ACCESS_KEY=a S3_SECRET_KEY=s GCS_S3_ACCESS_KEY=a " +
			"GCS_S3_SECRET_KEY=s"
		got, err := Load(env(strings.Fields(c.env + keys)...))
		if err != nil || got.Storage.Signing != c.want {
			t.Errorf("%s: %q %v, want %q", c.env, got.Storage.Signing, err, c.want)
		}
	}
}

func TestAllFaultsAreNamedAtOnce(t *testing.T) {
	_, err := Load(env("CONFIG=Prod", "PORT=99999", "DEBUG=maybe", "MAX_FILE_SIZE=-1", "READ_TIMEOUT=999us",
		"PUBLIC_URL=ftp://x",
		"FRONTEND_URL=not a host", "ALLOWED_ORIGINS=[1]", "POSTGRES_HOST=db", "STORAGE_TYPE=local",
		"BUCKET_PREFIX=Bad Prefix",
		"S3_PAYLOAD_SIGNING=perhaps", "CHUNK_SIZE=x", "SEAWEEDFS_S3_SECRET_KEY=topsecret",
		"ADMIN_ADDR=9090", "PERMISSION_CACHE_TTL=2h", "WRITE_TIMEOUT=0", "DOWNLOAD_MODE=fast", "DOWNLOAD_REDIRECT_MIN=-1",
		"DOWNLOAD_REDIRECT_ENDPOINT=s3.example.org", "DOWNLOAD_CACHE_CONTROL=a\nb", "PDF_FRAME_OPTIONS=ALLOWALL",
		"RESOURCE_POLICY=all", "ADMIN_HOSTS=a:1", "IDLE_TIMEOUT=0", "MAX_CONNECTIONS=-1",
		"LINK_KEYS=topsecret", "LINK_MAX_TTL=0", "QUOTA_BYTES=-1", "QUOTA_FILES=many", "WEBHOOK_URL=here",
		"PRE_CREATE_URL=https://a.example.org",
		"WEBHOOK_SECRET=topsecret", "SCAN_CLAMD=nowhere", "IMPORT_S3_TYPE=ftp", "IMPORT_S3_ENDPOINT=here",
		"IMPORT_S3_SECRET_KEY=topsecret",
		"IMPORT_TEXTS_URL=mysql://u:topsecret@h/d", "RATE_LIMIT_ENABLED=maybe", "RATE_LIMIT_UPLOAD_REQUESTS=-1",
		"RATE_LIMIT_DOWNLOAD_WINDOW=0",
		"TRUSTED_PROXIES=10.0.0.0/8,localhost", "AUTH_REDIS_URL=redis://:topsecret@:x", "AUTH_TOKEN_ITERATIONS=1000001",
		"DRAIN_DELAY=-1s", "DRAIN_TIMEOUT=0", "MIN_FREE_SPACE=-1"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"CONFIG", "PORT", "DEBUG", "MAX_FILE_SIZE", "READ_TIMEOUT", "PUBLIC_URL", "FRONTEND_URL",
		"ALLOWED_ORIGINS",
		"POSTGRES_USER", "POSTGRES_DB", "SEAWEEDFS_S3_ENDPOINT", "SEAWEEDFS_S3_ACCESS_KEY", "BUCKET_PREFIX",
		"S3_PAYLOAD_SIGNING", "CHUNK_SIZE",
		"ADMIN_ADDR", "PERMISSION_CACHE_TTL", "WRITE_TIMEOUT", "DOWNLOAD_MODE", "DOWNLOAD_REDIRECT_MIN",
		"DOWNLOAD_REDIRECT_ENDPOINT",
		"DOWNLOAD_CACHE_CONTROL", "PDF_FRAME_OPTIONS", "LINK_KEYS", "LINK_MAX_TTL", "AUTH_REDIS_URL", "AUTH_TOKEN_ITERATIONS",
		"RESOURCE_POLICY", "ADMIN_HOSTS", "IDLE_TIMEOUT", "MAX_CONNECTIONS",
		"QUOTA_BYTES", "QUOTA_FILES", "WEBHOOK_URL", "WEBHOOK_SECRET", "SCAN_CLAMD", "IMPORT_S3_TYPE", "IMPORT_S3_ENDPOINT",
		"IMPORT_S3_ACCESS_KEY", "IMPORT_TEXTS_URL",
		"RATE_LIMIT_ENABLED", "RATE_LIMIT_UPLOAD_REQUESTS", "RATE_LIMIT_DOWNLOAD_WINDOW", "TRUSTED_PROXIES", "DRAIN_DELAY",
		"DRAIN_TIMEOUT", "MIN_FREE_SPACE"} {
		if !strings.Contains("\n"+err.Error(), "\n"+name+" ") {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), "topsecret") {
		t.Error("a secret is shown")
	}
}

func TestKindOfStore(t *testing.T) {
	for set, want := range map[string]string{
		"": "", "STORAGE_TYPE=local SEAWEEDFS_S3_ENDPOINT=http://s:8333": "seaweedfs", "STORAGE_TYPE=google": "google",
		"STORAGE_TYPE=s3":                      "aws",
		"STORAGE_TYPE=s3 S3_ENDPOINT=http://s": "", "STORAGE_TYPE=s3 S3_ENDPOINT=http://s S3_KIND=minio": "minio",
		"STORAGE_TYPE=s3 S3_KIND=google": "google",
		"S3_KIND=google":                 "",
	} {
		keys := []string{"S3_ACCESS_KEY=a", "S3_SECRET_KEY=b", "GCS_S3_ACCESS_KEY=a", "GCS_S3_SECRET_KEY=b",
			"SEAWEEDFS_S3_ACCESS_KEY=a", "SEAWEEDFS_S3_SECRET_KEY=b"}
		c, err := Load(env(append(keys, strings.Fields(set)...)...))
		if err != nil || c.Storage.Kind != want {
			t.Errorf("%q: %q %v, want %q", set, c.Storage.Kind, err, want)
		}
	}
	if _, err := Load(env("STORAGE_TYPE=s3", "S3_ACCESS_KEY=a", "S3_SECRET_KEY=b", "S3_KIND=floppy")); err == nil ||
		!strings.HasPrefix(err.Error(), "S3_KIND ") {
		t.Errorf("a kind that there is not: %v", err)
	}
}

func TestDownloads(t *testing.T) {
	first, second := strings.Repeat("a", 32), strings.Repeat("b", 40)
	c, err := Load(env("STORAGE_TYPE=s3", "S3_ACCESS_KEY=a", "S3_SECRET_KEY=b", "DOWNLOAD_MODE=redirect",
		"DOWNLOAD_REDIRECT_MIN=0",
		"DOWNLOAD_REDIRECT_ENDPOINT=https://s3.example.org/", "LINK_KEYS="+first+", "+second, "LINK_MAX_TTL=720h",
		"PDF_FRAME_OPTIONS=SAMEORIGIN", "PERMISSION_CACHE_TTL=0", "ADMIN_ADDR=off"))
	if err != nil {
		t.Fatal(err)
	}
	want := Download{Redirect: true, RedirectEndpoint: "https://s3.example.org", StoreTimeout: 30 * time.Second,
		CacheControl: "private, no-cache", FrameOptions: "SAMEORIGIN", ResourcePolicy: "same-site"}
	if diff := cmp.Diff(want, c.Download); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Links{[][]byte{[]byte(first), []byte(second)}, 720 * time.Hour}, c.Links); diff != "" {
		t.Error(diff)
	}
	if c.CacheTTL != 0 || c.Admin.Addr != "" {
		t.Error(c.CacheTTL, c.Admin)
	}
	if _, err := Load(env("DOWNLOAD_MODE=redirect")); err == nil || !strings.HasPrefix(err.Error(), "DOWNLOAD_MODE ") {
		t.Errorf("the embedded store can't be reached by clients: %v", err)
	}
}

func TestOperating(t *testing.T) {
	c, err := Load(env("QUOTA_BYTES=1000", "QUOTA_FILES=5", "WEBHOOK_URL=https://a.example.org/hook?x=1",
		"PRE_CREATE_URL=http://b:80/", "WEBHOOK_SECRET="+strings.Repeat("s", 24),
		"SCAN_CLAMD=unix:/run/clamd", "IMPORT_S3_TYPE=google", "IMPORT_S3_ACCESS_KEY=a", "IMPORT_S3_SECRET_KEY=b",
		"IMPORT_TEXTS_URL=postgres://u:p@h/d"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Quota{1000, 5}, c.Quota); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Events{"https://a.example.org/hook?x=1", strings.Repeat("s", 24), "http://b:80/",
		"unix:/run/clamd", Scan{MaxSize: 25 << 20, MaxTime: 2 * time.Minute}}, c.Events); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Import{"https://storage.googleapis.com", "a", "b", "us-east-1", true, "postgres://u:p@h/d"},
		c.Import); diff != "" {
		t.Error(diff)
	}
	if s := c.Redacted(); strings.Contains(s, "sss") || strings.Contains(s, "u:p@") {
		t.Errorf("a secret is shown: %s", s)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("8000", "https://a.org", "a,b", "5m")
	f.Add("-1", "://", `["x"`, "1e9h")
	f.Fuzz(func(t *testing.T, port, u, list, d string) {
		c, err := Load(env("PORT="+port, "PUBLIC_URL="+u, "ALLOWED_ORIGINS="+list, "READ_TIMEOUT="+d))
		if err == nil && (c.Port < 0 || c.Port > 65535 || strings.HasSuffix(c.PublicURL, "/") || c.ReadTimeout <= 0) {
			t.Errorf("%+v", c)
		}
	})
}

// Where requests would never have the path of PUBLIC_URL, the service does not start.
func TestPathOfThePublicURL(t *testing.T) {
	for path, ok := range map[string]bool{"": true, "/files/": true, "/a%20b": true, "/a b": true, "/\u00e4": true,
		"/a%2Fb%20c": true, "/a%2fb c": false, "/a%2Fb{": false, "/a/../b": false, "/./a": false, "/a/..": false,
		"/a..b/...": true} {
		c, err := Load(env("PUBLIC_URL=https://h.example" + path))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "PUBLIC_URL must have") {
			t.Errorf("%q: %q %v", path, c.PublicURL, err)
		}
	}
}
