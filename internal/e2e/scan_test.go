package e2e

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"testing"

	"holdfast/internal/test/clamtest"
)

// scanned is a service with clamd, and the ids of the uploads that it refused.
type scanned struct {
	*server
	backing
	clamd    *clamtest.Server
	receiver *receiver
	refused  []string
}

// A file can't be read before clamd has found nothing in it. A harmful file
// is refused, removed and reported.
func TestScan(t *testing.T) {
	t.Parallel()
	clamd := clamtest.Start(t, 30*mebi)
	b, r := startBacking(t), newReceiver(t)
	s := start(t, append(servers(b.pg, b.s3), "SCAN_CLAMD="+clamd.Address, "WEBHOOK_URL="+r.URL,
		"WEBHOOK_SECRET="+webhookSecret)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	c := &scanned{server: s, backing: b, clamd: clamd, receiver: r}
	clean := random(9*mebi + 1)
	for _, content := range [][]byte{clean, nil} {
		url, _ := c.upload(t, content)
		c.holds(t, url, content)
	}
	c.refusesHarmful(t)
	c.waitsForClamd(t, clean)
	c.refusesTooLong(t)
	for _, o := range c.objects(t) {
		if slices.Contains(c.refused, path.Base(*o.Key)) || slices.Contains(c.refused, path.Base(path.Dir(*o.Key))) {
			t.Errorf("of an upload that was refused %s is left", *o.Key)
		}
	}
}

// refusesHarmful sends a virus whole in one request, in two, in parts, and as partial uploads.
func (c *scanned) refusesHarmful(t *testing.T) {
	t.Helper()
	infected := append(bytes.Repeat([]byte(" "), 9*mebi), clamtest.EICAR...)
	refuse := func(location string, a answer) {
		t.Helper()
		if a.status != 422 || a.code() != "UPLOAD_011" || !bytes.Contains(a.body, []byte("Eicar-Test-Signature")) {
			t.Errorf("%v", a)
		}
		id := path.Base(location)
		c.refused = append(c.refused, id)
		c.check(t, []line{
			{"HEAD", "/files/tus/" + id, "", "", 404, "", ""},
			{"GET", "/files/" + id, "", "", 404, "FILE_001", ""},
		})
	}
	whole := c.create(t, len(clamtest.EICAR))
	refuse(whole, c.patch(t, whole, 0, clamtest.EICAR))
	pieces := c.create(t, len(clamtest.EICAR))
	if a := c.patch(t, pieces, 0, clamtest.EICAR[:30]); a.status != 204 {
		t.Fatal(a)
	}
	refuse(pieces, c.patch(t, pieces, 30, clamtest.EICAR[30:]))
	parts := c.create(t, len(infected))
	refuse(parts, c.patch(t, parts, 0, infected))
	final := c.do(t, "POST", "/files/tus/", nil, concat(c.partial(t, []byte(clamtest.EICAR[:20])),
		c.partial(t, []byte(clamtest.EICAR[20:]))))
	if final.status != 422 || final.code() != "UPLOAD_011" {
		t.Errorf("put together: %v", final)
	}
	for _, id := range c.refused {
		c.eventually("it is reported", func() bool { return c.receiver.has("upload.infected " + id) })
		if c.receiver.has("file.created " + id) {
			t.Errorf("%s was reported as a file", id)
		}
	}
}

// waitsForClamd uploads while clamd is stopped: that becomes a file when clamd is back.
func (c *scanned) waitsForClamd(t *testing.T, clean []byte) {
	t.Helper()
	c.clamd.Stop(t)
	waiting := c.create(t, len(clean))
	if a := c.patch(t, waiting, 0, clean); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("without clamd: %v", a)
	}
	c.check(t, []line{{"GET", "/files/" + path.Base(waiting), "", "", 404, "FILE_001", ""}})
	c.clamd.Restart(t)
	if a := c.do(t, "HEAD", waiting, nil); a.status != 200 || a.header.Get("Upload-Offset") != strconv.Itoa(len(clean)) ||
		a.header.Get("Content-Location") == "" {
		t.Errorf("with clamd again: %v", a)
	}
	c.holds(t, c.base+"/"+path.Base(waiting), clean)
}

// refusesTooLong uploads more than clamd accepts.
func (c *scanned) refusesTooLong(t *testing.T) {
	t.Helper()
	long := c.create(t, 40*mebi)
	if a := c.patch(t, long, 0, random(40*mebi)); a.status != 422 || a.code() != "UPLOAD_012" {
		t.Errorf("too long for clamd: %v", a)
	}
	c.refused = append(c.refused, path.Base(long))
	c.eventually("it is reported", func() bool { return c.receiver.has("upload.unscannable " + path.Base(long)) })
	c.check(t, []line{{"HEAD", "/files/tus/" + path.Base(long), "", "", 404, "", ""}})
}

// clamd answers OK for files that it does not scan, as they exceed its limits. Such an upload is refused, unless
// SCAN_UNSCANNABLE allows it.
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
