package importer

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/file"
)

// known has the file of each old object.
type known map[string]file.ID

func (k known) Imported(_ context.Context, sources []string) (map[string]file.ID, error) {
	return k.among(sources), nil
}

func (k known) Known(_ context.Context, ids []string) (map[string]file.ID, error) {
	return k.among(ids), nil
}

func (k known) among(keys []string) map[string]file.ID {
	found := make(map[string]file.ID)
	for _, key := range keys {
		if id, ok := k[key]; ok {
			found[key] = id
		}
	}
	return found
}

// free is the list of reserved ids where there are none.
func free(file.ID) bool { return false }

func links() *Links {
	return &Links{Base: "https://new/files", Kept: []string{"kept"},
		Reserved: func(id file.ID) bool { return id == "docs" },
		Hosts:    []string{"storage.googleapis.com", "storage.cloud.google.com"},
		Rows: known{"s3://acme/a.pdf": "1", "s3://acme/my file (2).pdf": "2", "s3://acme/dir/ü.txt": "3",
			"s3://acme/report": "4",
			"s3://acme/my":     "5", "s3://acme/50%.txt": "6", "old key.png": "old key.png", "docs": "docs",
			"a.pdf": "never: another bucket's"}}
}

func TestLinks(t *testing.T) {
	const g = "https://storage.googleapis.com/"
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"nothing here", "nothing here"},
		{g + "acme/a.pdf", "https://new/files/1"},
		{"see http://storage.cloud.google.com/acme/a.pdf.", "see https://new/files/1."},
		{"https://acme.storage.googleapis.com/a.pdf", "https://new/files/1"},
		{"![x](" + g + "acme/a.pdf) and " + g + "acme/dir/%C3%BC.txt, or",
			"![x](https://new/files/1) and https://new/files/3, or"},
		{"(" + g + "acme/dir/ü.txt)", "(https://new/files/3)"},
		// Spaces and brackets belong to a key where that is known.
		{"[l](" + g + "acme/my file (2).pdf)", "[l](https://new/files/2)"},
		{"[l](" + g + "acme/my%20file%20(2).pdf)", "[l](https://new/files/2)"},
		{"[l](" + g + "acme/my%20file%20%282%29.pdf)", "[l](https://new/files/2)"},
		{g + "acme/my book", "https://new/files/5 book"},
		{g + "acme/50%.txt", "https://new/files/6"},
		{g + "acme/50%25.txt", "https://new/files/6"},
		// Boundaries.
		{g + "acme2/a.pdf", g + "acme2/a.pdf"},
		{g + "acm/a.pdf", g + "acm/a.pdf"},
		{g + "acme/a.pdf2", g + "acme/a.pdf2"},
		{g + "acme/a.pdf/b", g + "acme/a.pdf/b"},
		{g + "acme/report.pdf", g + "acme/report.pdf"},
		{g + "acme/report, " + g + "acme/report!", "https://new/files/4, https://new/files/4!"},
		{g + "acme/reports", g + "acme/reports"},
		{g + "acme/", g + "acme/"},
		{"https://storage.googleapis.com.evil.org/acme/a.pdf", "https://storage.googleapis.com.evil.org/acme/a.pdf"},
		{"https://xstorage.googleapis.com/acme/a.pdf", "https://xstorage.googleapis.com/acme/a.pdf"},
		// Keys that became ids, in the buckets that are named.
		{g + "kept/old%20key.png " + g + "kept/old key.png",
			"https://new/files/old%20key.png https://new/files/old%20key.png"},
		{g + "other/old%20key.png", g + "other/old%20key.png"},
		{g + "kept/gone.png", g + "kept/gone.png"},
		// There the service has something else.
		{g + "kept/docs", g + "kept/docs"},
		// What signed a link means nothing any more.
		{`<a href="` + g + `acme/a.pdf?X-Goog-Signature=ab&x=1">`, `<a href="https://new/files/1">`},
		{"Is it " + g + "acme/a.pdf?", "Is it https://new/files/1?"},
		{`{"t": "` + g + `acme/a.pdf\n"}`, `{"t": "https://new/files/1\n"}`},
		{"&lt;" + g + "acme/a.pdf&gt;", "&lt;https://new/files/1&gt;"},
		{g + "acme/a.pdf" + g + "acme/a.pdf", g + "acme/a.pdf" + "https://new/files/1"},
		{g + "acme/\xff\x00 " + g + "acme/a.pdf", g + "acme/\xff\x00 https://new/files/1"},
	} {
		got, changes, err := links().Rewrite(t.Context(), c.in)
		if err != nil || got != c.want || (got == c.in) != (len(changes) == 0) {
			t.Errorf("%q: %q %v, want %q (%v)", c.in, got, changes, c.want, err)
		}
		if again, _, _ := links().Rewrite(t.Context(), got); again != got {
			t.Errorf("%q: rewritten again: %q", c.in, again)
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add("x https://storage.googleapis.com/acme/a.pdf?q y")
	f.Add("https://acme.storage.cloud.google.com/my%20file (2).pdf)")
	f.Fuzz(func(t *testing.T, text string) {
		got, changes, err := links().Rewrite(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		// Replaced back, it is the old text again.
		for i, rest := 0, got; i < len(changes); i++ {
			at := strings.Index(rest, changes[i].New)
			if at < 0 {
				t.Fatalf("%q is not in %q", changes[i].New, rest)
			}
			rest = rest[at+len(changes[i].New):]
		}
		if len(changes) == 0 && got != text {
			t.Errorf("%q became %q without a change", text, got)
		}
	})
}

func TestManifest(t *testing.T) {
	good := map[string]string{
		"csv": "\ufeffaccount,user,bucket,key,name,created,sha256,size\n" +
			"1,2,b,k/x y.pdf,,2024-05-31T12:00:00Z," + strings.Repeat("ab", 32) + ",7\n",
		"json": `{"account": 1, "user": "2", "source": "s3://b/k/x y.pdf", "created": "2024-05-31T12:00:00Z", "sha256": "` +
			strings.Repeat("ab", 32) + `", "size": 7, "type": null}
`,
	}
	for kind, text := range good {
		var items []Item
		err := ReadManifest(strings.NewReader(text), free, func(it Item) error { items = append(items, it); return nil })
		if err != nil || len(items) != 1 {
			t.Fatal(kind, err, items)
		}
		it := items[0]
		if it.Account != 1 || it.User != 2 || it.Source != "s3://b/k/x y.pdf" || it.Name != "x y.pdf" || it.Size != 7 ||
			len(it.SHA256) != 32 ||
			it.ID != idOf("s3://b/k/x y.pdf", 1) || it.Created.Year() != 2024 {
			t.Errorf("%s: %+v", kind, it)
		}
	}
	for text, want := range map[string]string{
		"":                                      "empty",
		"account,colour\n1,red\n":               `"colour" is not one of`,
		"account,path\n0,x\n":                   "line 2: account must be a number of at least 1",
		"account,path\n,x\n":                    "account is needed",
		"account,path\n1,\n":                    "one source is needed",
		"account,path,url\n1,a,http://b\n":      "one source is needed",
		"account,bucket\n1,b\n":                 "bucket and key belong together",
		"account,source\n1,s3://b\n":            "must be s3://bucket/key",
		"account,path,size\n1,x,-2\n":           "size must be",
		"account,path,sha256\n1,x,abc\n":        "sha256 must have 64",
		"account,path,created\n1,x,today\n":     "created must be a time",
		"account,path,id\n1,x,a//b\n":           "can't be an id",
		"account,path\n1,\xff\n":                "path must be text in UTF-8",
		"{\"account\":1,\"path\":\"a\\u0000\"}": "path must be text in UTF-8",
		"account,path\n1,x,y\n":                 "wrong number of fields",
		"{\"account\": 1, \"path\": [1]}\n":     "must be a text or a number",
		"{\"account\": 1, \"x\": \"y\"}\n":      `"x" is not one of`,
		"{\"account\": 1, \n":                   "line 1: unexpected EOF",
		"{" + strings.Repeat("x", maxLine+10):   "more than",
		"account,path\n0,x\n1,\n":               "line 3: one source",
	} {
		err := ReadManifest(strings.NewReader(text), free, func(Item) error { return nil })
		if _, ok := err.(Faults); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// All wrong lines are reported, of whatever kind they are.
func TestAllFaultsOfAManifest(t *testing.T) {
	for text, want := range map[string]int{
		"account,path\n0,a\n1,b,c\n1,\n1,b,c\n0,d\n1,\"e\"f\"\n":                                                        6,
		"{\"account\":0,\"path\":\"a\"}\n{\"account\":\n{\"account\":[1]}\n{\"x\":1}\n{\"account\":0,\"path\":\"b\"}\n": 5,
	} {
		err := ReadManifest(strings.NewReader(text), free, func(it Item) error { t.Errorf("%+v", it); return nil })
		if faults, _ := err.(Faults); len(faults) != want {
			t.Errorf("%q: %d faults: %v", text, len(faults), err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add("account,path\n1,x\n")
	f.Add(`{"account":1,"url":"http://a/b?c"}`)
	f.Fuzz(func(t *testing.T, text string) {
		_ = ReadManifest(strings.NewReader(text), free, func(it Item) error {
			if _, err := file.ParseID(string(it.ID)); err != nil || it.Account < 1 || it.Source == "" ||
				!utf8.ValidString(it.Source+it.Name) || strings.ContainsRune(it.Source+it.Name, 0) {
				t.Errorf("%+v", it)
			}
			return nil
		})
	})
}
