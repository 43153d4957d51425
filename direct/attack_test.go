package direct_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// A part that is longer or shorter than was signed is refused by the store.
func TestPartOfAnotherLength(t *testing.T) {
	worlds(t, func(w *world) {
		id := w.begin(5, "")
		part := w.sign(id, 1)[0]
		for _, body := range []string{"longer", "shor", ""} {
			if status, _ := w.put(part, []byte(body)); status < 400 {
				t.Errorf("%q was taken: %d", body, status)
			}
		}
		w.ask(http.StatusConflict, "POST", string(id)+"/complete", "")
		if status, _ := w.put(part, []byte("right")); status != http.StatusOK {
			t.Fatal(status)
		}
		w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		w.whole(id, []byte("right"), false)
	})
}

// A URL is good for its part only: not for another part or upload, nor for the object.
func TestURLIsForOnePart(t *testing.T) {
	worlds(t, func(w *world) {
		id, other := w.begin(5, ""), w.begin(5, "")
		part := w.sign(id, 1)[0]
		elsewhere, err := url.Parse(w.sign(other, 1)[0].URL)
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(*url.URL, url.Values){
			"another part":   func(_ *url.URL, q url.Values) { q.Set("partNumber", "2") },
			"the object":     func(_ *url.URL, q url.Values) { q.Del("partNumber"); q.Del("uploadId") },
			"another upload": func(_ *url.URL, q url.Values) { q.Set("uploadId", elsewhere.Query().Get("uploadId")) },
			"another key":    func(u *url.URL, _ url.Values) { u.Path = elsewhere.Path },
		} {
			u, err := url.Parse(part.URL)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			change(u, q)
			u.RawQuery = q.Encode()
			changed := part
			changed.URL = u.String()
			if status, _ := w.put(changed, []byte("bytes")); status != http.StatusForbidden {
				t.Errorf("%s: %d", name, status)
			}
		}
	})
}

// A URL is worth nothing after the upload has ended, whichever way.
func TestPartAfterTheEnd(t *testing.T) {
	worlds(t, func(w *world) {
		content := []byte("right")
		id := w.begin(5, "")
		part := w.sign(id, 1)[0]
		if status, _ := w.put(part, content); status != http.StatusOK {
			t.Fatal(status)
		}
		w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		if status, _ := w.put(part, []byte("wrong")); status != http.StatusNotFound {
			t.Errorf("a part of a file: %d", status)
		}
		w.whole(id, content, false)
		w.ask(http.StatusConflict, "POST", string(id)+"/parts", `{"parts":[{"number":1}]}`)
		w.ask(http.StatusConflict, "DELETE", string(id), "")

		id = w.begin(5, "")
		part = w.sign(id, 1)[0]
		w.ask(http.StatusNoContent, "DELETE", string(id), "")
		if status, _ := w.put(part, content); status != http.StatusNotFound {
			t.Errorf("a part of an upload that was given up: %d", status)
		}
		for _, again := range []string{"GET ", "DELETE ", "POST /parts", "POST /complete"} {
			method, path, _ := strings.Cut(again, " ")
			w.ask(http.StatusNotFound, method, string(id)+path, `{"parts":[{"number":1}]}`)
		}
		w.gone(id)
	})
}

// A URL is worth nothing when its time is over.
func TestURLRunsOut(t *testing.T) {
	worlds(t, func(w *world) {
		w.URLTTL = time.Second
		w.Start()
		id := w.begin(5, "")
		part := w.sign(id, 1)[0]
		w.waitFor("a refusal", func() bool {
			status, _ := w.put(part, []byte("right"))
			return status == http.StatusForbidden
		})
		if status, _ := w.put(w.sign(id, 1)[0], []byte("right")); status != http.StatusOK {
			t.Errorf("a new URL: %d", status)
		}
	})
}

