package service

import (
	"errors"
	"strings"
	"testing"

	"holdfast/config"
	"holdfast/storage/s3"
)

// storage/s3 knows every kind of store that a setting can name.
func TestKindsOfStoresAreKnown(t *testing.T) {
	for _, kind := range config.StoreKinds() {
		if _, known := s3.Kind(kind).Quirks(); !known {
			t.Errorf("%q is not known", kind)
		}
	}
	if _, known := s3.Kind("floppy").Quirks(); known {
		t.Error("any word is known")
	}
}

// A file that the settings name and that is not there is a wrong setting, with the exit status of those.
func TestDatabaseWithoutItsCertificate(t *testing.T) {
	c := config.Config{Postgres: &config.Postgres{Host: "127.0.0.1", Port: 1, User: "u", Database: "d",
		TLS: config.PostgresTLS{Mode: "verify-full", RootCert: "/none.pem"}}}
	_, err := connectDatabase(t.Context(), c)
	if !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), "/none.pem") {
		t.Error(err)
	}
}
