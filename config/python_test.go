package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Values that the Python service accepts are accepted.
func TestSettingsOfThePythonService(t *testing.T) {
	c, err := Load(env("CONFIG=Staging", "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_UPLOAD_REQUESTS=0",
		"FRONTEND_URL=app.example.org/",
		"FORMS_URL=localhost:3001", "BACKEND_PRIVATE_URL=backend:8000", "DJANGO_SECRET_KEY=django secret",
		"FASTAPI_BASE_URL=10.0.0.7:8001/files/", "STORAGE_TYPE=google", "GCS_S3_ACCESS_KEY=a", "GCS_S3_SECRET_KEY=b",
		"BUCKET_PREFIX=Acme_files"))
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Mode, c.Mode.HSTS(), c.Limits.Uploads.Count, c.FrontendURL, c.AllowedOrigins, c.Backend, c.PublicURL,
		c.Storage.BucketPrefix}
	want := []any{Staging, false, 0, "https://app.example.org", []string{"https://app.example.org",
		"http://localhost:3001"},
		"http://backend:8000", "http://10.0.0.7:8001/files", "Acme_files"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c, err := Load(env("CONFIG=Staging")); err != nil || c.Limits.On {
		t.Errorf("limits of Staging: %v, %v", c.Limits, err)
	}
	for _, prefix := range []string{"Acme_files", "a_b_c"} { // the embedded store creates no such bucket
		if _, err := Load(env("BUCKET_PREFIX=" + prefix)); err == nil {
			t.Errorf("%s is taken", prefix)
		}
	}
}

// The limit on wrong tokens can't be turned off alone.
func TestWrongTokensAreAlwaysLimited(t *testing.T) {
	_, err := Load(env("RATE_LIMIT_AUTH_FAILURES=0"))
	if err == nil || !strings.Contains(err.Error(), "RATE_LIMIT_AUTH_FAILURES") {
		t.Error(err)
	}
}
