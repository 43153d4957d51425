package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// listing: objects are listed in pages, in the order of the keys' bytes, also while they change.
func (s suite) listing(t *testing.T) {
	s.cases(t, testing.InternalTest{Name: "order", F: s.listsInOrder}, testing.InternalTest{Name: "pages", F: s.pages},
		testing.InternalTest{Name: "begun", F: s.listsBegun}, testing.InternalTest{Name: "leftovers", F: s.leftovers},
		testing.InternalTest{Name: "changes", F: s.listsBesideChanges})
}

func (s suite) listsInOrder(t *testing.T) {
	ctx := t.Context()
	layout := fresh("list")
	at := layout.Object(3, "b")
	for _, f := range []func() (int, error){
		func() (int, error) { l, err := s.List(ctx, at.Bucket, "", ""); return len(l), err },
		func() (int, error) {
			n := 0
			err := s.Multiparts(ctx, at.Bucket, func(storage.MultipartUpload) error { n++; return nil })
			return n, err
		},
		func() (int, error) { b, err := s.Buckets(ctx, layout.BucketPrefix); return len(b), err },
	} {
		if n, err := f(); n != 0 || err != nil {
			t.Errorf("a bucket that is not there: %d %v", n, err)
		}
	}
	put := func(key, content string) {
		t.Helper()
		if _, err := s.Put(ctx, file.Location{Bucket: at.Bucket, Key: key}, "text/plain",
			bytes.NewReader([]byte(content)), int64(len(content))); err != nil {
			t.Fatal(err)
		}
	}
	keys := []string{"B", "a", "a b", "a-b", "b", "tails/x/1-2", "ä"}
	for i, key := range keys {
		put(key, fmt.Sprint(i*1000))
	}
	all, err := s.List(ctx, at.Bucket, "", "")
	if err != nil || len(all) != len(keys) {
		t.Fatalf("%+v %v", all, err)
	}
	for i, o := range all {
		if o.Key != keys[i] || o.Size != int64(len(fmt.Sprint(i*1000))) || o.ETag == "" ||
			time.Since(o.Modified).Abs() > time.Hour {
			t.Errorf("%+v, want %s", o, keys[i])
		}
		if seen, err := s.Stat(ctx, file.Location{Bucket: at.Bucket, Key: o.Key}); err != nil || seen.ETag != o.ETag ||
			seen.Size != o.Size || seen.Type != "text/plain" {
			t.Errorf("%s: %+v %v", o.Key, seen, err)
		}
	}
	for after, want := range map[string]int{"a b": 4, "a a": 5, "ä": 0, storage.Tails + "\U0010FFFF": 1} {
		if l, err := s.List(ctx, at.Bucket, "", after); err != nil || len(l) != want {
			t.Errorf("behind %q: %+v %v", after, l, err)
		}
	}
	if l, err := s.List(ctx, at.Bucket, storage.Tails, ""); err != nil || len(l) != 1 || l[0].Key != "tails/x/1-2" {
		t.Errorf("%+v %v", l, err)
	}
	if b, err := s.Buckets(ctx, layout.BucketPrefix+"-"); err != nil || !slices.Equal(b, []string{at.Bucket}) {
		t.Errorf("%q %v", b, err)
	}
}

