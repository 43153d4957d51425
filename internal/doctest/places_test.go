package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// places are the rules of "exactly one place" that can be checked in the code. A pattern matches code that belongs
// only into these files or folders.
var places = []struct {
	rule    string
	pattern string
	only    []string // folders, with a slash at the end, or files
}{
	{"config alone reads the environment; main hands it over",
		`os\.(Getenv|LookupEnv|Environ|ExpandEnv)\b|ProxyFromEnvironment`, []string{"main.go"}},
	{"HTTP proxies are config's: those of the environment are for the command line and for other programs",
		`http\.(DefaultClient|Get|Head|Post|PostForm)\b|http\.DefaultTransport\.\(\*http\.Transport\)`,
		[]string{"importer/fetch.go", "events/events.go", "client/client.go"}},
	{"the headers and cookies of tokens are listed once",
		`"(X-Guest-Authorization|X-Public-Authorization|file_service_auth|guest-token|public-token)"`,
		[]string{"auth/presented.go"}},
	{"the header of users' tokens is read there, and sent by the client", `"Authorization"`,
		[]string{"auth/presented.go", "client/client.go"}},
	{"keys in the store are made and read in one place", `"(objects|tails)/`, []string{"storage/layout.go"}},
	{"a record's location is found in one place", `== \(?file\.Location\{\}`, []string{"storage/layout.go"}},
	{"which numbers of users and accounts can own files is said in one place", `math\.MaxInt32\b|2147483647`,
		[]string{"file/identity.go"}},
	{"who is the same person is decided in one place", `[!=]= [\w.]+\.Principal\(\)`, []string{"file/identity.go"}},
	{"and in SQL in one, too", `user_id <> 0 or`, []string{"db/principal.go"}},
	{"SQL is in db", "(?i)[\"`]\\s*(select|insert into|update|delete from) [a-z*]", []string{"db/"}},
	{"statements are tried again in one place", `SafeToRetry|57P01`, []string{"db/retry.go"}},
	{"codes and statuses of errors are in problem; the client compares with some", `"[A-Z]{2,8}_0\d\d"`,
		[]string{"problem/problem.go", "client/client.go"}},
	{"errors are answered by problem; the operators' own address has no body to describe",
		`http\.(Error|NotFound)\(|WriteHeader\((http\.Status(Bad|Unauthorized|Forbidden|NotFound|` +
			`Conflict|Gone|Internal|Service|TooMany)|[45]\d\d)`, []string{"service/admin.go"}},
	{"work for one replica is taken by internal/chore", `\.TakeChore\(`, []string{"internal/chore/chore.go"}},
	{"what an anonymous request may learn is decided in one place", `anonymousKey\{\}`, []string{"auth/auth.go"}},
	{"caches are internal/cache's", `"github\.com/maypok86/otter`, []string{"internal/cache/store.go"}},
}

func TestExactlyOnePlace(t *testing.T) {
	root := filepath.Join("..", "..")
	patterns, found := make([]*regexp.Regexp, len(places)), make([]bool, len(places))
	for i, p := range places {
		patterns[i] = regexp.MustCompile(p.pattern)
	}
	for _, p := range packages(t) {
		dir := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "holdfast"), "/")
		if strings.HasPrefix(dir, "internal/") && !slices.Contains(shared, dir) || strings.HasSuffix(dir, "test") {
			continue // test support
		}
		for _, name := range p.GoFiles {
			path := filepath.ToSlash(filepath.Join(dir, name))
			src, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			for i, rule := range places {
				at := patterns[i].FindString(string(src))
				if at == "" {
					continue
				}
				if slices.ContainsFunc(rule.only, func(only string) bool {
					return path == only || strings.HasSuffix(only, "/") && strings.HasPrefix(path, only)
				}) {
					found[i] = true
				} else {
					t.Errorf("%s: %s, but %s has %q", path, rule.rule, path, at)
				}
			}
		}
	}
	for i, there := range found {
		if !there {
			t.Errorf("nothing is left of %q", places[i].rule)
		}
	}
}
