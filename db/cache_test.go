package db

import (
	"sync"
	"testing"
	"time"

	"holdfast/file"
)

// record inserts a record into the table as another program does.
func record(t *testing.T, d *DB) file.Record {
	t.Helper()
	id := file.NewID()
	_, err := d.exec(t.Context(), "insert", `insert into files (file_id, size, content_type, filename, user_id, account_id)
		values ($1, 5, 'text/plain', 'a.txt', 3, 4)`, id)
	noErr(t, err)
	r, err := d.File(t.Context(), id)
	noErr(t, err)
	return r
}

func TestCachedDB(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		here, elsewhere := NewCached(d, time.Hour), NewCached(d, time.Hour)
		r := record(t, d)
		for _, c := range []*CachedDB{here, elsewhere} {
			_, err := c.File(t.Context(), r.ID)
			noErr(t, err)
		}
		noErr(t, here.DeleteFile(t.Context(), r))
		_, err := here.File(t.Context(), r.ID)
		wantErr(t, err, file.ErrNotFound)
		got, err := elsewhere.File(t.Context(), r.ID)
		if err != nil || got.Name != "a.txt" {
			t.Errorf("elsewhere it is cached: %+v, %v", got, err)
		}
		_, err = elsewhere.Reload(t.Context(), r.ID)
		wantErr(t, err, file.ErrNotFound)
		_, err = elsewhere.File(t.Context(), r.ID)
		wantErr(t, err, file.ErrNotFound)

		none := NewCached(d, 0)
		r = record(t, d)
		_, err = none.File(t.Context(), r.ID)
		noErr(t, err)
		noErr(t, d.DeleteFile(t.Context(), r))
		_, err = none.File(t.Context(), r.ID)
		wantErr(t, err, file.ErrNotFound)
	})
}

// A read during a deletion may still return the file; a read after the deletion does not.
func TestDeletedHereIsNotCached(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		c := NewCached(d, time.Hour)
		for range 30 {
			r := record(t, d)
			stop := make(chan struct{})
			var readers sync.WaitGroup
			for range 4 {
				readers.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							c.File(t.Context(), r.ID)
						}
					}
				})
			}
			noErr(t, c.DeleteFile(t.Context(), r))
			for range 5 {
				_, err := c.File(t.Context(), r.ID)
				wantErr(t, err, file.ErrNotFound)
			}
			close(stop)
			readers.Wait()
		}
	})
}

func TestSecret(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		var all sync.Map
		var replicas sync.WaitGroup
		for i := range 8 {
			replicas.Go(func() {
				key, err := d.Secret(t.Context(), "link key", []byte{byte(i)})
				if err != nil || len(key) != 1 {
					t.Errorf("%x, %v", key, err)
				}
				all.Store(string(key), true)
			})
		}
		replicas.Wait()
		n := 0
		all.Range(func(any, any) bool { n++; return true })
		other, err := d.Secret(t.Context(), "other", []byte{99})
		if n != 1 || err != nil || string(other) != "c" {
			t.Errorf("%d keys for 8 replicas; another secret is %x, %v", n, other, err)
		}
	})
}
