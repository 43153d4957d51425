package simstore

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/file"
	"holdfast/storage/storagetest"
)

func TestContract(t *testing.T) { storagetest.Run(t, New(nil)) }

// TestFates checks that a failing call is executed at once, later or never, according to its fate.
func TestFates(t *testing.T) {
	at := file.Location{Bucket: "b-1", Key: "k"}
	for _, c := range []struct {
		name        string
		fate        Fate
		patience    time.Duration
		now, behind bool // whether the object exists when the call has failed, and in the end
	}{
		{"refused", Fate{Failure: Refused, Late: time.Hour}, time.Hour, false, false},
		{"lost answer", Fate{Failure: Lost}, time.Hour, true, true},
		{"late", Fate{Failure: Late, Late: time.Minute}, time.Hour, false, true},
		{"never", Fate{Failure: Late}, time.Hour, false, false},
		{"caller ends, late", Fate{Before: time.Minute, Late: time.Minute}, time.Second, false, true},
		{"caller ends, never", Fate{Before: time.Minute}, time.Second, false, false},
		{"caller ends before the answer", Fate{After: time.Minute}, time.Second, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(func(context.Context, Call) Fate { return c.fate })
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				_, err := s.Put(ctx, at, "", bytes.NewReader([]byte("x")), 1)
				if !errors.Is(err, file.ErrStorageWrite) {
					t.Errorf("the caller gets %v", err)
				}
				if _, _, there := s.Object(at); there != c.now {
					t.Errorf("there at once: %t", there)
				}
				time.Sleep(time.Hour)
				if _, _, there := s.Object(at); there != c.behind {
					t.Errorf("there in the end: %t", there)
				}
			})
		})
	}
}
