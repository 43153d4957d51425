package config

import (
	"strings"
	"testing"
)

// Origins and headers that cannot be meant like that end the start, and the error names the setting.
func TestSettingsOfOtherOrigins(t *testing.T) {
	for _, c := range []struct{ name, value, says string }{
		{"ALLOWED_ORIGINS", "https://*.github.io", "ALLOWED_ORIGINS has *.github.io"},
		{"ALLOWED_ORIGINS", "https://app.example.org,https://*.com", "ALLOWED_ORIGINS has *.com"},
		{"ALLOWED_ORIGINS", "https://*.lan", ""},
		{"ALLOWED_ORIGINS", "https://*.example.co.uk", ""},
		{"ALLOWED_HEADERS", "X-Tenant X-Other", "ALLOWED_HEADERS must be names"},
		{"ALLOWED_HEADERS", "X-Tenant: 1", "ALLOWED_HEADERS must be names"},
		{"ALLOWED_HEADERS", "X-Tenant, sentry_trace", ""},
	} {
		_, err := Load(func(name string) string { return map[string]string{c.name: c.value}[name] })
		if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
}
