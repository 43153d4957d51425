package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"holdfast/internal/test/pgtest"
)

// The backend's permission opens a file, for every kind of token of its account.
func TestPermissionByTheBackend(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.all(), "PERMISSION_CACHE_TTL=0")...)
	id := s.as("owner", d.user("pn-owner", 10, 1)).brings("the owner's")
	owner, colleague := s.as("owner", d.user("pn-owner", 10, 1)), s.as("colleague", d.user("pn-user", 11, 1))
	guest, public := s.as("guest", d.guest(12, 1)), s.as("public", d.public("abcdefgh", 1))
	for _, c := range []struct {
		caller
		shown string
	}{{colleague, "11"}, {guest, "12"}, {public, "anonymous"}} {
		c.gets("GET", "/files/"+id, 403, noAccess(c.shown, id))
		d.allow(c.header, id)
		c.sees(id, "the owner's")
		c.gets("HEAD", "/files/"+id, 200, "")
		c.gets("DELETE", "/files/"+id, 403, noAccess(c.shown, id)) // it grants only reading
		if a := c.do("PUT", "/files/"+id+"/grants", `{"access": "public"}`); a.status != 403 {
			t.Errorf("%s grants: %v", c.name, a)
		}
	}
	// By cookie, in any of its forms, the backend is asked in the same way.
	s.as("cookie", "Cookie: token=pn-user").sees(id, "the owner's")
	s.as("cookie", "Cookie: public-token=abcdefgh").sees(id, "the owner's")
	s.as("cookie", "Cookie: public-token=Token abcdefgh").sees(id, "the owner's")

	before := d.questions()
	owner.sees(id, "the owner's")
	s.as("service", "Authorization: Bearer "+s.run("token", "create", "--service", "--account", "1")).sees(id,
		"the owner's")
	s.as("nobody", "").gets("GET", "/files/"+id, 401, unauthorized)
	s.as("nobody", "").gets("GET", "/files/no-such-file", 401, unauthorized)
	s.as("wrong", "Authorization: Bearer wrong").gets("GET", "/files/"+id, 401, unauthorized)
	local := s.as("local", "Authorization: Bearer "+s.run("token", "create", "--user", "14", "--account", "1"))
	local.gets("GET", "/files/"+id, 403, noAccess("14", id)) // the backend does not know the token, and is not sent it
	if n := d.questions(); n != before {
		t.Errorf("the backend was asked %d times about what needs no question", n-before)
	}

	for status, want := range map[int]string{
		http.StatusBadRequest: "403 FILE_002", http.StatusUnauthorized: "403 FILE_002", http.StatusForbidden: "403 FILE_002",
		http.StatusInternalServerError: "502 EXT_003", http.StatusBadGateway: "502 EXT_003", http.StatusOK: "502 EXT_003",
		http.StatusFound: "502 EXT_003", http.StatusNotFound: "502 EXT_003",
	} {
		d.answer(status, 0)
		if a := colleague.do("GET", "/files/"+id, nil); fmt.Sprint(a.status, " ", a.code()) != want {
			t.Errorf("the backend says %d: %v, want %s", status, a, want)
		}
	}
	d.answer(0, 0)
	colleague.sees(id, "the owner's")
	owner.do("PUT", "/files/"+id+"/grants", `{"access": "public"}`)
	s.as("nobody", "").sees(id, "the owner's")
	if a := owner.do("PUT", "/files/"+id+"/grants", `{"access": "account"}`); a.status != 400 || a.code() != "VAL_003" {
		t.Errorf("a grant that the backend would never ask about: %v", a)
	}
}

