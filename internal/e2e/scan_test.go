package e2e

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"testing"

	"holdfast/internal/test/clamtest"
)

// A file is nobody's to see until clamd has found nothing in it. What holds something harmful
// is refused, removed and told.
func TestScan(t *testing.T) {
	t.Parallel()
	clamd := clamtest.Start(t, 30*mebi)
	b := startBacking(t)
	r := newReceiver(t)
	s := start(t, append(servers(b.pg, b.s3), "SCAN_CLAMD="+clamd.Address, "WEBHOOK_URL="+r.URL,
		"WEBHOOK_SECRET="+webhookSecret)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")

	clean := random(9*mebi + 1)
	url, _ := s.upload(t, clean)
	s.holds(t, url, clean)
	empty, _ := s.upload(t, nil)
	s.holds(t, empty, nil)

	// Whole in one request, in several, in parts, and put together.
	infected := append(bytes.Repeat([]byte(" "), 9*mebi), clamtest.EICAR...)
	var ids []string
	refuse := func(location string, a answer) {
		t.Helper()
		if a.status != 422 || a.code() != "UPLOAD_011" || !bytes.Contains(a.body, []byte("Eicar-Test-Signature")) {
			t.Errorf("%v", a)
		}
		id := path.Base(location)
		ids = append(ids, id)
		s.check(t, []line{
			{"HEAD", "/files/tus/" + id, "", "", 404, "", ""},
			{"GET", "/files/" + id, "", "", 404, "FILE_001", ""},
		})
	}
	whole := s.create(t, len(clamtest.EICAR))
	refuse(whole, s.patch(t, whole, 0, clamtest.EICAR))
	pieces := s.create(t, len(clamtest.EICAR))
	if a := s.patch(t, pieces, 0, clamtest.EICAR[:30]); a.status != 204 {
		t.Fatal(a)
	}
	refuse(pieces, s.patch(t, pieces, 30, clamtest.EICAR[30:]))
	parts := s.create(t, len(infected))
	refuse(parts, s.patch(t, parts, 0, infected))
	partial := func(content string) string {
		a := s.do(t, "POST", "/files/tus/", content, "Upload-Length: "+strconv.Itoa(len(content)), "Upload-Concat: partial",
			octets)
		if a.status != 201 {
			t.Fatal(a)
		}
		return a.header.Get("Location")
	}
	final := s.do(t, "POST", "/files/tus/", nil,
		"Upload-Concat: final;"+partial(clamtest.EICAR[:20])+" "+partial(clamtest.EICAR[20:]))
	if final.status != 422 || final.code() != "UPLOAD_011" {
		t.Errorf("put together: %v", final)
	}
	for _, id := range ids {
		s.eventually("it is told", func() bool { return r.has("upload.infected " + id) })
		if r.has("file.created " + id) {
			t.Errorf("%s was told as a file", id)
		}
	}

	// While clamd is away, and for what is too long for it, nothing becomes a file.
	clamd.Stop(t)
	waiting := s.create(t, len(clean))
	if a := s.patch(t, waiting, 0, clean); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("without clamd: %v", a)
	}
	s.check(t, []line{{"GET", "/files/" + path.Base(waiting), "", "", 404, "FILE_001", ""}})
	clamd.Restart(t)
	if a := s.do(t, "HEAD", waiting, nil); a.status != 200 || a.header.Get("Upload-Offset") != strconv.Itoa(len(clean)) ||
		a.header.Get("Content-Location") == "" {
		t.Errorf("with clamd again: %v", a)
	}
	s.holds(t, s.base+"/"+path.Base(waiting), clean)
	long := s.create(t, 40*mebi)
	if a := s.patch(t, long, 0, random(40*mebi)); a.status != 422 || a.code() != "UPLOAD_012" {
		t.Errorf("too long for clamd: %v", a)
	}
	ids = append(ids, path.Base(long))
	s.eventually("it is told", func() bool { return r.has("upload.unscannable " + path.Base(long)) })
	s.check(t, []line{{"HEAD", "/files/tus/" + path.Base(long), "", "", 404, "", ""}})
	for _, o := range b.objects(t) {
		if slices.Contains(ids, path.Base(*o.Key)) || slices.Contains(ids, path.Base(path.Dir(*o.Key))) {
			t.Errorf("of what was refused %s is left", *o.Key)
		}
	}
}

// clamd says OK of what it does not look at: that ends the upload, whatever is in it, unless it was
// said to be let through.
func TestScanLimits(t *testing.T) {
	t.Parallel()
	clamd := clamtest.Start(t, 30*mebi, "MaxFileSize 1M")
	for _, c := range []struct {
		policy string
		status int
	}{{"refuse", 422}, {"allow", 204}} {
		s := start(t, "SCAN_CLAMD="+clamd.Address, "SCAN_UNSCANNABLE="+c.policy)
		small := random(100_000)
		url, _ := s.upload(t, small)
		s.holds(t, url, small)
		for name, content := range map[string][]byte{"harmful": append([]byte(clamtest.EICAR), make([]byte, 3*mebi)...),
			"in parts": random(9*mebi + 1)} {
			at := s.create(t, len(content))
			a := s.patch(t, at, 0, content)
			if a.status != c.status || c.status == 422 && a.code() != "UPLOAD_012" {
				t.Errorf("%s, with %s: %v", name, c.policy, a)
			}
			if c.status == 204 {
				s.holds(t, s.base+"/"+path.Base(at), content)
				continue
			}
			s.check(t, []line{{"GET", "/files/" + path.Base(at), "", "", 404, "FILE_001", ""},
				{"HEAD", "/files/tus/" + path.Base(at), "", "", 404, "", ""}})
		}
		if a := s.do(t, "POST", "/files/tus/", clamtest.EICAR, "Upload-Length: "+strconv.Itoa(len(clamtest.EICAR)),
			octets); a.status != 422 || a.code() != "UPLOAD_011" {
			t.Errorf("harmful, with %s: %v", c.policy, a)
		}
		s.stop()
	}
}
