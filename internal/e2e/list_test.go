package e2e

import (
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// page requests a page of the list: the ids on it, and the cursor of the next one.
func (s *server) page(t *testing.T, limit, after string) (ids []string, next string) {
	t.Helper()
	a := s.do(t, "GET", "/files/?limit="+limit+"&after="+url.QueryEscape(after), nil)
	var p struct {
		Files []struct{ ID string }
		Next  *string
	}
	if err := json.Unmarshal(a.body, &p); err != nil || a.status != 200 {
		t.Fatal(a, err)
	}
	for _, f := range p.Files {
		ids = append(ids, f.ID)
	}
	if p.Next != nil {
		next = *p.Next
	}
	return ids, next
}

// A program clears an account page by page: when it requests the next page, the files of the previous one are deleted,
// at the same replica or at another one, which has the deleted files in its cache.
func TestAnAccountIsClearedPageByPage(t *testing.T) {
	t.Parallel()
	one := start(t)
	replicas := startPair(t, "PERMISSION_CACHE_TTL=1h")
	for name, c := range map[string]struct{ lists, deletes *server }{"one": {one, one},
		"replicas": {replicas.a, replicas.b}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all, seen []string
			for range 7 {
				file, _ := c.lists.upload(t, []byte("x"))
				all = append(all, path.Base(file))
			}
			slices.Reverse(all) // newest first
			after := ""
			for {
				ids, next := c.lists.page(t, "3", after)
				for _, id := range ids {
					if a := c.lists.do(t, "HEAD", "/files/"+id, nil); a.status != 200 {
						t.Error(a)
					}
					if a := c.deletes.do(t, "DELETE", "/files/"+id, nil); a.status != 204 {
						t.Error(a)
					}
				}
				seen = append(seen, ids...)
				if after = next; next == "" {
					break
				}
			}
			if !slices.Equal(seen, all) {
				t.Errorf("listed %v, there were %v", seen, all)
			}
			if ids, _ := c.lists.page(t, "10", ""); len(ids) != 0 {
				t.Errorf("%v are left", ids)
			}
		})
	}
}

// A cursor of the version before is the id of a file. It works while the file is there, and says so when it
// is not, also at a replica that still has the file in its cache.
func TestCursorsOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	p := startPair(t, "PERMISSION_CACHE_TTL=1h")
	first, _ := p.a.upload(t, []byte("x"))
	second, _ := p.a.upload(t, []byte("x"))
	if ids, next := p.a.page(t, "5", path.Base(second)); !slices.Equal(ids, []string{path.Base(first)}) || next != "" {
		t.Errorf("%v %q", ids, next)
	}
	if a := p.a.do(t, "HEAD", second, nil); a.status != 200 {
		t.Error(a)
	}
	if a := p.b.do(t, "DELETE", "/files/"+path.Base(second), nil); a.status != 204 {
		t.Error(a)
	}
	for _, s := range []*server{p.a, p.b} {
		if a := s.do(t, "GET", "/files/?after="+path.Base(second), nil); a.status != 400 || a.code() != "VAL_003" {
			t.Error(a)
		}
	}
}

// A file is deleted only if it is the one that the client means (RFC 9110, 13.1).
func TestDeleteUnderConditions(t *testing.T) {
	t.Parallel()
	s := start(t)
	file, _ := s.upload(t, []byte("precious"))
	tag := s.do(t, "HEAD", file, nil).header.Get("ETag")
	const old, late = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
	for _, headers := range []string{
		`If-Match: "another"`, `If-Match: W/` + tag, `If-Match: "a", "b"`, `If-Match: "a"|If-Unmodified-Since: ` + late,
		`If-Unmodified-Since: ` + old, `If-None-Match: *`, `If-None-Match: ` + tag, `If-None-Match: "a", W/` + tag,
		`If-Match: ` + tag + `|If-None-Match: ` + tag,
	} {
		if a := s.do(t, "DELETE", file, nil, strings.Split(headers, "|")...); a.status != 412 || a.code() != "VAL_007" {
			t.Errorf("%s: %v", headers, a)
		}
		s.holds(t, file, []byte("precious"))
	}
	// Access and existence are decided first.
	for headers, status := range map[string]int{`If-Match: "x"|Authorization: -`: 401} {
		if a := s.do(t, "DELETE", file, nil, strings.Split(headers, "|")...); a.status != status {
			t.Errorf("%s: %v", headers, a)
		}
	}
	if a := s.do(t, "DELETE", "/files/nothing", nil, `If-Match: *`); a.status != 404 {
		t.Error(a)
	}
	for _, headers := range []string{`If-Match: ` + tag, `If-Match: *`, `If-Match: "a"|If-Match: "b", ` + tag,
		`If-Unmodified-Since: ` + late,
		`If-Unmodified-Since: yesterday`, `If-Match: ` + tag + `|If-Unmodified-Since: ` + old, `If-None-Match: "a"`} {
		file, _ := s.upload(t, []byte("precious"))
		if a := s.do(t, "DELETE", file, nil, strings.Split(headers, "|")...); a.status != 204 {
			t.Errorf("%s: %v", headers, a)
		}
	}
}