// A file of another account is denied, also if the backend would grant it.
func TestAnotherAccountsFileThatTheBackendGrants(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, d.all()...)
	d.allow("*", "*")
	id := s.as("owner", d.user("pn-owner", 10, 1)).brings("the owner's")
	for _, c := range []struct {
		caller
		shown string
	}{{s.as("user", d.user("pn-user", 11, 2)), "11"}, {s.as("the same number", d.user("pn-same", 10, 2)), "10"},
		{s.as("guest", d.guest(12, 2)), "12"},
		{s.as("public", d.public("abcdefgh", 2)), "anonymous"},
		{s.as("service", "Authorization: Bearer "+s.run("token", "create", "--service", "--account", "2")), "anonymous"}} {
		for range 2 {
			c.gets("GET", "/files/"+id, 403, noAccess(c.shown, id))
			c.gets("DELETE", "/files/"+id, 403, noAccess(c.shown, id))
			if a := c.do("POST", "/files/"+id+"/links", "{}"); a.status != 403 {
				t.Errorf("%s makes a link: %v", c.name, a)
			}
		}
	}
	if n := d.questions(); n != 0 {
		t.Errorf("the backend was asked %d times", n)
	}
}

// Allowed reads are cached, refusals are not.
func TestPermissionIsRemembered(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.all(), "PERMISSION_CACHE_TTL=10m")...)
	id := s.as("owner", d.user("pn-owner", 10, 1)).brings("the owner's")
	colleague := s.as("colleague", d.user("pn-user", 11, 1))
	for range 3 {
		colleague.gets("GET", "/files/"+id, 403, noAccess("11", id))
	}
	if n := d.questions(); n != 3 {
		t.Errorf("asked %d times about what was denied, want 3", n)
	}
	d.allow(colleague.header, id)
	for range 5 {
		colleague.sees(id, "the owner's")
	}
	d.answer(500, 0)
	colleague.sees(id, "the owner's")
	if n := d.questions(); n != 4 {
		t.Errorf("asked %d times, want 4", n)
	}
	other := s.as("other", d.user("pn-third", 13, 1))
	if a := other.do("GET", "/files/"+id, nil); a.status != 502 {
		t.Errorf("somebody else: %v", a)
	}
}

// granted is a file whose owner and service change its grants.
type granted struct {
	*testing.T
	*server
	d              *django
	id, grants     string // the file, and the path of its grants
	owner, service caller
	staff          caller // user 14, of the groups "night shift" and "staff, all"
	public, nobody caller
}

func newGranted(t *testing.T, env []string) *granted {
	t.Helper()
	d := startDjango(t)
	s := start(t, append(env, append(d.tokens(), "PERMISSION_CACHE_TTL=10m")...)...)
	token := func(args ...string) string {
		return "Authorization: Bearer " + s.run(append([]string{"token", "create", "--account", "1"}, args...)...)
	}
	g := &granted{T: t, server: s, d: d, owner: s.as("owner", d.user("pn-owner", 10, 1)),
		service: s.as("service", token("--service")),
		staff:   s.as("staff", token("--user", "14", "--group", "night shift", "--group", "staff, all")),
		public:  s.as("public", d.public("abcdefgh", 1)), nobody: s.as("nobody", "")}
	g.id = g.owner.brings("the owner's")
	g.grants = "/files/" + g.id + "/grants"
	return g
}

// put sets the grants, and expects an answer that GET repeats.
func (g *granted) put(c caller, body, want string) {
	g.T.Helper()
	a := c.do("PUT", g.grants, body)
	if a.status != 200 || string(a.body) != want+"\n" {
		g.Fatalf("%s: PUT %s: %v", c.name, body, a)
	}
	c.gets("GET", g.grants, 200, want+"\n")
}

func (g *granted) denied(c caller, shown string) {
	g.T.Helper()
	c.gets("GET", "/files/"+g.id, 403, noAccess(shown, g.id))
}

func TestGrants(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"SQLite": nil, "PostgreSQL": postgres(pgtest.Start(t))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGranted(t, env)
			g.owner.gets("GET", g.grants, 200, `{"access":"private","users":[],"groups":[],"tokens":[]}`+"\n")
			g.toUsersGroupsAndTokens()
			g.toTheAccount()
			g.toEverybody()
			g.endWithTheFile()
		})
	}
}

