package limit

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
)

// A download counts once, and gives a credit for as many bytes in ranges as the file has.
func TestDownloads(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		l := New(c, Settings{Downloads: Rate{Count: 2, Window: time.Hour}})
		const film, second = file.ID("film"), file.ID("second")
		user := func(id int64) file.Identity { return file.Identity{Kind: file.KindUser, UserID: id, AccountID: 1} }
		link := file.Identity{Kind: file.KindLink}
		var unsent func(int64)
		for i, step := range []struct {
			who     file.Identity
			address string
			id      file.ID
			n       int64 // of 1000 bytes
			ok      bool
			unsent  int64
		}{
			{user(1), "192.0.2.1", film, 100, true, 0},   // the first
			{user(1), "192.0.2.1", film, 400, true, 0},   // within the credit
			{user(1), "192.0.2.1", film, 999, true, 0},   // a second download, since the credit is 500
			{user(1), "192.0.2.1", film, 2, false, 0},    // the credit is 1
			{user(1), "192.0.2.1", film, 1, true, 1},     // not sent in the end
			{user(1), "192.0.2.2", film, 1, true, 0},     // from any address
			{user(1), "192.0.2.1", film, 1, false, 0},    // the credit is used up
			{user(1), "192.0.2.1", second, 5, false, 0},  // another file
			{user(1), "192.0.2.1", second, 5, false, 0},  // a refusal gives no credit
			{user(1), "192.0.2.1", film, 1000, false, 0}, // the whole file
			{user(2), "192.0.2.1", film, 1000, true, 0},  // the whole file
			{user(2), "192.0.2.1", film, 999, true, 0},   // gives a credit for ranges
			{user(2), "192.0.2.1", film, 1000, true, 0},  // but not for the whole file again
			{user(2), "192.0.2.1", film, 1000, false, 0},
			// A player that seeks reads little of each range that it requests.
			{user(3), "192.0.2.1", film, 1000, true, 0},
			{user(3), "192.0.2.1", film, 900, true, 890}, {user(3), "192.0.2.1", film, 900, true, 890},
			{user(3), "192.0.2.1", film, 900, true, 890},
			{user(3), "192.0.2.1", second, 900, true, 890}, {user(3), "192.0.2.1", second, 900, true, 890},
			// Links have no identity.
			{link, "192.0.2.1", film, 1000, true, 0}, {link, "192.0.2.1", film, 1000, true, 0},
			{link, "192.0.2.1", second, 1000, false, 0},
			{link, "192.0.2.3", film, 1000, true, 0},
		} {
			var err error
			unsent, err = l.Download(from(step.address), step.who, step.id, 1000, step.n)
			if (err == nil) != step.ok || err != nil && !errors.Is(err, file.ErrTooMany) {
				t.Errorf("step %d: %v", i, err)
			}
			if step.unsent > 0 {
				unsent(step.unsent)
			}
		}
		if _, err := l.Download(from("192.0.2.9"), user(9), "empty", 0, 0); err != nil {
			t.Error(err)
		}
	})
	var none *Limits
	if _, err := none.Download(from("192.0.2.1"), file.Identity{}, "x", 1, 1); err != nil {
		t.Error(err)
	}
}

// Links have the downloads' limit, by a count of their own.
func TestLinks(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		l := New(c, Settings{Downloads: Rate{Count: 2, Window: time.Hour}})
		one, two := file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1}, file.Identity{Kind: file.KindUser, UserID: 2,
			AccountID: 1}
		for range 2 {
			if _, err := l.Download(from("192.0.2.1"), one, "film", 1, 1); err != nil {
				t.Error(err)
			}
		}
		for i, ok := range []bool{true, true, false, false} {
			err := l.Link(from("192.0.2.1"), one)
			if later := new(file.Later); (err == nil) != ok || err != nil && (!errors.Is(err, file.ErrTooMany) ||
				!errors.As(err, &later) || later.After <= 0) {
				t.Errorf("link %d: %v", i, err)
			}
		}
		if err := l.Link(from("192.0.2.1"), two); err != nil {
			t.Errorf("another user: %v", err)
		}
		if _, err := l.Download(from("192.0.2.1"), two, "film", 1, 1); err != nil {
			t.Error(err)
		}
	})
	var none *Limits
	if err := none.Link(from("192.0.2.1"), file.Identity{}); err != nil {
		t.Error(err)
	}
}

// Concurrent ranges can't spend more than the credit.
func TestRangesTogether(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		l := New(c, Settings{Downloads: Rate{Count: 1, Window: time.Hour}})
		var free atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := l.Download(from("192.0.2.1"), file.Identity{}, "film", 1000, 300); err == nil {
					free.Add(1)
				}
			})
		}
		all.Wait()
		if n := free.Load(); n < 1 || n > 3 { // fewer if others came before the first had its credit
			t.Errorf("%d times 300 of 1000 bytes, want 3 at most", n)
		}
	})
}

// A caller who is denied again and again is refused without a decision; other callers are not affected.
func TestDenials(t *testing.T) {
	l := New(NewMemory(), Settings{Downloads: Rate{Count: 5, Window: time.Hour}})
	user := func(id int64) file.Identity { return file.Identity{Kind: file.KindUser, UserID: id, AccountID: 1} }
	form := file.Identity{Kind: file.KindPublic, AccountID: 1, Fingerprint: "f"}
	ask := func(who file.Identity, address string, answer error) error {
		done, err := l.CheckDenials(from(address), who)
		if err == nil {
			done(answer)
		}
		return err
	}
	for i, answer := range []error{nil, file.ErrDenied, file.ErrNotFound, nil, nil, nil, nil, nil, file.ErrBackend,
		file.ErrLink, file.ErrDenied, file.ErrDenied} {
		if err := ask(user(1), "192.0.2.1", answer); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	for _, answer := range []error{nil, file.ErrDenied} {
		if err := ask(user(1), "192.0.2.2", answer); !errors.Is(err, file.ErrTooMany) {
			t.Errorf("after 5 refusals: %v", err)
		}
	}
	for range 20 {
		if err := errors.Join(ask(user(2), "192.0.2.1", nil), ask(file.Identity{}, "192.0.2.1", file.ErrDenied)); err != nil {
			t.Error(err)
		}
	}
	for i := range 6 {
		if err := ask(form, "192.0.2.1", file.ErrDenied); errors.Is(err, file.ErrTooMany) != (i == 5) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := ask(form, "192.0.2.2", file.ErrDenied); err != nil {
		t.Errorf("another visitor of that form: %v", err)
	}
	for _, id := range []file.ID{"a", "b"} {
		for i := range 6 {
			if err := ask(file.Identity{Kind: file.KindLink, File: id}, "192.0.2.1",
				file.ErrLink); errors.Is(err, file.ErrTooMany) != (i == 5) {
				t.Errorf("link to %s, %d: %v", id, i, err)
			}
		}
	}
	// Concurrent decisions are counted while they run.
	if err := ask(user(4), "192.0.2.1", file.ErrDenied); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if _, err := l.CheckDenials(from("192.0.2.1"), user(4)); errors.Is(err, file.ErrTooMany) != (i >= 4) {
			t.Errorf("%d at once: %v", i, err)
		}
	}
	var none *Limits
	if done, err := none.CheckDenials(from("192.0.2.1"), user(1)); err != nil {
		t.Error(err)
	} else {
		done(nil)
	}
}