// Uploads are their creators' alone, and no protocol touches another's.
func TestAnothersUpload(t *testing.T) {
	worlds(t, func(w *world) {
		id := w.begin(5, "")
		ofTus := uploadtest.ID(w.Create(5))
		verbs := []string{"GET ", "DELETE ", "POST /parts", "POST /complete"}
		w.As(bob)
		for _, verb := range verbs {
			method, path, _ := strings.Cut(verb, " ")
			w.ask(http.StatusForbidden, method, string(id)+path, `{"parts":[{"number":1}]}`)
		}
		w.As(uploadtest.Alice)
		for _, verb := range verbs {
			method, path, _ := strings.Cut(verb, " ")
			for _, unknown := range []file.ID{ofTus, file.NewID()} {
				w.ask(http.StatusNotFound, method, string(unknown)+path, `{"parts":[{"number":1}]}`)
			}
		}
		at := w.URL + "/files/tus/" + string(id)
		for name, send := range map[string]func() (int, http.Header, error){
			"tus PATCH":  func() (int, http.Header, error) { return w.Patch(t.Context(), at, 0, []byte("bytes")) },
			"tus HEAD":   func() (int, http.Header, error) { return w.Send(t.Context(), "HEAD", at, nil) },
			"tus DELETE": func() (int, http.Header, error) { return w.Send(t.Context(), "DELETE", at, nil) },
			"resumable PATCH": func() (int, http.Header, error) {
				return w.Send(t.Context(), "PATCH", at, strings.NewReader("bytes"), "Tus-Resumable", "",
					"Upload-Draft-Interop-Version", "8", "Upload-Offset", "0", "Upload-Complete", "?1",
					"Content-Type", "application/partial-upload")
			},
			"resumable DELETE": func() (int, http.Header, error) {
				return w.Send(t.Context(), "DELETE", at, nil, "Tus-Resumable", "", "Upload-Draft-Interop-Version", "8")
			},
		} {
			if status, _, err := send(); err != nil || status != http.StatusNotFound {
				t.Errorf("%s: %d %v", name, status, err)
			}
		}
		if s := w.ask(http.StatusOK, "GET", string(id), ""); s.State != "open" {
			t.Error(s.body)
		}
		no := error(file.ErrUnauthenticated)
		w.Identify.Store(&no)
		for _, verb := range verbs {
			method, path, _ := strings.Cut(verb, " ")
			w.ask(http.StatusUnauthorized, method, string(id)+path, "")
		}
		w.ask(http.StatusUnauthorized, "POST", "", `{"size":1}`)
	})
}

// Tags that a client makes up are refused, and so are parts that it names and never sent.
func TestMadeUpTags(t *testing.T) {
	worlds(t, func(w *world) {
		id := w.begin(5, "")
		_, tag := w.put(w.sign(id, 1)[0], []byte("right"))
		for _, named := range []string{`{"number":1,"etag":"made up"}`, `{"number":1}`,
			fmt.Sprintf(`{"number":2,"etag":%q}`, tag), fmt.Sprintf(`{"number":4294967297,"etag":%q}`, tag)} {
			if a := w.ask(http.StatusConflict, "POST", string(id)+"/complete", `{"parts":[`+named+`]}`); a.Code != "UPLOAD_015" {
				t.Error(a.body)
			}
		}
		w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
	})
}

// Completed many times at once, and given up at the same time: it is a whole file or nothing, and each answer fits.
func TestCompleteTwiceAndBesideAbort(t *testing.T) {
	worlds(t, func(w *world) {
		content := uploadtest.Content(1000)
		for round := range 6 {
			id := w.begin(len(content), []string{"", `,"sha256":"` + hexSum(content) + `"`}[round%2])
			w.send(id, content)
			second := w.Start // two engines over the same rows, as two replicas
			var all sync.WaitGroup
			var mu sync.Mutex
			statuses := map[string][]int{}
			send := func(method, path string) {
				all.Go(func() {
					a, err := w.try(method, string(id)+path, "")
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					statuses[method] = append(statuses[method], a.status)
				})
			}
			send("POST", "/complete")
			send("POST", "/complete")
			second()
			send("POST", "/complete")
			if round > 1 {
				send("DELETE", "")
			}
			all.Wait()
			for _, s := range statuses["POST"] {
				if s != http.StatusCreated && (round <= 1 || s != http.StatusNotFound) {
					t.Errorf("round %d: %v", round, statuses)
				}
			}
			if d := statuses["DELETE"]; len(d) > 0 && d[0] == http.StatusNoContent {
				w.gone(id)
				continue
			} else if len(d) > 0 && d[0] != http.StatusConflict {
				t.Errorf("round %d: %v", round, statuses)
			}
			w.whole(id, content, false)
		}
	})
}

