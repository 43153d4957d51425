package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/test/pgtest"
)

const (
	redisDown      = `{"code":"EXT_001","message":"Redis connection failed"}`
	databaseDown   = `{"code":"DB_001","message":"Database connection failed"}`
	backendFailed  = `{"code":"EXT_003","message":"Permission check failed"}`
	backendTooSlow = `{"code":"EXT_004","message":"Permission check timed out"}`
)

// resting is what the program has open between requests.
type resting struct{ goroutines, sockets int }

func (s *server) rest() resting {
	s.lines.CloseIdleConnections() // ours, each of which is one of the server's
	return resting{int(s.metric("go_goroutines")), openSockets(s.t, s.process.Pid())}
}

// settles waits until the program has about as much open as it had. Its pools may hold up to 32 connections more
// each. A leak would be larger: it grows with the load, which is hundreds of requests and more.
func (s *server) settles(was resting) {
	s.t.Helper()
	const pools = 80
	var now resting
	s.eventually("goroutines and sockets are about as many as they were", func() bool {
		now = s.rest()
		return now.goroutines <= was.goroutines+pools && now.sockets <= was.sockets+pools
	})
	s.t.Logf("open before: %+v, after: %+v", was, now)
}

// redisScene has callers of every kind, a file of the user, and one of the local token.
type redisScene struct {
	*server
	d                          *django
	user, public, guest, local caller
	id, own                    string // the user's file, and the local token's
}

// Redis stops, starts, hangs and recovers under load. Meanwhile a caller whose token is in Redis gets the contract's
// 503, and is never treated as anonymous; other callers are served. Afterwards everything works again by itself.
func TestRedisStopsUnderLoad(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.tokens(), "AUTH_CACHE_TTL=0")...)
	r := &redisScene{server: s, d: d, user: s.as("user", d.user("pn-user", 11, 1)),
		public: s.as("public", d.public("abcdefgh", 1)), guest: s.as("guest", d.guest(12, 1)),
		local: s.as("local", "Authorization: Bearer "+s.token)}
	r.id, r.own = r.user.brings("the user's"), r.local.brings("the local one's")
	was := s.rest()
	stop := r.load(t)
	r.fails(t, "stopped", func() { d.redis.Stop(t) }, func() { d.redis.Restart(t) })
	r.fails(t, "frozen", d.redis.Freeze, d.redis.Thaw)
	stop()
	s.settles(was)
}

// load reads the user's file all the time. Each answer is the file or the 503; stop checks that there were both.
func (r *redisScene) load(t *testing.T) (stop func()) {
	var over atomic.Bool
	var statuses sync.Map
	var load sync.WaitGroup
	for range 16 {
		load.Go(func() {
			for !over.Load() {
				a, err := r.ask("GET", "/files/"+r.id, nil, r.user.header)
				if err != nil {
					t.Errorf("under load: %v", err)
					return
				}
				if fine := a.status == 200 && string(a.body) == "the user's" || a.status == 503 &&
					string(a.body) == redisDown; !fine {
					t.Errorf("under load: %v", a)
					return
				}
				statuses.Store(a.status, true)
			}
		})
	}
	return func() {
		over.Store(true)
		load.Wait()
		for _, status := range []int{200, 503} {
			if _, seen := statuses.Load(status); !seen {
				t.Errorf("no %d under load", status)
			}
		}
	}
}

// fails makes Redis fail for a while.
func (r *redisScene) fails(t *testing.T, how string, begin, end func()) {
	t.Helper()
	ready := func() int { return r.do(t, "GET", "/files/readyz", nil).status }
	begin()
	began := time.Now()
	r.eventually("Redis "+how, func() bool { return ready() == 503 })
	for _, c := range []caller{r.user, r.public, r.as("cookie", "Cookie: token=pn-user"),
		r.as("unknown", "Authorization: Bearer unknown")} {
		c.gets("GET", "/files/"+r.id, 503, redisDown)
	}
	r.user.gets("POST", "/files/tus/", 503, redisDown, "Upload-Length: 1")
	if a := r.user.do("GET", "/files/"+r.id, nil); a.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", a)
	}
	t.Logf("Redis %s: all was refused after %s", how, time.Since(began))
	r.local.sees(r.own, "the local one's")
	r.guest.gets("GET", "/files/"+r.own, 403, noAccess("12", r.own)) // needs no Redis
	r.as("nobody", "").gets("GET", "/files/"+r.id, 401, unauthorized)
	end()
	r.eventually("the user is let in again", func() bool { return r.user.do("GET", "/files/"+r.id, nil).status == 200 })
	r.eventually("ready again", func() bool { return ready() == 200 })
}

