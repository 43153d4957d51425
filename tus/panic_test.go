package tus

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"holdfast/file"
)

// Whatever panics, in a request or beside it: the next request goes on at once with the same
// upload, nothing is held any more, and the process lives.
func TestPanicGivesEverythingBack(t *testing.T) {
	worlds(t, func(w *world) {
		body := content(8<<20 + 1000) // a part, and a little more
		known := map[file.ID]bool{}
		for at := 1; ; at++ {
			p := newPlan(panics, at)
			e := w.start(p)
			status, _, err := w.send(t.Context(), "POST", w.url+"/files/tus/", bytes.NewReader(body), "Upload-Length", strconv.Itoa(len(body)), "Content-Type", octets)
			_, hit, _ := p.seen()
			id := w.another(known)
			if hit == "" {
				if err != nil || status != http.StatusCreated {
					t.Fatal(status, err)
				}
				if at < 5 {
					t.Errorf("only %d calls", at)
				}
				return
			}
			url := w.url + "/files/tus/" + string(id)
			status, h, err := w.send(t.Context(), "HEAD", url, nil)
			if err != nil || status != http.StatusOK {
				t.Fatalf("after a panic in call %d, %s: HEAD %d %v", at, hit, status, err)
			}
			offset, _ := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
			if offset < int64(len(body)) {
				if status, _, err := w.patch(t.Context(), url, offset, body[offset:]); err != nil || status != http.StatusNoContent {
					t.Fatalf("after a panic in call %d, %s: PATCH %d %v", at, hit, status, err)
				}
			}
			w.check(url, body)
			e.Wait()
			if n := e.memory.inUse(); n != 0 {
				t.Errorf("after a panic in call %d, %s: %d bytes of memory are held", at, hit, n)
			}
			e.leases.mu.Lock()
			if n := len(e.leases.held); n != 0 && hit != "GiveLease" {
				t.Errorf("after a panic in call %d, %s: %d leases are held", at, hit, n)
			}
			e.leases.mu.Unlock()
			w.makeRoom(url)
		}
	})
}

// another finds the one upload that is not known, and makes it known.
func (w *world) another(known map[file.ID]bool) file.ID {
	w.t.Helper()
	rows, err := w.raw.Query("select id from uploads")
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id file.ID
		if err := rows.Scan(&id); err != nil {
			w.t.Fatal(err)
		}
		if !known[id] {
			known[id] = true
			return id
		}
	}
	w.t.Fatal("no upload was begun", rows.Err())
	return ""
}

func TestRecovered(t *testing.T) {
	if err := recovered(func() error { panic("here") }); err == nil || !bytes.Contains([]byte(err.Error()), []byte("panic: here")) {
		t.Error(err)
	}
	if err := recovered(func() error { return errFault }); !errors.Is(err, errFault) {
		t.Error(err)
	}
}