// toUsersGroupsAndTokens restricts the file. An answer can be sent again as a request; a grant that was taken away
// ends at once.
func (g *granted) toUsersGroupsAndTokens() {
	g.T.Helper()
	guest := g.as("guest", g.d.guest(12, 1))
	g.denied(g.public, "anonymous")
	g.put(g.owner, `{"access": "restricted", "users": [14, 12, 14], "tokens": ["abcdefgh"]}`,
		`{"access":"restricted","users":[12,14],"groups":[],"tokens":["sha256:9c56cc51b374c3ba189210d5b6d4bf57"]}`)
	for _, c := range []caller{g.staff, g.public, guest} {
		c.sees(g.id, "the owner's")
	}
	g.denied(g.as("another account's", g.d.user("pn-other", 12, 2)), "12")
	g.denied(g.as("another token", g.d.public("hgfedcba", 1)), "anonymous")

	sent := `{"access":"restricted","users":[],"groups":["staff, all"],` +
		`"tokens":["sha256:9c56cc51b374c3ba189210d5b6d4bf57"]}`
	g.put(g.service, sent, sent)
	g.denied(guest, "12")
	g.staff.sees(g.id, "the owner's") // by the group
	g.public.sees(g.id, "the owner's")
	g.put(g.owner, `{"access":"restricted","groups":["staff"]}`,
		`{"access":"restricted","users":[],"groups":["staff"],"tokens":[]}`)
	g.denied(g.staff, "14")
}

func (g *granted) toTheAccount() {
	g.T.Helper()
	g.put(g.service, `{"access": "account"}`, `{"access":"account","users":[],"groups":[],"tokens":[]}`)
	g.staff.sees(g.id, "the owner's")
	g.denied(g.as("another account's", g.d.user("pn-fourteen", 14, 2)), "14")
	g.nobody.gets("GET", "/files/"+g.id, 401, unauthorized)
}

// toEverybody makes the file public: everybody may read it, and only those who could before may change it.
func (g *granted) toEverybody() {
	g.T.Helper()
	g.put(g.owner, `{"access": "public"}`, `{"access":"public","users":[],"groups":[],"tokens":[]}`)
	for _, c := range []caller{g.nobody, g.as("a wrong token", "Authorization: Bearer wrong"),
		g.as("an old cookie", "Cookie: token=old"),
		g.as("another account's", g.d.user("pn-fourteen", 14, 2)), g.public} {
		c.sees(g.id, "the owner's")
		c.gets("HEAD", "/files/"+g.id, 200, "")
		for _, r := range []struct {
			method, path string
			body         any
		}{{"DELETE", "/files/" + g.id, nil}, {"PUT", g.grants, `{"access": "private"}`}, {"GET", g.grants, nil}} {
			if a := c.do(r.method, r.path, r.body); a.status != 401 && a.status != 403 {
				g.Errorf("%s: %s %s of a public file: %v", c.name, r.method, r.path, a)
			}
		}
	}
	g.put(g.owner, `{"access": "private"}`, `{"access":"private","users":[],"groups":[],"tokens":[]}`)
	g.nobody.gets("GET", "/files/"+g.id, 401, unauthorized)
	g.denied(g.staff, "14")
}

// endWithTheFile deletes the file: its grants are deleted with it.
func (g *granted) endWithTheFile() {
	g.T.Helper()
	g.put(g.owner, `{"access": "public"}`, `{"access":"public","users":[],"groups":[],"tokens":[]}`)
	g.service.gets("DELETE", "/files/"+g.id, 204, "")
	g.nobody.gets("GET", "/files/"+g.id, 401, unauthorized)
	if a := g.owner.do("PUT", g.grants, `{"access": "public"}`); a.status != 404 {
		g.Errorf("a grant for a file that is gone: %v", a)
	}
}

