package e2e

import (
	"strings"
	"testing"
)

// The callers of the matrix, in the order of its columns. The row says whose the file is.
//
//	n  anonymous
//	o  the user who uploads
//	c  a colleague: another user of the account, of the group "staff"
//	e  a user of another account with the owner's number
//	s  a user of another account to whom the backend grants everything
//	g  a guest of the account
//	p  the token of a public form that uploads
//	q  the token of another public form of the account
//	v  a service of the account
const columns = "nocesgpqv"

// matrix says which caller may do what. The statuses are 2 for success, else 401, 403, 404, 409.
const matrix = `
file    grant    verbs                             n o c e s g p q v
user    private  GET HEAD                          1 2 3 3 3 3 3 3 2
user    public   GET HEAD                          2 2 2 2 2 2 2 2 2
user    account  GET HEAD                          1 2 2 3 3 2 2 2 2
user    users    GET HEAD                          1 2 2 3 3 3 3 3 2
user    groups   GET HEAD                          1 2 2 3 3 3 3 3 2
user    tokens   GET HEAD                          1 2 3 3 3 3 3 2 2
user    backend  GET HEAD                          1 2 2 3 3 2 2 2 2
public  private  GET HEAD                          1 3 3 3 3 3 2 3 2
public  public   GET HEAD                          2 2 2 2 2 2 2 2 2
public  account  GET HEAD                          1 2 2 3 3 2 2 2 2
public  users    GET HEAD                          1 3 2 3 3 3 2 3 2
public  groups   GET HEAD                          1 3 2 3 3 3 2 3 2
public  tokens   GET HEAD                          1 3 3 3 3 3 2 2 2
public  backend  GET HEAD                          1 2 2 3 3 2 2 2 2

user    private  tusGET links                      1 2 3 3 3 3 3 3 2
user    public   tusGET links                      1 2 2 2 2 2 2 2 2
user    account  tusGET links                      1 2 2 3 3 2 2 2 2
user    tokens   tusGET links                      1 2 3 3 3 3 3 2 2
user    backend  tusGET links                      1 2 2 3 3 2 2 2 2
public  private  tusGET links                      1 3 3 3 3 3 2 3 2
public  public   tusGET links                      1 2 2 2 2 2 2 2 2
public  backend  tusGET links                      1 2 2 3 3 2 2 2 2

user    private  DELETE showGrants setGrants       1 2 3 3 3 3 3 3 2
user    public   DELETE showGrants setGrants       1 2 3 3 3 3 3 3 2
user    account  DELETE showGrants setGrants       1 2 3 3 3 3 3 3 2
user    users    DELETE showGrants setGrants       1 2 3 3 3 3 3 3 2
user    groups   DELETE showGrants setGrants       1 2 3 3 3 3 3 3 2
user    tokens   DELETE showGrants setGrants       1 2 3 3 3 3 3 3 2
user    backend  DELETE showGrants setGrants       1 2 3 3 3 3 3 3 2
public  private  DELETE showGrants setGrants       1 3 3 3 3 3 2 3 2
public  public   DELETE showGrants setGrants       1 3 3 3 3 3 2 3 2
public  backend  DELETE showGrants setGrants       1 3 3 3 3 3 2 3 2

user    private  tusHEAD tusDELETE                 1 2 3 3 3 3 3 3 3
user    public   tusHEAD tusDELETE                 1 2 3 3 3 3 3 3 3
user    account  tusHEAD tusDELETE                 1 2 3 3 3 3 3 3 3
user    backend  tusHEAD tusDELETE                 1 2 3 3 3 3 3 3 3
public  private  tusHEAD tusDELETE                 1 3 3 3 3 3 2 3 3
public  public   tusHEAD tusDELETE                 1 3 3 3 3 3 2 3 3
user    public   tusPATCH                          1 9 3 3 3 3 3 3 3
public  public   tusPATCH                          1 3 3 3 3 3 9 3 3

user    half     tusHEAD tusPATCH tusDELETE        1 2 3 3 3 3 3 3 3
public  half     tusHEAD tusPATCH tusDELETE        1 3 3 3 3 3 2 3 3
user    half     GET HEAD DELETE links setGrants   1 4 4 4 4 4 4 4 4
public  half     GET HEAD DELETE links setGrants   1 4 4 4 4 4 4 4 4

user    deleted  GET HEAD DELETE links showGrants  1 4 4 4 4 4 4 4 4
user    deleted  tusGET tusHEAD tusPATCH tusDELETE 1 4 4 4 4 4 4 4 4
public  deleted  GET tusHEAD setGrants             1 4 4 4 4 4 4 4 4
`

