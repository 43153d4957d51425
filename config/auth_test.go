package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSignedTokens(t *testing.T) {
	secret := strings.Repeat("s", 32)
	c, err := Load(env("AUTH_JWKS_URL=https://id.example.org/keys", "AUTH_JWT_SECRET="+secret,
		"AUTH_JWT_ISSUER=https://id.example.org",
		"AUTH_JWT_AUDIENCE=files", "AUTH_JWT_USER_CLAIM=sub", "AUTH_JWT_ACCOUNT_CLAIM=tenant", "AUTH_JWT_GROUPS_CLAIM=roles",
		"AUTH_CACHE_TTL=0"))
	if err != nil {
		t.Fatal(err)
	}
	want := &JWT{"https://id.example.org/keys", secret, "https://id.example.org", "files", "sub", "tenant", "roles"}
	if diff := cmp.Diff(want, c.Auth.JWT); diff != "" || c.Auth.CacheTTL != 0 {
		t.Error(diff, c.Auth.CacheTTL)
	}
	if strings.Contains(c.Redacted(), secret) {
		t.Error("the secret is shown")
	}
}

func TestFaultsOfAuth(t *testing.T) {
	same := strings.Repeat("topsecret", 4)
	for name, settings := range map[string][]string{
		"DJANGO_SECRET_KEY":               {"AUTH_REDIS_URL=redis://redis:6379/1", "BACKEND_PRIVATE_URL=http://backend"},
		"AUTH_TOKEN_ITERATIONS":           {"AUTH_TOKEN_ITERATIONS=0"},
		"AUTH_CACHE_TTL":                  {"AUTH_CACHE_TTL=2h"},
		"AUTH_JWKS_URL":                   {"AUTH_JWKS_URL=id.example.org"},
		"AUTH_JWT_SECRET":                 {"AUTH_JWT_SECRET=topsecret"},
		"AUTH_JWT_SECRET must be another": {"AUTH_JWT_SECRET=" + same, "DJANGO_SECRET_KEY=" + same},
		"BACKEND_PRIVATE_URL":             {"BACKEND_PRIVATE_URL=ftp://backend:8000"},
	} {
		_, err := Load(env(settings...))
		if err == nil || !strings.HasPrefix(err.Error(), name+" ") || strings.Contains(err.Error(), "\n") ||
			strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v", settings, err)
		}
	}
}
