package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/testproc"
)

const (
	providerSecret = "the secret of an OpenID provider, shared"
	unauthorized   = `{"code":"AUTH_001","message":"Authentication failed"}`
)

func noAccess(who, id string) string {
	return fmt.Sprintf(`{"code":"FILE_002","message":"Access to file denied",`+
		`"details":{"reason":"User %s has no access to file '%s'"}}`, who, id)
}

// callers are one of every kind, all of account 1.
func (d *django) callers(s *server) []caller {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix(),
		"sub": "31", "tenant": 1}).
		SignedString([]byte(providerSecret))
	if err != nil {
		d.t.Fatal(err)
	}
	return []caller{
		s.as("user", d.user("pn-user", 11, 1)),
		s.as("guest", d.guest(12, 1)),
		s.as("public", d.public("abcdefgh", 1)),
		s.as("embedded", d.public("0123456789abcdef0123456789abcdef", 1)),
		s.as("local", "Authorization: Token "+s.run("token", "create", "--user", "13", "--account", "1")),
		s.as("service", "Authorization: Bearer "+s.run("token", "create", "--service", "--account", "1")),
		s.as("provider", "Authorization: Bearer "+token),
	}
}

// Every kind of identity uploads, downloads its own files by header and by cookie, and gets no access to others'
// uploads and files.
func TestEveryKindUploadsAndDownloads(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(append(d.all(), postgres(pgtest.Start(t))...), "AUTH_JWT_SECRET="+providerSecret,
		"AUTH_JWT_USER_CLAIM=sub", "AUTH_JWT_ACCOUNT_CLAIM=tenant")...)
	all := d.callers(s)
	files, half := map[string]string{}, map[string]string{}
	for _, c := range all {
		files[c.name] = c.brings("brought by " + c.name)
		half[c.name] = c.begin("half of what "+c.name+" has", false)
	}
	for _, c := range all {
		c.sees(files[c.name], "brought by "+c.name)
		_, token, _ := strings.Cut(c.header, ": ")
		cookie := map[string]string{"guest": "guest-token", "public": "public-token", "embedded": "public-token"}[c.name]
		if cookie == "" {
			_, token, _ = strings.Cut(token, " ")
			cookie = "token"
		}
		s.as(c.name+" by cookie", "Cookie: "+cookie+"="+token).sees(files[c.name], "brought by "+c.name)
		bare := token[strings.LastIndex(token, " ")+1:]
		s.as(c.name+" by bare cookie", "Cookie: "+cookie+"="+bare).sees(files[c.name], "brought by "+c.name)
		for _, method := range []string{"DELETE", "POST"} { // a cookie changes nothing
			path := map[string]string{"DELETE": "/files/" + files[c.name], "POST": "/files/tus/"}[method]
			s.as(c.name+" by cookie", "Cookie: "+cookie+"="+bare).gets(method, path, 401, unauthorized, "Upload-Length: 1")
		}
		user := map[string]string{"user": "11", "guest": "12", "local": "13", "provider": "31"}[c.name]
		if user == "" {
			user = "anonymous"
		}
		for _, other := range all {
			if other.name == c.name {
				continue
			}
			id := half[other.name][len(s.base+"/tus/"):]
			for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
				c.gets(method, half[other.name], 403, noAccess(user, id), octets, "Upload-Offset: 0")
			}
			c.gets("POST", half[other.name], 403, noAccess(user, id), "X-HTTP-Method-Override: DELETE")
			if c.name == "service" { // it may read the whole account
				c.sees(files[other.name], "brought by "+other.name)
				continue
			}
			c.gets("GET", "/files/"+files[other.name], 403, noAccess(user, files[other.name]))
			c.gets("DELETE", "/files/"+files[other.name], 403, noAccess(user, files[other.name]))
		}
	}
	for _, c := range all { // nobody's upload was touched
		if a := c.do("HEAD", half[c.name], nil); a.status != 200 || a.header.Get("Upload-Offset") == "0" {
			t.Errorf("%s goes on: %v", c.name, a)
		}
		c.gets("DELETE", half[c.name], 204, "")
		c.gets("DELETE", "/files/"+files[c.name], 204, "")
		c.gets("GET", "/files/"+files[c.name], 404,
			fmt.Sprintf(`{"code":"FILE_001","message":"File not found","details":{"reason":"File with ID '%s' not found"}}`,
				files[c.name]))
	}
}

// A final upload can't be made of another user's partial uploads.
func TestConcatOfAnothersUpload(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, d.tokens()...)
	victim := s.as("public", d.public("abcdefgh", 1))
	location := victim.do("POST", "/files/tus/", "secret", "Upload-Length: 6", "Upload-Concat: partial",
		octets).header.Get("Location")
	id := location[len(s.base+"/tus/"):]
	for _, c := range []caller{s.as("another public token", d.public("hgfedcba", 1)), s.as("a user of the account",
		d.user("pn-user", 11, 1)),
		s.as("a service", "Authorization: Bearer "+s.run("token", "create", "--service", "--account", "1")),
		s.as("a user of another account", d.user("pn-other", 11, 2))} {
		if a := c.do("POST", "/files/tus/", nil, "Upload-Concat: final;/files/tus/"+id); a.status != 403 ||
			a.code() != "FILE_002" {
			t.Errorf("%s: %v", c.name, a)
		}
	}
	if a := victim.do("POST", "/files/tus/", nil, "Upload-Concat: final;/files/tus/"+id); a.status != 201 {
		t.Errorf("its own: %v", a)
	}
}