// listsBegun: an unfinished upload is listed until it is completed or aborted.
func (s suite) listsBegun(t *testing.T) {
	ctx, layout := t.Context(), fresh("begun")
	want := map[string]string{} // keys by upload id
	for i := range 5 {
		at := layout.Object(1, file.ID(fmt.Sprint("key ", i/2))) // two uploads for one key
		m := begin(t, s, at)
		s.part(t, at, m, 1, []byte("part"))
		want[m.ID] = at.Key
	}
	bucket := layout.Object(1, "").Bucket
	look := func() {
		t.Helper()
		got := map[string]string{}
		if err := s.Multiparts(ctx, bucket, func(b storage.MultipartUpload) error {
			if got[b.ID] = b.Key; time.Since(b.Since).Abs() > time.Hour {
				t.Errorf("begun at %s", b.Since)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	look()
	stop := errors.New("stop")
	if err := s.Multiparts(ctx, bucket, func(storage.MultipartUpload) error { return stop }); err != stop {
		t.Error(err)
	}
	for id, key := range want {
		if err := s.Abort(ctx, file.Location{Bucket: bucket, Key: key}, id); err != nil {
			t.Error(err)
		}
		delete(want, id)
		if len(want) == 2 {
			break
		}
	}
	look()
}

// leftovers: everything that belongs to one upload is found, and nothing that belongs to others.
func (s suite) leftovers(t *testing.T) {
	ctx, layout := t.Context(), fresh("left")
	bucket := layout.Object(1, "").Bucket
	var keys, ids []string
	for _, id := range []file.ID{"u", "u1", "v"} {
		for _, key := range []string{storage.ObjectKey(id), storage.TailKey(id, 1, 2), storage.TailKey(id, 2, 30),
			storage.FencedKey(id, 3)} {
			put(t, s, file.Location{Bucket: bucket, Key: key}, []byte(key))
			if id == "u" && key != storage.ObjectKey(id) {
				keys = append(keys, key)
			}
		}
		for _, key := range []string{storage.ObjectKey(id) + "-", storage.FencedKey(id, 4)} {
			if m := begin(t, s, file.Location{Bucket: bucket, Key: key}); id == "u" && key == storage.FencedKey(id, 4) {
				ids = append(ids, m.ID)
			}
		}
	}
	left, err := s.Leftovers(ctx, bucket, "u")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(left.Keys)
	slices.Sort(keys)
	var begun []string
	for _, b := range left.Multiparts {
		begun = append(begun, b.ID)
	}
	if !slices.Equal(left.Keys, keys) || !slices.Equal(begun, ids) {
		t.Errorf("%+v, want %q and %q", left, keys, ids)
	}
	if left, err := s.Leftovers(ctx, layout.Object(9, "").Bucket, "u"); err != nil ||
		len(left.Keys)+len(left.Multiparts) != 0 {
		t.Errorf("in a bucket that is not there: %+v %v", left, err)
	}
}

// pages: every page but the last is full, and each object is on one page.
func (s suite) pages(t *testing.T) {
	bucket := fresh("pages").Object(1, "").Bucket
	const all = 1005
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := w; i < all; i += 4 {
				at := file.Location{Bucket: bucket, Key: fmt.Sprintf("%x", i*7919%all)}
				if _, err := s.Put(t.Context(), at, "", bytes.NewReader(nil), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page, err := s.List(t.Context(), bucket, "", after)
		if err != nil || len(page) > 1000 {
			t.Fatalf("%d objects, %v", len(page), err)
		}
		if len(page) == 0 {
			break
		}
		for _, o := range page {
			got = append(got, o.Key)
		}
	}
	if len(got) != all || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != all {
		t.Errorf("%d objects are listed, or out of order, or twice", len(got))
	}
}

// listsBesideChanges: objects that exist all the time are listed, whatever is added and deleted meanwhile.
func (s suite) listsBesideChanges(t *testing.T) {
	bucket := fresh("changes").Object(1, "").Bucket
	var stay []string
	for i := range 20 {
		key := fmt.Sprintf("%02d stays", i)
		put(t, s, file.Location{Bucket: bucket, Key: key}, []byte(key))
		stay = append(stay, key)
	}
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			at := file.Location{Bucket: bucket, Key: fmt.Sprintf("%02d comes and goes", i%20)}
			_, err := s.Put(t.Context(), at, "", bytes.NewReader([]byte("x")), 1)
			if err == nil {
				err = s.Delete(t.Context(), at)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 20 {
		all, err := s.List(t.Context(), bucket, "", "")
		if err != nil {
			t.Error(err)
		}
		var got []string
		for _, o := range all {
			if strings.HasSuffix(o.Key, "stays") {
				got = append(got, o.Key)
			}
		}
		if !slices.Equal(got, stay) {
			t.Errorf("%q, want %q", got, stay)
		}
	}
	close(done)
	writer.Wait()
}
