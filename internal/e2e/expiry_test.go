package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/file"
	"holdfast/storage"
)

// expires reads Upload-Expires (tus 1.0.0, Expiration).
func (a answer) expires(t *testing.T) time.Time {
	t.Helper()
	at, err := http.ParseTime(a.header.Get("Upload-Expires"))
	if err != nil || !strings.HasSuffix(a.header.Get("Upload-Expires"), "GMT") {
		t.Errorf("Upload-Expires: %v: %v", a, err)
	}
	return at
}

// sweep makes the next program that starts sweep, even if another one did less than a minute ago.
func (b backing) sweep(t *testing.T) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), b.pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), `update chores set until = 0`); err != nil {
		t.Fatal(err)
	}
}

// ofEachKind begins uploads that are at different stages: one with a part and a tail, a complete partial upload, and
// one without a byte. They are returned as names for check.
func (b backing) ofEachKind(t *testing.T, s *server) (names []string) {
	t.Helper()
	content := random(20 * mebi)
	begun := s.do(t, "POST", "/files/tus/", content[:9*mebi+1000], "Upload-Length: "+strconv.Itoa(len(content)), octets)
	if begun.status != 201 || begun.header.Get("Upload-Offset") != strconv.Itoa(9*mebi+1000) {
		t.Fatalf("creation with upload: %v", begun)
	}
	if n := len(b.multiparts(t)); n != 1 {
		t.Errorf("%d multipart uploads are open, want the one of a part", n)
	}
	if n := len(b.objects(t)); n != 2 {
		t.Errorf("%d objects, want the finished file and a tail", n)
	}
	partial := s.do(t, "POST", "/files/tus/", "abc", "Upload-Length: 3", "Upload-Concat: partial", octets)
	if partial.status != 201 {
		t.Fatalf("partial upload: %v", partial)
	}
	empty := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 10")
	for name, a := range map[string]answer{"{begun}": begun, "{partial}": partial, "{empty}": empty} {
		a.expires(t)
		names = append(names, name, path.Base(a.header.Get("Location")))
	}
	return names
}

