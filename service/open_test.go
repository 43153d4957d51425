package service

import (
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