// bodies are the grants of the matrix.
var bodies = map[string]string{
	"private": `{"access": "private"}`, "public": `{"access": "public"}`, "account": `{"access": "account"}`,
	"users": `{"access": "restricted", "users": [11]}`, "groups": `{"access": "restricted", "groups": ["staff"]}`,
	"tokens": `{"access": "restricted", "tokens": ["qqqqqqqq"]}`,
}

// world is a program and its callers.
type world struct {
	*server
	callers map[byte]caller
}

func newWorld(t *testing.T, d *django, backend bool) world {
	env := d.tokens()
	if backend {
		env = d.all()
	}
	s := start(t, env...)
	colleague := "Authorization: Bearer " + s.run("token", "create", "--user", "11", "--account", "1", "--group", "staff")
	if backend { // which knows no tokens of ours
		colleague = d.user("pn-colleague", 11, 1)
	}
	w := world{s, map[byte]caller{}}
	for column, header := range map[byte]string{
		'n': "", 'o': d.user("pn-owner", 10, 1), 'c': colleague, 'e': d.user("pn-elsewhere", 10, 2),
		's': d.user("pn-super", 13, 2),
		'g': d.guest(12, 1), 'p': d.public("pppppppp", 1), 'q': d.public("qqqqqqqq", 1),
		'v': "Authorization: Bearer " + s.run("token", "create", "--service", "--account", "1"),
	} {
		w.callers[column] = s.as(string(column), header)
	}
	return w
}

// subject creates a file or an upload of the owner ("user") or of the form ("public").
func (w world) subject(t *testing.T, of, grant string) (id string) {
	t.Helper()
	owner := w.callers[map[string]byte{"user": 'o', "public": 'p'}[of]]
	id = owner.begin("0123456789", grant != "half")[len(w.base+"/tus/"):]
	switch body, ok := bodies[grant]; {
	case ok:
		if a := owner.do("PUT", "/files/"+id+"/grants", body); a.status != 200 {
			t.Fatalf("grant %s: %v", grant, a)
		}
	case grant == "deleted":
		owner.gets("DELETE", "/files/"+id, 204, "")
	}
	return id
}

// try makes one request as c.
func (w world) try(c caller, verb, id, grant string) answer {
	file, upload := "/files/"+id, "/files/tus/"+id
	switch verb {
	case "links":
		return c.do("POST", file+"/links", "{}")
	case "showGrants":
		return c.do("GET", file+"/grants", nil)
	case "setGrants":
		body := bodies[grant]
		if body == "" {
			body = bodies["private"]
		}
		return c.do("PUT", file+"/grants", body)
	case "tusPATCH":
		return c.do("PATCH", upload, "x", octets, "Upload-Offset: 5")
	}
	if method, ok := strings.CutPrefix(verb, "tus"); ok {
		return c.do(method, upload, nil)
	}
	return c.do(verb, file, nil)
}

func TestAccessMatrix(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	d.allow("*", "*")
	worlds := map[bool]world{false: newWorld(t, d, false), true: newWorld(t, d, true)}
	cells := 0
	for _, row := range strings.Split(matrix, "\n")[2:] {
		fields := strings.Fields(row)
		if len(fields) == 0 {
			continue
		}
		of, grant := fields[0], fields[1]
		verbs, want := fields[2:len(fields)-len(columns)], fields[len(fields)-len(columns):]
		w := worlds[grant == "backend"]
		id := w.subject(t, of, grant)
		for _, verb := range verbs {
			for i, column := range []byte(columns) {
				if want[i] == "2" && (strings.HasSuffix(verb, "DELETE") || verb == "tusPATCH") { // it is changed by that
					id = w.subject(t, of, grant)
				}
				cells++
				a := w.try(w.callers[column], verb, id, grant)
				got := map[int]string{200: "2", 201: "2", 204: "2", 401: "1", 403: "3", 404: "4", 409: "9"}[a.status]
				if got != want[i] {
					t.Errorf("%s's file, %s: %s by %c: %v, want %s", of, grant, verb, column, a, want[i])
				}
				if got == "2" && want[i] == "2" && strings.HasSuffix(verb, "DELETE") {
					id = w.subject(t, of, grant)
				}
			}
		}
	}
	t.Logf("%d cells", cells)
}
