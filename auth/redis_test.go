package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"holdfast/file"
	"holdfast/internal/test/redistest"
)

func TestTokenKeys(t *testing.T) {
	for _, v := range load[[]struct {
		Token, Secret string
		Iterations    int
		Key           string `json:"redis_key"`
	}](t, "token_keys.json") {
		k := newKeys(RedisOptions{Prefix: ":1:", Secret: v.Secret, Iterations: v.Iterations})
		if got, err := k.find(t.Context(), v.Token); got != v.Key || err != nil {
			t.Errorf("%q, %d times: %s, %v, want %s", v.Token, v.Iterations, got, err, v.Key)
		}
	}
}

// shelf is a Redis with the entries that Django makes.
type shelf struct {
	*redistest.Server
	*Redis
	t testing.TB
}

func newShelf(t testing.TB) *shelf {
	t.Helper()
	server := redistest.Start(t)
	r, err := OpenRedis(RedisOptions{URL: server.URL(), Prefix: ":1:", Secret: django, Iterations: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &shelf{server, r, t}
}

func (s *shelf) put(key, value string) {
	s.t.Helper()
	s.Do(s.t, "SET", key, value)
}

func (s *shelf) putUser(token, value string) {
	key, err := s.keys.find(s.t.Context(), token)
	if err != nil {
		s.t.Fatal(err)
	}
	s.put(key, value)
}

func TestTokensInRedis(t *testing.T) {
	s := newShelf(t)
	a := New(Options{Local: locals(), Redis: s.Redis, Guests: []byte(django), CacheTTL: time.Minute})
	want := file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 2,
		Credential: file.NewCredential("Authorization", "Bearer pn-user")}
	s.putUser("pn-user", head+"Nu.")
	for _, h := range []string{"Authorization: Bearer pn-user", "Authorization: Token pn-user", "Cookie: token=pn-user"} {
		who, err := a.Identify(request("GET", h))
		if diff := cmp.Diff(want, who); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", h, err, diff)
		}
	}
	embedded := strings.Repeat("e", 32)
	for _, token := range []string{"abcdefgh", embedded} {
		s.put(":1:"+token, "\x80\x02}X\x0a\x00\x00\x00account_idM\x98\x06s.")
		want := file.Identity{Kind: file.KindPublic, AccountID: 1688, Fingerprint: Fingerprint(token),
			Credential: file.NewCredential("X-Public-Authorization", "Token "+token)}
		for _, h := range []string{"X-Public-Authorization: Token " + token, "Cookie: public-token=" + token,
			"Cookie: public-token=Token " + token} {
			who, err := a.Identify(request("GET", h))
			if diff := cmp.Diff(want, who); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", h, err, diff)
			}
		}
	}
	// The first good token counts.
	guest := sign(t, jwt.SigningMethodHS256, []byte(django), claims(nil), "")
	for _, c := range []struct {
		headers []string
		kind    file.Kind
		user    int64
	}{
		{[]string{"Authorization: Bearer pn-user", "X-Guest-Authorization: " + guest,
			"X-Public-Authorization: Token abcdefgh"}, file.KindUser, 1},
		{[]string{"Authorization: Bearer wrong", "X-Guest-Authorization: " + guest, "X-Public-Authorization: Token abcdefgh"},
			file.KindGuest, 11},
		{[]string{"Authorization: Bearer wrong", "X-Guest-Authorization: a.b.c", "X-Public-Authorization: Token abcdefgh"},
			file.KindPublic, 0},
		{[]string{"X-Public-Authorization: Token 00000000", "Cookie: token=pn-user; guest-token=" + guest +
			"; public-token=abcdefgh"}, file.KindUser, 1},
		{[]string{"Cookie: file_service_auth=wrong; guest-token=" + guest + "; public-token=abcdefgh"}, file.KindGuest, 11},
		{[]string{"Authorization: Bearer hf_wrong", "Cookie: guest-token=a.b.c; public-token=abcdefgh"}, file.KindPublic, 0},
		{[]string{"Authorization: Bearer hf_good", "Cookie: token=pn-user"}, file.KindUser, 7},
	} {
		if who, err := a.Identify(request("GET", c.headers...)); err != nil || who.Kind != c.kind || who.UserID != c.user {
			t.Errorf("%q: %+v, %v", c.headers, who, err)
		}
	}
}