// Every encoding of an id names the same file or none, and never another one.
func TestIDEncodings(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.as("owner", "Authorization: Bearer "+s.token)
	stranger := s.as("stranger", "Authorization: Bearer "+s.run("token", "create", "--user", "2", "--account", "2"))
	id := me.brings("x")
	escaped := ""
	for _, b := range []byte(id) {
		escaped += fmt.Sprintf("%%%02x", b)
	}
	me.sees(escaped, "x")
	stranger.gets("GET", "/files/"+escaped, 403, noAccess("2", id))
	double := strings.ReplaceAll(escaped, "%", "%25")
	for _, path := range []string{double, "x%2F.." + "%2F" + id, "%2e%2e%2f" + id, "..%2f" + id, "../files/" + id,
		"./" + id, "x/../" + id, id + "%00", id + "//", id + "%2f",
		"%c0%ae%c0%ae%c0%af" + id, "%e0%80%af" + id, "%c0%af" + id, id + "%0d%0aX: y", "%5c" + id, "/" + id, "tus/../" + id,
		"tus%2f" + id} {
		for _, c := range []caller{me, stranger} {
			if a := c.do("GET", "/files/"+path, nil); a.status != http.StatusNotFound && a.status != http.StatusBadRequest ||
				strings.Contains(string(a.body), `"x"`) {
				t.Errorf("%s gets %s: %v", c.name, path, a)
			}
		}
	}
}

// Access is decided by the overriding method.
func TestMethodOverride(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.as("owner", "Authorization: Bearer "+s.token)
	id := me.brings("x")
	stranger := s.as("stranger", "Authorization: Bearer "+s.run("token", "create", "--user", "2", "--account", "1"))
	for _, method := range []string{"DELETE", "delete", "PATCH", "HEAD"} {
		stranger.gets("POST", "/files/tus/"+id, 403, noAccess("2", id), "X-HTTP-Method-Override: "+method, octets,
			"Upload-Offset: 0")
		if method != "HEAD" { // a cookie is valid for HEAD
			s.as("cookie", "Cookie: token="+s.token).gets("POST", "/files/tus/"+id, 401, unauthorized,
				"X-HTTP-Method-Override: "+method, octets, "Upload-Offset: 0")
		}
		for _, c := range []caller{me, stranger} { // only tus knows X-HTTP-Method-Override
			if a := c.do("POST", "/files/"+id, nil, "X-HTTP-Method-Override: "+method); a.status != 405 {
				t.Errorf("%s: POST for %s: %v", c.name, method, a)
			}
		}
	}
	me.sees(id, "x")
}

// The keys of a provider are there only after the service has started.
func TestProviderThatComesLater(t *testing.T) {
	t.Parallel()
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	s := start(t, "AUTH_JWKS_URL=http://"+address+"/keys", "AUTH_JWT_ISSUER=https://id.example.org",
		"AUTH_JWT_AUDIENCE=files")
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := func(claims jwt.MapClaims, key ed25519.PrivateKey) caller {
		all := jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix(), "iss": "https://id.example.org", "aud": "files",
			"user_id": "31", "account_id": 1, "groups": "staff"}
		maps.Copy(all, claims)
		unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, all)
		unsigned.Header["kid"] = "k"
		signed, err := unsigned.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s.as("provider's", "Authorization: Bearer "+signed)
	}
	me := token(nil, private)
	me.gets("POST", "/files/tus/", 503, `{"code":"EXT_002","message":"Token provider not available"}`, "Upload-Length: 1")
	s.as("owner", "Authorization: Bearer "+s.token).brings("of the local user") // needs no provider
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	provider := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": %q}]}`,
			base64.RawURLEncoding.EncodeToString(public))
	})}
	go provider.Serve(l)
	t.Cleanup(func() { provider.Close() })
	s.eventually("who has the provider's token is let in",
		func() bool { return me.do("GET", "/files/", nil).status == 200 })
	id := me.brings("the provider's")
	me.sees(id, "the provider's")
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	for name, c := range map[string]caller{"a stranger's": token(nil, stranger),
		"another issuer's": token(jwt.MapClaims{"iss": "x"}, private),
		"for others":       token(jwt.MapClaims{"aud": "x"}, private), "old": token(jwt.MapClaims{"exp": 1_600_000_000},
			private)} {
		c.name = name
		c.gets("GET", "/files/"+id, 401, unauthorized)
	}
	other := token(jwt.MapClaims{"user_id": 32, "groups": []string{"x", "staff"}}, private)
	other.gets("GET", "/files/"+id, 403, noAccess("32", id))
	me.do("PUT", "/files/"+id+"/grants", `{"access": "restricted", "groups": ["staff"]}`)
	other.sees(id, "the provider's")
}
