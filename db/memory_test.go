package db

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"holdfast/file"
)

// TestMemory: a database in memory is one of its own, has the tables of every other, and its clock is the given one.
func TestMemory(t *testing.T) {
	template, err := NewTemplate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var late time.Duration
		d, err := template.Open(t.Context(), func() time.Time { return time.Now().Add(late) })
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		u := file.Upload{ID: file.NewID(), Creator: file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1},
			TTL: time.Hour, State: file.Open, Size: 1}
		if err := d.CreateUpload(t.Context(), u, "a", time.Minute); err != nil {
			t.Fatal(err)
		}
		if got, err := d.TakeLease(t.Context(), u.ID, "b", time.Minute); got != nil || err != nil {
			t.Fatalf("the lease of another: %+v %v", got, err)
		}
		time.Sleep(61 * time.Second) // of the test's clock
		if got, err := d.TakeLease(t.Context(), u.ID, "b", time.Minute); got == nil || err != nil || got.Expired {
			t.Fatalf("a lease that is over: %+v %v", got, err)
		}
		late = 2 * time.Hour
		if got, err := d.UploadRow(t.Context(), u.ID); err != nil || got.Held || !got.Expired {
			t.Fatalf("after the clock was set: %+v %v", got, err)
		}
		other, err := template.Open(t.Context(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := other.UploadRow(t.Context(), u.ID); !isNotFound(err) {
			t.Errorf("in another database: %v", err)
		}
	})
}

// Nothing keeps the clock of a database that was closed, nor what the clock knows.
func TestClosedMemoryIsForgotten(t *testing.T) {
	template, err := NewTemplate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known := func() weak.Pointer[[1 << 20]byte] {
		big := new([1 << 20]byte)
		d, err := template.Open(t.Context(), func() time.Time { return time.Unix(int64(big[0]), 0) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.UploadRow(t.Context(), file.NewID()); !isNotFound(err) {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return weak.Make(big)
	}()
	for range 10 {
		if runtime.GC(); known.Value() == nil {
			return
		}
	}
	t.Error("it is kept")
}