func TestGrantsThatAreNone(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.as("owner", "Authorization: Bearer "+s.token)
	grants := "/files/" + me.brings("x") + "/grants"
	many := strings.TrimSuffix(strings.Repeat("1,", 1001), ",")
	for _, body := range []string{"", "{", "[]", "null", `"public"`, `{}`, `{"access": null}`, `{"access": "Public"}`,
		`{"access": "everybody"}`,
		`{"access": "public", "users": [1]}`, `{"access": "account", "groups": ["a"]}`,
		`{"access": "private", "tokens": ["abcdefgh"]}`,
		`{"access": "restricted"}`, `{"access": "restricted", "users": []}`, `{"access": "restricted", "users": [0]}`,
		`{"access": "restricted", "users": [-1]}`,
		`{"access": "restricted", "users": [1.5]}`, `{"access": "restricted", "users": ["1"]}`,
		`{"access": "restricted", "users": [9223372036854775808]}`,
		`{"access": "restricted", "users": 1}`, `{"access": "restricted", "groups": [""]}`,
		`{"access": "restricted", "groups": ["a\nb"]}`,
		`{"access": "restricted", "groups": ["` + strings.Repeat("a", 129) + `"]}`,
		`{"access": "restricted", "tokens": ["short"]}`,
		`{"access": "restricted", "tokens": ["sha256:abc"]}`, `{"access": "restricted", "tokens": ["SHA256:` +
			strings.Repeat("a", 32) + `"]}`,
		`{"access": "restricted", "users": [` + many + `]}`, `{"access": "public", "more": 1}`,
		`{"access": "public"} {"access": "private"}`,
		`{"access": "` + strings.Repeat("a", 1<<20) + `"}`} {
		if a := me.do("PUT", grants, body); a.status != 400 || a.code() != "VAL_003" || !strings.Contains(string(a.body),
			`"reason"`) {
			t.Errorf("%.60s: %v", body, a)
		}
	}
	me.gets("GET", grants, 200, `{"access":"private","users":[],"groups":[],"tokens":[]}`+"\n")
	for _, method := range []string{"POST", "PATCH", "DELETE"} {
		if a := me.do(method, grants, nil); a.status != 405 || a.header.Get("Allow") != "GET, HEAD, PUT" {
			t.Errorf("%s: %v", method, a)
		}
	}
	if a := me.do("PUT", "/files/no-such-file/grants", `{"access": "public"}`); a.status != 404 {
		t.Errorf("no such file: %v", a)
	}
}

// The tokens that the command creates and refuses.
func TestServiceAndGroupTokens(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.run("token", "create", "--service", "--account", "5", "--name", "backend", "--ttl", "24h")
	s.run("token", "create", "--user", "7", "--account", "5", "--group", "staff", "--group", "board")
	list := s.run("token", "list")
	for _, want := range []string{"service", "staff,board"} {
		if !strings.Contains(list, want) {
			t.Errorf("%q is not in\n%s", want, list)
		}
	}
	for _, args := range [][]string{{"--account", "5"}, {"--user", "7"}, {"--service"}, {"--service", "--account", "5",
		"--user", "7"},
		{"--service", "--account", "5", "--group", "a"}, {"--user", "7", "--account", "5", "--group", ""},
		{"--user", "7", "--account", "5", "--group", "a\nb"},
		{"--user", "-1", "--account", "5"}} {
		out, err := s.command(append([]string{"token", "create"}, args...)...).CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), "holdfast: ") {
			t.Errorf("token create %q: %v\n%s", args, err, out)
		}
	}
	// A service lists all files of its account, and pages continue after any user's file.
	user := s.as("user", "Authorization: Bearer "+s.token)
	mine := s.as("service", "Authorization: Bearer "+s.run("token", "create", "--service", "--account", "1"))
	theirs := s.as("another account's service", "Authorization: Bearer "+s.run("token", "create", "--service", "--account",
		"5"))
	first, second := user.brings("1"), user.brings("2")
	for _, c := range []struct {
		caller
		query, has, hasNot string
	}{
		{mine, "", first, "nothing"}, {mine, "", second, "nothing"}, {mine, "?limit=1", `"next":"`, first},
		{mine, "?after=" + second, first, second}, {mine, "?after=" + first, `"files":[]`, second},
		{theirs, "", `"files":[]`, first},
	} {
		if a := c.do("GET", "/files/"+c.query, nil); a.status != 200 || !strings.Contains(string(a.body), c.has) ||
			strings.Contains(string(a.body), c.hasNot) {
			t.Errorf("%s lists %q: %v, want %s and not %s", c.name, c.query, a, c.has, c.hasNot)
		}
	}
	if a := theirs.do("GET", "/files/?after="+first, nil); a.status != 400 {
		t.Errorf("behind a file of another account: %v", a)
	}
}