// The backend is slow, fails, and is gone: callers get the contract's statuses, no goroutine or connection stays open,
// and afterwards everything works again by itself.
func TestBackendFailsUnderLoad(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.all(), "PERMISSION_CACHE_TTL=0")...)
	id := s.as("owner", d.user("pn-owner", 10, 1)).brings("the owner's")
	owner := s.as("owner", d.user("pn-owner", 10, 1))
	var colleagues []caller
	for i := range 40 {
		c := s.as("colleague", d.user(fmt.Sprintf("pn-user-%d", i), 100+i, 1))
		d.allow(c.header, id)
		colleagues = append(colleagues, c)
	}
	all := func(want answer) {
		t.Helper()
		var wg sync.WaitGroup
		for _, c := range colleagues {
			wg.Go(func() {
				a, err := s.ask("GET", "/files/"+id, nil, c.header)
				if err != nil || a.status != want.status || string(a.body) != string(want.body) {
					t.Errorf("%v %v, want %d %s", a, err, want.status, want.body)
				}
			})
		}
		wg.Wait()
	}
	fine := answer{status: 200, body: []byte("the owner's")}
	all(fine)
	was := s.rest()

	d.answer(0, 12*time.Second)
	began := time.Now()
	all(answer{status: 504, body: []byte(backendTooSlow)})
	if took := time.Since(began); took < 9*time.Second {
		t.Errorf("a backend that takes 12 s was given up after %s", took)
	}
	owner.sees(id, "the owner's") // without asking the backend
	d.answer(0, 0)
	all(fine)
	for range 5 {
		d.answer(500, 0)
		all(answer{status: 502, body: []byte(backendFailed)})
	}
	d.answer(0, 0)
	all(fine)
	s.settles(was)
	d.backend.CloseClientConnections()
	d.backend.Close()
	all(answer{status: 502, body: []byte(backendFailed)})
	owner.sees(id, "the owner's")
	s.settles(was)
}

// PostgreSQL stops and starts: 503 meanwhile, and afterwards everything works again by itself.
func TestDatabaseStopsUnderCallers(t *testing.T) {
	t.Parallel()
	d, pg := startDjango(t), pgtest.Start(t)
	s := start(t, append(append(d.tokens(), postgres(pg)...), "PERMISSION_CACHE_TTL=0", "AUTH_CACHE_TTL=0")...)
	user, service := s.as("user", d.user("pn-user", 11, 1)),
		s.as("service", "Authorization: Bearer "+s.run("token", "create", "--service", "--account", "1"))
	id := user.brings("the user's")
	service.sees(id, "the user's")
	pg.Stop(t)
	for _, c := range []caller{user, service, s.as("nobody", "")} {
		c.gets("GET", "/files/"+id, 503, databaseDown)
		c.gets("PUT", "/files/"+id+"/grants", map[bool]int{true: 401, false: 503}[c.header == ""],
			map[bool]string{true: unauthorized, false: databaseDown}[c.header == ""])
	}
	pg.Restart(t)
	s.eventually("well again", func() bool {
		return user.do("GET", "/files/"+id, nil).status == 200 && service.do("GET", "/files/"+id, nil).status == 200
	})
}

// While a thousand wrong tokens of every kind arrive each second, valid ones are accepted, and no resource stays in
// use afterwards.
func TestThousandsOfWrongTokens(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, d.all()...)
	user := s.as("user", d.user("pn-user", 11, 1))
	id := user.brings("the user's")
	user.sees(id, "the user's")
	was := s.rest()
	var wg sync.WaitGroup
	var wrong atomic.Int64
	forms := []string{"Authorization: Bearer %08d", "Authorization: Bearer hf_%08d", "X-Guest-Authorization: a.b.%08d",
		"X-Public-Authorization: Token %08d",
		"Cookie: token=%08d; public-token=%[1]08d; guest-token=%[1]08d"}
	began := time.Now()
	for i := range 16 {
		wg.Go(func() {
			for j := range 250 {
				header := fmt.Sprintf(forms[j%len(forms)], i*1000+j)
				headers := []string{header}
				if !strings.HasPrefix(header, "Authorization") {
					headers = append(headers, "Authorization: -")
				}
				if a, err := s.ask("GET", "/files/"+id, nil, headers...); err != nil || a.status != 401 ||
					string(a.body) != unauthorized {
					t.Errorf("%s: %v %v", header, a, err)
				}
				wrong.Add(1)
				if a, err := s.ask("GET", "/files/"+id, nil, user.header); err != nil || a.status != 200 {
					t.Errorf("the right one: %v %v", a, err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d wrong tokens in %s", wrong.Load(), time.Since(began))
	s.settles(was)
}