// Uploads without activity for two seconds expire: for clients at once, and at
// the next sweep nothing is left of them, neither in SQL nor in S3.
func TestExpiry(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	s := start(t, append(servers(b.pg, b.s3), "UPLOAD_TTL=2s")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	kept := random(3 * mebi)
	url, _ := s.upload(t, kept)
	names := b.ofEachKind(t, s)
	for i := 1; i < len(names); i += 2 {
		s.eventually("it expires", func() bool { return s.do(t, "HEAD", "/files/tus/"+names[i], nil).status == 410 })
	}
	s.check(t, []line{
		{"PATCH", "/files/tus/{begun}", octets + "|Upload-Offset: 9438184", "x", 410, "UPLOAD_006", ""},
		{"PATCH", "/files/tus/{empty}", octets + "|Upload-Offset: 0", "x", 410, "UPLOAD_006", ""},
		{"POST", "/files/tus/", "Upload-Concat: final;/files/tus/{partial}", "", 410, "UPLOAD_006", ""},
		{"GET", "/files/tus/{begun}", "", "", 404, "FILE_001", ""},
		{"GET", "/files/{begun}", "", "", 404, "FILE_001", ""},
	}, names...)

	s.stop()
	b.sweep(t)
	s.restart()
	const left = `select (select count(*) from uploads where state <> 'recorded' and emptied is null) + (select count(*)
		from upload_parts) + (select count(*) from upload_tails)`
	s.eventually("the rows are gone", func() bool { return b.number(t, left) == 0 })
	if m := b.multiparts(t); len(m) != 0 {
		t.Errorf("multipart uploads stay: %v", m)
	}
	for _, o := range b.objects(t) {
		if *o.Key != path.Base(url) {
			t.Errorf("the object %s stays", *o.Key)
		}
	}
	for i := 1; i < len(names); i += 2 {
		if a := s.do(t, "HEAD", "/files/tus/"+names[i], nil); a.status != 404 && a.status != 410 {
			t.Errorf("HEAD after the sweep: %v", a)
		}
	}
	s.holds(t, url, kept)
}

// An upload lives as long as bytes come: a PATCH extends its life, and a request that is still being received
// keeps it alive beyond its expiry, even if a sweep runs.
func TestExpiryIsPutOff(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	s := start(t, append(servers(b.pg, b.s3), "UPLOAD_TTL=1h")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	first := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 1000000")
	at, end, n := first.header.Get("Location"), first.expires(t), 0
	s.eventually("a PATCH puts the end off", func() bool { // it has seconds only
		a := s.patch(t, at, n, "x")
		n++
		return a.expires(t).After(end)
	})
	if a := s.do(t, "HEAD", at, nil); !a.expires(t).After(end) {
		t.Errorf("HEAD: %v", a)
	}
	if a := s.patch(t, at, n, make([]byte, 1000000-n)); a.status != 204 || a.header.Get("Upload-Expires") != "" {
		t.Errorf("the last PATCH: %v", a)
	}

	s.stop()
	s.env = append(s.env, "UPLOAD_TTL=1s")
	s.restart()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST /files/tus/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\nTus-Resumable: "+
		"1.0.0\r\nUpload-Length: 1000\r\n%s\r\nContent-Length: 1000\r\n\r\n", s.port, s.token, octets)
	sent := 0
	s.eventually("the time is over", func() bool {
		conn.Write([]byte("x"))
		sent++
		return sent == 900 || b.number(t,
			`select count(*) from uploads where size = 1000 and expires < extract(epoch from clock_timestamp()) * 1000`) == 1
	})
	b.sweep(t)
	other := start(t, append(servers(b.pg, b.s3), "UPLOAD_TTL=1s")...)
	other.eventually("a sweep went by",
		func() bool { return b.number(t, `select count(*) from chores where name = 'sweep' and until > 0`) == 1 })
	other.stop() // it waits for its sweep
	conn.Write([]byte(strings.Repeat("x", 1000-sent)))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 201 || res.Header.Get("Content-Location") == "" {
		t.Fatalf("the creation that took so long: %v %v", res, err)
	}
	s.holds(t, res.Header.Get("Content-Location"), []byte(strings.Repeat("x", 1000)))
}

// A writer that died may have a request under way to the store, which arrives after its upload was
// deleted. Its object is removed too, before the row that leads to it.
func TestLateWrite(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	s := start(t, servers(b.pg, b.s3)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	at := s.create(t, 10)
	id := path.Base(at)
	if a := s.patch(t, at, 0, []byte("12345")); a.status != 204 {
		t.Fatalf("PATCH: %v", a)
	}
	if a := s.do(t, "DELETE", at, nil); a.status != 204 {
		t.Fatalf("DELETE: %v", a)
	}
	const bucket = "pneumatic-dev-test-1"
	if n := len(b.objects(t)); n != 0 {
		t.Errorf("%d objects stay", n)
	}
	b.put(t, bucket, id, []byte("late"))
	b.put(t, bucket, storage.TailKey(file.ID(id), 7, 9), []byte("late"))
	again := func(ms int64) {
		t.Helper()
		b.sql(t, `update uploads set emptied = emptied - $1`, ms)
		s.stop()
		b.sweep(t)
		s.restart()
	}
	again(3_500_000)
	s.eventually("there was a sweep", func() bool { return s.metric(`holdfast_sweeps_total{result="ok"}`) > 0 })
	if b.number(t, `select count(*) from uploads`) != 1 || len(b.objects(t)) != 2 {
		t.Error("it was forgotten before its time")
	}
	again(200_000)
	s.eventually("the row is gone", func() bool { return b.number(t, `select count(*) from uploads`) == 0 })
	if left := b.objects(t); len(left) != 0 {
		t.Errorf("%d objects stay that no row leads to", len(left))
	}
}
