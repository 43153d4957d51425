package direct_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// A file in two parts: begun, sent to the store, gone on with by what the store has, completed, and asked for again.
func TestUpload(t *testing.T) {
	worlds(t, func(w *world) {
		content := uploadtest.Content(partSize + 1000)
		begun := w.ask(http.StatusCreated, "POST", "", fmt.Sprintf(`{"name":"../a b.txt","type":"text/plain","size":%d}`,
			len(content)))
		id := begun.ID
		if begun.PartSize != partSize || begun.header.Get("Location") != w.URL+"/files/direct/"+string(id) ||
			!strings.Contains(begun.body, `"parts":2`) || time.Until(begun.Expires) < time.Minute {
			t.Fatalf("%+v", begun)
		}
		parts := w.sign(id, 2, 1)
		if len(parts) != 2 || parts[0].Number != 2 || parts[0].Size != 1000 || parts[1].Size != partSize {
			t.Fatalf("%+v", parts)
		}
		if status, _ := w.put(parts[0], content[partSize:]); status != http.StatusOK {
			t.Fatal(status)
		}
		missing := w.ask(http.StatusConflict, "POST", string(id)+"/complete", "")
		if missing.Code != "UPLOAD_015" || !strings.Contains(missing.body, "Part 1 is missing") {
			t.Error(missing.body)
		}
		w.Start() // another process, or another device
		there := w.ask(http.StatusOK, "GET", string(id), "")
		if there.State != "open" || len(there.Sent) != 1 || there.Sent[0].Number != 2 || there.Sent[0].Size != 1000 {
			t.Fatalf("%+v", there)
		}
		_, tag := w.put(parts[1], content[:partSize])
		named := fmt.Sprintf(`{"parts":[{"number":1,"etag":%q},{"number":2,"etag":%q}]}`, tag, there.Sent[0].ETag)
		for range 2 { // the second one's client has lost the first answer
			done := w.ask(http.StatusCreated, "POST", string(id)+"/complete", named)
			if done.FileID != id || done.header.Get("Location") != w.URL+"/files/"+string(id) {
				t.Errorf("%+v", done)
			}
		}
		if s := w.ask(http.StatusOK, "GET", string(id), ""); s.State != "done" ||
			s.header.Get("Content-Location") != w.URL+"/files/"+string(id) {
			t.Error(s.body)
		}
		w.whole(id, content, false)
		if rec, err := w.Rows.File(t.Context(), id); err != nil || rec.Name != "a_b.txt" || rec.Type != "text/plain" {
			t.Errorf("%+v %v", rec, err)
		}
	})
}

// Without a claim the SHA-256 is computed after the file is there: at once, and by the chore if that came to nothing.
func TestSumComesLater(t *testing.T) {
	worlds(t, func(w *world) {
		content := uploadtest.Content(1000)
		known := func(id file.ID) func() bool {
			return func() bool {
				rec, err := w.Rows.File(t.Context(), id)
				return err == nil && rec.SHA256 != nil
			}
		}
		id := w.begin(len(content), "")
		w.send(id, content)
		w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		w.waitFor("the SHA-256", known(id))
		w.whole(id, content, true)
		if rec, err := w.Rows.File(t.Context(), id); err != nil || rec.EntityTag == "" || rec.EntityTag != rec.ETag {
			t.Errorf("%v: the ETag that clients know is not kept: %+v", err, rec)
		}
		again := w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		if again.header.Get("Repr-Digest") == "" {
			t.Error("no Repr-Digest of a known SHA-256")
		}
		for _, forget := range []string{`update uploads set hash_state = null`, `update files set sha256 = null`} {
			if _, err := w.Raw.Exec(forget); err != nil {
				t.Fatal(err)
			}
		}
		first := w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		if first.header.Get("Repr-Digest") != "" {
			t.Errorf("Repr-Digest %s of a file that was not read", first.header.Get("Repr-Digest"))
		}
		go w.Start().Run(t.Context(), time.Hour)
		w.waitFor("the SHA-256 by the chore", known(id))
		w.whole(id, content, true)
	})
}

// A claim is checked before the file can be seen.
func TestClaim(t *testing.T) {
	worlds(t, func(w *world) {
		content := uploadtest.Content(1000)
		id := w.begin(len(content), `,"sha256":"`+hexSum(content)+`"`)
		w.send(id, content)
		done := w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		if done.header.Get("Repr-Digest") == "" {
			t.Error("no Repr-Digest")
		}
		w.whole(id, content, true)

		id = w.begin(len(content), `,"sha256":"`+hexSum([]byte("another"))+`"`)
		w.send(id, content)
		if a := w.ask(http.StatusUnprocessableEntity, "POST", string(id)+"/complete", ""); a.Code != "UPLOAD_007" {
			t.Error(a.body)
		}
		w.ask(http.StatusUnprocessableEntity, "POST", string(id)+"/complete", "")
		w.gone(id)
	})
}

