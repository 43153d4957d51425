package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const webhookSecret = "a secret of enough characters"

// receiver is a server that events are delivered to.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	told   []string // "kind file", of what it has taken
	failed int      // requests that it did not take
	fail   func(event string) bool
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, fail: func(string) bool { return false }}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

// signed checks a request as the Standard Webhooks specification says.
func signed(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("webhook-signature") != want {
		t.Errorf("signature %q, want %q", r.Header.Get("webhook-signature"), want)
	}
	at, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > 5*time.Minute || r.Method != "POST" ||
		r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", r.Method, r.Header)
	}
}

func (r *receiver) take(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	signed(r.t, q, body)
	var e struct {
		ID, Type, Timestamp string
		Data                struct {
			FileID    string `json:"file_id"`
			AccountID int    `json:"account_id"`
			UserID    int    `json:"user_id"`
			Name      string
			SHA256    string
		}
	}
	if err := json.Unmarshal(body, &e); err != nil || e.ID != q.Header.Get("webhook-id") || e.Data.AccountID != 1 ||
		e.Data.UserID != 1 || e.Data.Name == "" ||
		e.Type == "file.created" && len(e.Data.SHA256) != 64 {
		r.t.Errorf("%v %s", err, body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	event := e.Type + " " + e.Data.FileID
	if r.fail(event) {
		r.failed++
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	r.told = append(r.told, event)
}

func (r *receiver) failing(fail func(string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

func (r *receiver) has(events ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		if !slices.Contains(r.told, e) {
			return false
		}
	}
	return true
}

// Events are delivered, in order for each file, even if the receiver fails for a while and the service is killed.
func TestEvents(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	for name, env := range map[string][]string{"SQLite and embedded store": nil,
		"PostgreSQL and S3": servers(b.pg, b.s3)} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			s := start(t, append(env, "WEBHOOK_URL="+r.URL, "WEBHOOK_SECRET="+webhookSecret, "UPLOAD_TTL=3s")...)
			if env != nil {
				s.token = s.run("token", "create", "--user", "1", "--account", "1")
			}
			url, _ := s.upload(t, random(1000))
			first := path.Base(url)
			s.eventually("the file's event is delivered", func() bool { return r.has("file.created " + first) })
			second := s.eventsInOrder(t, r, first)
			expiring, ended := s.eventsAfterKill(t, r)
			s.eventually("the upload expires", func() bool {
				if r.has("upload.expired " + expiring) {
					return true
				}
				if s.do(t, "HEAD", "/files/tus/"+expiring, nil).status != 200 { // by the next sweep
					s.stop()
					if env != nil {
						b.sweep(t)
					}
					s.restart()
					time.Sleep(time.Second)
				}
				return false
			})
			r.mu.Lock()
			defer r.mu.Unlock()
			if c, d := slices.Index(r.told, "file.created "+second), slices.Index(r.told, "file.deleted "+second); c > d {
				t.Errorf("not in order: %q", r.told)
			}
			if r.failed == 0 || slices.ContainsFunc(r.told, func(e string) bool { return strings.HasSuffix(e, ended) }) {
				t.Errorf("%d failed, told %q", r.failed, r.told)
			}
		})
	}
}

// eventsInOrder uploads a second file, whose creation the receiver refuses at first, and deletes both files. The
// deletion of the second waits for its creation; that of the first does not.
func (s *server) eventsInOrder(t *testing.T, r *receiver, first string) (second string) {
	t.Helper()
	var tries int
	r.failing(func(e string) bool { tries++; return strings.HasPrefix(e, "file.created") && tries < 4 })
	url, _ := s.upload(t, random(9*mebi))
	second = path.Base(url)
	for _, id := range []string{second, first} {
		if a := s.do(t, "DELETE", "/files/"+id, nil); a.status != 204 {
			t.Error(a)
		}
	}
	s.eventually("the first file's deletion does not wait", func() bool { return r.has("file.deleted " + first) })
	s.eventually("both events are delivered", func() bool {
		return r.has("file.created "+second, "file.deleted "+second)
	})
	return second
}

// eventsAfterKill kills the service while the receiver refuses everything. The events that were not delivered are
// delivered after the restart.
func (s *server) eventsAfterKill(t *testing.T, r *receiver) (expiring, ended string) {
	t.Helper()
	r.failing(func(string) bool { return true })
	url, _ := s.upload(t, random(10))
	third := path.Base(url)
	expiring, ended = path.Base(s.create(t, 10)), path.Base(s.create(t, 10))
	if a := s.do(t, "DELETE", "/files/tus/"+ended, nil); a.status != 204 {
		t.Error(a)
	}
	s.kill9()
	r.failing(func(string) bool { return false })
	s.restart()
	s.eventually("the third is delivered after the restart", func() bool { return r.has("file.created " + third) })
	return expiring, ended
}

// An event that the receiver refuses for three days is given up and listed. An operator can have it sent again, by one
// of two replicas.
func TestDeadEvents(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.failing(func(string) bool { return true })
	p := startPair(t, "WEBHOOK_URL="+r.URL, "WEBHOOK_SECRET="+webhookSecret)
	var ids []string
	for range 5 {
		url, _ := p.a.upload(t, random(10))
		ids = append(ids, path.Base(url))
	}
	if out := p.b.run("events", "list", "--waiting"); strings.Count(out, "file.created") != 5 {
		t.Error(out)
	}
	p.sql(t, `update events set created = created - $1, due = 0`, (73 * time.Hour).Milliseconds())
	p.a.eventually("they are given up",
		func() bool { return p.number(t, `select count(*) from events where state = 'dead'`) == 5 })
	out := p.b.run("events", "list")
	if strings.Count(out, "the receiver answered 500") != 5 || !strings.Contains(out, ids[2]) {
		t.Error(out)
	}
	r.failing(func(string) bool { return false })
	if out := p.b.run("events", "resend", ids[2]); out != "1 events will be sent again" {
		t.Error(out)
	}
	p.a.eventually("one is told", func() bool { return r.has("file.created " + ids[2]) })
	if out := p.b.run("events", "resend"); out != "4 events will be sent again" {
		t.Error(out)
	}
	p.a.eventually("all are told", func() bool { return p.number(t, `select count(*) from events`) == 0 })
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.told)
	if len(r.told) != 5 || len(slices.Compact(r.told)) != 5 {
		t.Errorf("told %q", r.told)
	}
}