func TestWhatIsNoTokenInRedis(t *testing.T) {
	s := newShelf(t)
	a := New(Options{Local: locals(), Redis: s.Redis})
	refuse := func(what, header string) {
		t.Helper()
		if who, err := a.Identify(request("GET", header)); !errors.Is(err, file.ErrUnauthenticated) {
			t.Errorf("%s: %+v, %v", what, who, err)
		}
	}
	for _, v := range load[[]pickleVector](t, "redis_pickles.json") {
		s.putUser(v.Name, string(v.bytes(t)))
		who, err := a.Identify(request("GET", "Authorization: Bearer "+v.Name))
		switch {
		case v.Identity == nil || v.Identity.User == 0:
			if !errors.Is(err, file.ErrUnauthenticated) {
				t.Errorf("%s: %+v, %v", v.Name, who, err)
			}
		case err != nil || who.UserID != v.Identity.User || who.AccountID != v.Identity.Account:
			t.Errorf("%s: %+v, %v", v.Name, who, err)
		}
	}
	s.putUser("long",
		"\x80\x02}X\x07\x00\x00\x00user_idK\x01sX\x0a\x00\x00\x00account_idK\x02s"+
			"X\x01\x00\x00\x00xB\x00\x00\x10\x00"+strings.Repeat("a", 1<<20)+"s.")
	refuse("a value of a mebibyte", "Authorization: Bearer long")
	key, _ := s.keys.find(t.Context(), "list")
	s.Do(t, "LPUSH", key, "x")
	refuse("a list", "Authorization: Bearer list")

	// A public token is its own key: it must not read other keys of Django.
	s.putUser("pn-user", head+"Nu.")
	key, _ = s.keys.find(t.Context(), "pn-user")
	for _, name := range []string{"views.decorators.cache", "a", "abc:defg", "abcdefg\x00", "abcdéfg", "../:1:ab",
		strings.Repeat("a", 64)} {
		s.put(":1:"+name, head+"Nu.")
		refuse("a key of another kind", "X-Public-Authorization: Token "+name)
	}
	refuse("a user's key", "X-Public-Authorization: Token "+strings.TrimPrefix(key, ":1:"))
	refuse("a user's token", "X-Public-Authorization: Token pn-user")
	refuse("a public token with another scheme", "X-Public-Authorization: Bearer abcdefgh")
}

// Redis goes down, hangs, and comes back: the request is never treated as anonymous, never
// waits long, and tokens are found again without a restart.
func TestRedisIsDown(t *testing.T) {
	s := newShelf(t)
	s.putUser("pn-user", head+"Nu.")
	a := New(Options{Local: locals(), Redis: s.Redis})
	try := func(header string, want error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := a.Identify(request("PATCH", header).WithContext(ctx))
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", header, err, want)
		}
		if ctx.Err() != nil { // lookupTimeout must have ended it, not this ctx
			t.Errorf("%s: took a minute", header)
		}
	}
	user, public, local := "Authorization: Bearer pn-user", "X-Public-Authorization: Token abcdefgh",
		"Authorization: Bearer hf_good"
	try(user, nil)
	for _, fault := range []struct{ begin, end func() }{
		{func() { s.Stop(t) }, func() { s.Restart(t) }},
		{s.Freeze, s.Thaw},
	} {
		fault.begin()
		try(user, file.ErrRedis)
		try(public, file.ErrRedis)
		try(local, nil)
		if err := s.Ping(t.Context()); !errors.Is(err, file.ErrRedis) {
			t.Errorf("ping: %v", err)
		}
		fault.end()
		for err := file.ErrRedis; err != nil; { // go-redis may still have an old connection
			_, err = a.Identify(request("PATCH", user))
			if err != nil && !errors.Is(err, file.ErrRedis) {
				t.Fatal(err)
			}
		}
		try(user, nil)
	}
}

// Thousands of wrong tokens at once: a caller with a good token is served, and no memory stays in use.
func TestThousandsOfWrongTokens(t *testing.T) {
	s := newShelf(t)
	s.putUser("pn-user", head+"Nu.")
	a := New(Options{Local: locals(), Redis: s.Redis, Guests: []byte(django), CacheTTL: time.Minute})
	identify := func(header string) error { _, err := a.Identify(request("GET", header)); return err }
	if err := identify("Authorization: Bearer pn-user"); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 64 {
				header := []string{"Authorization: Bearer ", "X-Guest-Authorization: a.b.", "X-Public-Authorization: Token "}[j%3]
				if err := identify(fmt.Sprintf("%s%08d", header, i*64+j)); !errors.Is(err, file.ErrUnauthenticated) {
					t.Errorf("a wrong one: %v", err)
				}
				if err := identify("Authorization: Bearer pn-user"); err != nil {
					t.Errorf("the right one: %v", err)
				}
			}
		})
	}
	wg.Wait()
	// without the one that asks
	if n := strings.Count(s.Do(t, "CLIENT", "LIST"), "\n") - 1; n < 1 || n > redisConnections {
		t.Errorf("%d connections", n)
	}
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before+5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, before it were %d", runtime.NumGoroutine(), before)
		}
	}
	if n := a.cache.entries.Len(); n != 1 {
		t.Errorf("%d tokens are cached", n)
	}
}

// Each key is derived once, with few derivations at a time. When too many wait, further
// requests are refused at once: callers can't take up all the CPU.
func TestDerivationsAreBounded(t *testing.T) {
	k := newKeys(RedisOptions{Secret: django, Iterations: 1})
	ctx, cancel := context.WithCancel(t.Context())
	for range cap(k.turns) {
		k.turns <- struct{}{} // all are in use
	}
	var waiting sync.WaitGroup
	for i := range maxDerivations {
		waiting.Go(func() {
			if _, err := k.find(ctx, fmt.Sprint("waits", i)); !errors.Is(err, file.ErrUnavailable) ||
				!errors.Is(err, context.Canceled) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	for k.begun.Load() < maxDerivations {
		runtime.Gosched()
	}
	soon, end := context.WithTimeout(t.Context(), 10*time.Second)
	defer end()
	if _, err := k.find(soon, "one more"); !errors.Is(err, file.ErrUnavailable) ||
		errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one more waited: %v", err)
	}
	cancel()
	waiting.Wait()
	for range cap(k.turns) {
		<-k.turns
	}
	first, err := k.find(t.Context(), "known")
	if err != nil {
		t.Fatal(err)
	}
	k.iterations = 2 // a second derivation would give another key
	if again, err := k.find(t.Context(), "known"); err != nil || again != first {
		t.Errorf("derived twice: %v", err)
	}
}