// With checksum each part comes with its CRC32, which the store compares.
func TestPartChecksum(t *testing.T) {
	worlds(t, func(w *world) {
		content := []byte("content")
		id := w.begin(len(content), `,"checksum":"crc32"`)
		path := string(id) + "/parts"
		w.ask(http.StatusBadRequest, "POST", path, `{"parts":[{"number":1}]}`)
		w.ask(http.StatusBadRequest, "POST", path, `{"parts":[{"number":1,"crc32":"AAAA"}]}`)
		part := w.ask(http.StatusOK, "POST", path, fmt.Sprintf(`{"parts":[{"number":1,"crc32":%q}]}`,
			crcOf(content))).Signed[0]
		if status, _ := w.put(part, []byte("CONTENT")); status != http.StatusBadRequest {
			t.Errorf("other bytes than the checksum's: %d", status)
		}
		if status, _ := w.put(part, content); status != http.StatusOK {
			t.Fatal(status)
		}
		w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		w.whole(id, content, false)

		plain := w.begin(len(content), "")
		w.ask(http.StatusBadRequest, "POST", string(plain)+"/parts", fmt.Sprintf(`{"parts":[{"number":1,"crc32":%q}]}`,
			crcOf(content)))
	})
}

// What is wrong is refused before anything is written.
func TestRefusedCreations(t *testing.T) {
	worlds(t, func(w *world) {
		for body, status := range map[string]int{
			``:                                      http.StatusBadRequest,
			`{}`:                                    http.StatusUnprocessableEntity,
			`{"size":0}`:                            http.StatusUnprocessableEntity,
			`{"size":-1}`:                           http.StatusUnprocessableEntity,
			`{"size":1.5}`:                          http.StatusBadRequest,
			`{"size":1}{}`:                          http.StatusBadRequest,
			`{"size":1,"key":"x"}`:                  http.StatusBadRequest,
			`{"size":1,"sha256":"12"}`:              http.StatusBadRequest,
			`{"size":1,"checksum":"md5"}`:           http.StatusBadRequest,
			`{"size":9223372036854775807}`:          http.StatusRequestEntityTooLarge,
			`{"size":9223372036854775808}`:          http.StatusBadRequest,
			fmt.Sprintf(`{"size":%d}`, w.MaxSize+1): http.StatusRequestEntityTooLarge,
		} {
			w.ask(status, "POST", "", body)
		}
		w.ask(http.StatusBadRequest, "POST", "?size=many", "")
		var rows int
		if err := w.Raw.QueryRow("select count(*) from uploads").Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d rows (%v)", rows, err)
		}
	})
}

func TestRefusedBatches(t *testing.T) {
	worlds(t, func(w *world) {
		id := w.begin(partSize+1, "")
		path := string(id) + "/parts"
		for _, body := range []string{``, `{}`, `{"parts":[]}`, `{"parts":[{"number":0}]}`, `{"parts":[{"number":3}]}`,
			`{"parts":[{"number":-1}]}`, `{"parts":[{"number":4294967297}]}`, `{"parts":[{"number":1},{"number":10001}]}`,
			`{"parts":[` + strings.Repeat(`{"number":1},`, 500) + `{"number":1}]}`} {
			w.ask(http.StatusBadRequest, "POST", path, body)
		}
		if got := w.sign(id, slices.Repeat([]int64{1}, 500)...); len(got) != 500 {
			t.Errorf("%d URLs", len(got))
		}
	})
}

