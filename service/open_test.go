package service

import (
	"testing"

	"holdfast/config"
	"holdfast/storage/s3"
)

// Every kind of store that a setting names is one that storage/s3 knows.
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
