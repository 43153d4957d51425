package config

import (
	"slices"
	"testing"
)

func TestPartOrigins(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want []string
	}{
		{nil, []string{"*"}},
		{map[string]string{"ALLOWED_ORIGINS": "https://app.example.org"}, []string{"*"}},
		{map[string]string{"PUBLIC_URL": "https://files.example.org/files"}, []string{"https://files.example.org"}},
		{map[string]string{"PUBLIC_URL": "https://b.example.org/files", "ALLOWED_ORIGINS": "https://a.example.org"},
			[]string{"https://a.example.org", "https://b.example.org"}},
		{map[string]string{"PUBLIC_URL": "https://b.example.org", "ALLOWED_ORIGINS": "*"}, []string{"*"}},
	} {
		c, err := Load(func(name string) string { return test.env[name] })
		if got := c.PartOrigins(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%v: %v %v", test.env, got, err)
		}
	}
}