// A client that speaks S3 gets S3's answers.
func TestXML(t *testing.T) {
	worlds(t, func(w *world) {
		content := uploadtest.Content(1000)
		asXML := []string{"Accept", "application/xml"}
		begun := w.ask(http.StatusCreated, "POST", "?name=x.txt&type=text/plain&size=1000", "", asXML...)
		_, id, _ := strings.Cut(begun.body, "<UploadId>")
		id, _, _ = strings.Cut(id, "<")
		if !strings.Contains(begun.body, "<InitiateMultipartUploadResult>") || !strings.Contains(begun.body, "<Key>"+id) {
			t.Fatal(begun.body)
		}
		w.ask(http.StatusOK, "POST", id+"/parts", `{"parts":[{"number":1}]}`, asXML...) // S3 has no such request
		_, tag := w.put(w.sign(file.ID(id), 1)[0], content)
		list := w.ask(http.StatusOK, "GET", id, "", asXML...)
		if !strings.Contains(list.body, "<Part><PartNumber>1</PartNumber><Size>1000</Size>") {
			t.Error(list.body)
		}
		complete := func(tag string) string {
			return `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>` + tag +
				`</ETag></Part></CompleteMultipartUpload>`
		}
		sendXML := append(asXML, "Content-Type", "application/xml")
		w.ask(http.StatusConflict, "POST", id+"/complete", complete("made-up"), sendXML...)
		w.ask(http.StatusBadRequest, "POST", id+"/complete", "<Complete", sendXML...)
		for range 2 {
			done := w.ask(http.StatusCreated, "POST", id+"/complete", complete(strings.Trim(tag, `"`)), sendXML...)
			if !strings.Contains(done.body, "<Location>"+w.URL+"/files/"+id+"</Location>") {
				t.Error(done.body)
			}
			if list := w.ask(http.StatusOK, "GET", id, "", asXML...); !strings.Contains(list.body,
				"<PartNumber>1</PartNumber>") {
				t.Error(list.body)
			}
		}
		w.whole(file.ID(id), content, false)
	})
}

// The store is another one than this service's clients can reach: there is nothing to be had.
func TestNotOffered(t *testing.T) {
	uploadtest.Worlds(t, func(plain *uploadtest.World) {
		w := &world{World: plain}
		for _, ask := range []string{"GET ", "POST ", "GET x", "DELETE x", "POST x/parts", "POST x/complete"} {
			method, path, _ := strings.Cut(ask, " ")
			if a := w.ask(http.StatusNotFound, method, path, `{"size":1}`); !strings.Contains(a.body, "/files/tus/") {
				t.Errorf("%s: %s", ask, a.body)
			}
		}
	})
	worlds(t, func(w *world) {
		var o struct {
			MaxSize int64 `json:"max_size"`
		}
		if err := json.Unmarshal([]byte(w.ask(http.StatusOK, "GET", "", "").body), &o); err != nil || o.MaxSize != w.MaxSize {
			t.Error(o, err)
		}
	})
}

// A completion that takes longer than a request may wait goes on: others see that, wait for it, or give the upload up.
func TestCompletionGoesOn(t *testing.T) {
	worlds(t, func(w *world) {
		content := uploadtest.Content(1000)
		var release chan struct{}
		var verdict error
		w.Scan = func(ctx context.Context, _ *file.Upload) error {
			select {
			case <-release:
				return verdict
			case <-ctx.Done():
				return fmt.Errorf("%w: %w", file.ErrScanner, ctx.Err())
			}
		}
		w.Wait = 100 * time.Millisecond
		w.Start()
		begin := func() file.ID {
			release = make(chan struct{})
			id := w.begin(len(content), "")
			w.send(id, content)
			var a answer
			w.waitFor("a completion that goes on", func() bool { // on a busy machine the first answer may be 423
				a, _ = w.try("POST", string(id)+"/complete", "")
				return a.status == http.StatusAccepted
			})
			if a.State != "completing" || a.header.Get("Retry-After") == "" {
				t.Error(a.body)
			}
			return id
		}
		id := begin()
		w.ask(http.StatusServiceUnavailable, "POST", string(id)+"/complete", "", "Accept", "application/xml")
		if s := w.ask(http.StatusOK, "GET", string(id), ""); s.State != "completing" {
			t.Error(s.body)
		}
		w.ask(http.StatusConflict, "POST", string(id)+"/parts", `{"parts":[{"number":1}]}`)
		close(release)
		w.waitFor("the file", func() bool {
			a, err := w.try("POST", string(id)+"/complete", "")
			return err == nil && a.status == http.StatusCreated
		})
		w.whole(id, content, false)

		id = begin()
		w.ask(http.StatusNoContent, "DELETE", string(id), "")
		w.gone(id)
		w.ask(http.StatusNotFound, "POST", string(id)+"/complete", "")

		id, verdict = begin(), file.ErrInfected
		close(release)
		w.waitFor("a refusal", func() bool { // which is told to the next requests, at any replica, but to nobody else
			a, err := w.try("POST", string(id)+"/complete", "")
			return err == nil && a.Code == "UPLOAD_011"
		})
		w.Start()
		w.ask(http.StatusUnprocessableEntity, "POST", string(id)+"/complete", "")
		w.ask(http.StatusNotFound, "GET", string(id), "")
		w.As(bob)
		w.ask(http.StatusNotFound, "POST", string(id)+"/complete", "")
	})
}