// A part that a client replaces while the upload is completed: the file has one of the two, whole, and what it has is
// what was hashed.
func TestPartReplacedWhileCompleting(t *testing.T) {
	worlds(t, func(w *world) {
		one, two := bytes.Repeat([]byte("1"), 1000), bytes.Repeat([]byte("2"), 1000)
		for range 5 {
			id := w.begin(1000, `,"sha256":"`+hexSum(one)+`"`)
			part := w.sign(id, 1)[0]
			w.put(part, one)
			var all sync.WaitGroup
			all.Go(func() {
				for range 10 {
					w.put(part, two)
				}
			})
			a, err := w.try("POST", string(id)+"/complete", "")
			all.Wait()
			for err == nil && a.status == http.StatusServiceUnavailable {
				a, err = w.try("POST", string(id)+"/complete", "")
			}
			switch {
			case err == nil && a.status == http.StatusCreated:
				w.whole(id, one, true)
			case err == nil && a.status == http.StatusUnprocessableEntity:
				if w.Lives(id) { // a late part may be in the store, until the second sweep
					t.Error("it has ended, and is there")
				}
			default:
				t.Errorf("%d %s %v", a.status, a.body, err)
			}
		}
	})
}

// An account's quota is exact, however many uploads begin at once, and an upload that is given up frees it.
func TestQuotaInARace(t *testing.T) {
	worlds(t, func(w *world) {
		w.Rows.Limit(file.Quota{Bytes: 1000, Files: 100})
		var all sync.WaitGroup
		var mu sync.Mutex
		var begun []file.ID
		for range 10 {
			all.Go(func() {
				a, err := w.try("POST", "", `{"size":300}`)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && a.status == http.StatusCreated:
					begun = append(begun, a.ID)
				case err != nil || a.Code != "QUOTA_001":
					t.Error(a.body, err)
				}
			})
		}
		all.Wait()
		if len(begun) != 3 {
			t.Fatalf("%d uploads of 300 bytes in a quota of 1000", len(begun))
		}
		w.ask(http.StatusNoContent, "DELETE", string(begun[0]), "")
		w.begin(300, "")
		w.Rows.Limit(file.Quota{})
		w.Rows.LimitUnfinished(3)
		w.ask(http.StatusRequestEntityTooLarge, "POST", "", `{"size":1}`)
	})
}

// An upload that its client forgets expires, with what it has sent; asking for URLs begins its time anew.
func TestExpires(t *testing.T) {
	worlds(t, func(w *world) {
		id := w.begin(partSize+5, "")
		part := w.sign(id, 2)[0]
		w.put(part, []byte("right"))
		if _, err := w.Raw.Exec("update uploads set expires = expires - 3000000"); err != nil { // 50 of 60 minutes
			t.Fatal(err)
		}
		before := w.ask(http.StatusOK, "GET", string(id), "").Expires
		w.sign(id, 1)
		if after := w.ask(http.StatusOK, "GET", string(id), "").Expires; after.Sub(before) < 40*time.Minute {
			t.Errorf("expires at %s, before at %s", after, before)
		}
		if _, err := w.Raw.Exec("update uploads set expires = 1"); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"GET ", "DELETE ", "POST /parts", "POST /complete"} {
			method, path, _ := strings.Cut(verb, " ")
			w.ask(http.StatusGone, method, string(id)+path, `{"parts":[{"number":1}]}`)
		}
		if err := w.Start().Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.gone(id)
		if status, _ := w.put(part, []byte("right")); status != http.StatusNotFound {
			t.Errorf("a part of an expired upload: %d", status)
		}
	})
}