// policy is a server that is asked whether an upload may begin, and gives a configured answer.
type policy struct {
	*httptest.Server
	status int
	answer string
}

func newPolicy(t *testing.T) *policy {
	p := &policy{status: 200}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		signed(t, r, body)
		var q struct {
			ID, Type  string
			Timestamp time.Time
			Data      struct {
				AccountID int `json:"account_id"`
				Name      string
				Size      int
			}
		}
		if err := json.Unmarshal(body, &q); err != nil || q.Type != "upload.beginning" || q.Data.AccountID != 1 ||
			q.ID != r.Header.Get("webhook-id") || time.Since(q.Timestamp).Abs() > 5*time.Minute ||
			q.Data.Name != "a.txt" || q.Data.Size != 10 {
			t.Errorf("%v %s", err, body)
		}
		w.WriteHeader(p.status)
		io.WriteString(w, p.answer)
	}))
	t.Cleanup(p.Close)
	return p
}

// Another service decides whether an upload may begin, and under which name and type.
func TestPreCreate(t *testing.T) {
	t.Parallel()
	p := newPolicy(t)
	s := start(t, "PRE_CREATE_URL="+p.URL, "WEBHOOK_SECRET="+webhookSecret)
	create := func() answer {
		return s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 10",
			"Upload-Metadata: filename "+base64.StdEncoding.EncodeToString([]byte("a.txt")))
	}
	for _, c := range []struct {
		status int
		answer string
		want   int
		code   string
		reason string
	}{
		{200, "", 201, "", ""},
		{204, "", 201, "", ""},
		{200, "{}", 201, "", ""},
		{403, `{"reason": "not today"}`, 403, "PERM_001", "not today"},
		{422, "no JSON", 403, "PERM_001", ""},
		{500, "", 503, "INFRA_002", ""},
		{302, "", 503, "INFRA_002", ""},
		{200, "no JSON", 503, "INFRA_002", ""},
	} {
		p.status, p.answer = c.status, c.answer
		a := create()
		if a.status != c.want || a.code() != c.code || c.reason != "" && !strings.Contains(string(a.body), c.reason) {
			t.Errorf("%d %s: %v, want %d", c.status, c.answer, a, c.want)
		}
	}
	p.status, p.answer = 200, `{"name": "../b.png", "type": "image/png"}`
	location := create().header.Get("Location")
	if a := s.patch(t, location, 0, random(10)); a.status != 204 {
		t.Fatal(a)
	}
	a := s.do(t, "HEAD", strings.Replace(location, "/tus/", "/", 1), nil)
	if a.header.Get("Content-Type") != "image/png" || !strings.Contains(a.header.Get("Content-Disposition"), "b.png") {
		t.Error(a)
	}
	p.Close()
	if a := create(); a.status != 503 {
		t.Errorf("the other service is gone: %v", a)
	}
}

// The other service is asked about partial uploads, and about the final upload that is made of them.
func TestPreCreateOfPieces(t *testing.T) {
	t.Parallel()
	var questions []map[string]any
	refuse := ""
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Data map[string]any }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		questions = append(questions, q.Data) // one after the other, as the test asks
		if refuse != "" && q.Data[refuse] == true {
			w.WriteHeader(403)
		}
	}))
	defer asked.Close()
	s := start(t, "PRE_CREATE_URL="+asked.URL, "WEBHOOK_SECRET="+webhookSecret)
	a, b := random(1000), random(500)
	sources := []string{s.partial(t, a), s.partial(t, b)}
	if len(questions) != 2 || questions[0]["partial"] != true || questions[0]["size"] != 1000.0 ||
		questions[0]["final"] != nil {
		t.Fatalf("asked about partial uploads: %v", questions)
	}
	refuse = "final"
	if a := s.final(t, sources...); a.status != 403 || a.code() != "PERM_001" {
		t.Errorf("the final upload is refused: %v", a)
	}
	refuse = "partial"
	if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 10", "Upload-Concat: partial"); a.status != 403 ||
		a.code() != "PERM_001" {
		t.Errorf("a partial upload is refused: %v", a)
	}
	questions = nil
	final := s.final(t, sources...)
	if final.status != 201 {
		t.Fatalf("final: %v", final)
	}
	if len(questions) != 1 || questions[0]["final"] != true || questions[0]["size"] != 1500.0 ||
		questions[0]["partial"] != nil {
		t.Errorf("asked about the final upload: %v", questions)
	}
	s.holds(t, strings.Replace(final.header.Get("Location"), "/tus/", "/", 1), append(a, b...))
}
