package upload_test

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/upload"
)

// After a panic anywhere, in a request or in the background: the next request can use the same upload at once, nothing
// stays held, and the process survives.
func TestPanicGivesEverythingBack(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(8<<20 + 1000) // a part, and a little more
		known := map[file.ID]bool{}
		for at := 1; ; at++ {
			p := uploadtest.NewPlan(uploadtest.Panics, at)
			e := w.StartUnder(p)
			status, _, err := w.Send(t.Context(), "POST", w.URL+"/files/tus/", bytes.NewReader(body), "Upload-Length",
				strconv.Itoa(len(body)), "Content-Type", uploadtest.Octets)
			_, hit, _ := p.Seen()
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
			url := w.URL + "/files/tus/" + string(id)
			status, h, err := w.Send(t.Context(), "HEAD", url, nil)
			if err != nil || status != http.StatusOK {
				t.Fatalf("after a panic in call %d, %s: HEAD %d %v", at, hit, status, err)
			}
			offset, _ := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
			if offset < int64(len(body)) {
				if status, _, err := w.Patch(t.Context(), url, offset, body[offset:]); err != nil ||
					status != http.StatusNoContent {
					t.Fatalf("after a panic in call %d, %s: PATCH %d %v", at, hit, status, err)
				}
			}
			w.Check(url, body)
			e.Wait()
			if n := inUse(e); n != 0 {
				t.Errorf("after a panic in call %d, %s: %d bytes of memory are held", at, hit, n)
			}
			if n, _ := e.Leases(); n != 0 && hit != "ReleaseLease" {
				t.Errorf("after a panic in call %d, %s: %d leases are held", at, hit, n)
			}
			w.MakeRoom(url)
		}
	})
}

// another returns the one upload that is not in known, and adds it.
func (w *world) another(known map[file.ID]bool) file.ID {
	w.T.Helper()
	rows, err := w.Raw.Query("select id from uploads")
	if err != nil {
		w.T.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id file.ID
		if err := rows.Scan(&id); err != nil {
			w.T.Fatal(err)
		}
		if !known[id] {
			known[id] = true
			return id
		}
	}
	w.T.Fatal("no upload was begun", rows.Err())
	return ""
}

func TestRecovered(t *testing.T) {
	if err := upload.Recovered(func() error { panic("here") }); err == nil || !bytes.Contains([]byte(err.Error()),
		[]byte("panic: here")) {
		t.Error(err)
	}
	if err := upload.Recovered(func() error { return uploadtest.ErrFault }); !errors.Is(err, uploadtest.ErrFault) {
		t.Error(err)
	}
}
