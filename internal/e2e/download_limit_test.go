package e2e

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/test/pgtest"
)

// The bytes that are sent decide what counts as a download, not a header. With a limit of four, the
// fifth in a window is refused, however it is requested.
func TestWhatCountsAsADownload(t *testing.T) {
	t.Parallel()
	env := []string{"RATE_LIMIT_ENABLED=on", "RATE_LIMIT_UPLOAD_REQUESTS=1000", "RATE_LIMIT_DOWNLOAD_REQUESTS=4",
		"RATE_LIMIT_DOWNLOAD_WINDOW=4h"}
	onMemoryAndRedis(t, env, func(t *testing.T, s *server) {
		file, _ := s.upload(t, random(1000))
		s.publish(t, file)
		for i, c := range []struct {
			name, headers string
			status        int
		}{
			{"all of it", "Range: ", 200},
			{"all of it as a range", "Range: bytes=0-", 206},
			{"all of it as a suffix", "Range: bytes=-1000", 206},
			{"what is no range", "Range: x", 200},
			{"another unit", "Range: lines=0-1", 200},
			{"ranges that add up to more", "Range: bytes=0-,0-,0-", 200},
			{"a range of another version", `Range: bytes=0-1|If-Range: "x"`, 200},
			{"all but a byte", "Range: bytes=1-", 206},
			{"all but a byte, in two ranges", "Range: bytes=1-500,501-", 206},
		} {
			user := "Authorization: Bearer " + s.run("token", "create", "--user", fmt.Sprint(10+i), "--account", "1")
			asked := append(strings.Split(c.headers, "|"), user)
			got := map[int]int{}
			for range 8 {
				// None of these sends a byte of it.
				tag := s.do(t, "HEAD", file, nil, asked...).header.Get("ETag")
				if a := s.do(t, "GET", file, nil, user, "If-None-Match: "+tag); a.status != 304 {
					t.Errorf("%s: %v", c.name, a)
				}
				if a := s.do(t, "GET", file, nil, user, "Range: bytes=1000-"); a.status != 416 {
					t.Errorf("%s: %v", c.name, a)
				}
				got[s.do(t, "GET", file, nil, asked...).status]++
			}
			if got[c.status] != 4 || got[429] != 4 {
				t.Errorf("%s: %v, want 4 times %d and then 429", c.name, got, c.status)
			}
		}
	})
}

// A caller that is denied others' files again and again is refused without asking the backend. Other callers, and the
// caller's own files, are not affected.
func TestDeniedDownloadsAreLimited(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.all(), "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_DOWNLOAD_REQUESTS=10",
		"RATE_LIMIT_DOWNLOAD_WINDOW=10h")...)
	owner, other := s.as("owner", d.user("pn-owner", 10, 1)), s.as("other", d.user("pn-other", 11, 1))
	id := owner.brings("the owner's")
	got := map[int]int{}
	for i := range 40 {
		path := "/files/" + id
		if i%4 == 3 {
			path = "/files/unknown"
		}
		got[other.do([]string{"GET", "HEAD"}[i%2], path, nil).status]++
	}
	d.mu.Lock()
	asked := d.asked
	d.mu.Unlock()
	if got[403] != 8 || got[404] != 2 || got[429] != 30 || asked != 8 {
		t.Errorf("%v, the backend was asked %d times", got, asked)
	}
	if a := other.do("POST", "/files/"+id+"/links", nil); a.status != 429 {
		t.Errorf("a link: %v", a)
	}
	owner.sees(id, "the owner's")
	// The caller's own files are not limited.
	mine := other.brings("the other's own")
	other.sees(mine, "the other's own")
	if a := other.do("POST", "/files/"+mine+"/links", nil); a.status != 201 {
		t.Errorf("a link to one's own file: %v", a)
	}
}

// All visitors of a form share one token, which is one identity: they are counted by their addresses.
func TestVisitorsOfAForm(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.tokens(), "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_UPLOAD_REQUESTS=2",
		"RATE_LIMIT_UPLOAD_WINDOW=2h", "RATE_LIMIT_DOWNLOAD_REQUESTS=2",
		"RATE_LIMIT_DOWNLOAD_WINDOW=2h")...)
	visitor := d.public("abcdefgh", 1)
	form, header := formOf(t, "a", "", []byte("x"))
	for i := range 25 {
		from := fmt.Sprintf("X-Real-IP: 192.0.2.%d", i)
		var file string
		for try, want := range []int{200, 200, 429} {
			a := s.do(t, "POST", "/files/upload", form, header, anonymous, visitor, from)
			if a.status != want {
				t.Errorf("visitor %d, upload %d: %v, want %d", i, try, a, want)
			}
			if a.status == 200 {
				file = strings.Split(string(a.body), `"`)[3]
			}
		}
		for try, want := range []int{200, 200, 429} {
			if a := s.do(t, "GET", file, nil, anonymous, visitor, from); a.status != want {
				t.Errorf("visitor %d, download %d: %v, want %d", i, try, a, want)
			}
		}
	}
}

// One visitor of a form who begins uploads and sends nothing does not lock out the others: a visitor has a share of the
// form's unfinished uploads, by the address that the limits count by, with limits or without.
func TestUnfinishedUploadsOfAVisitor(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	visitor := d.public("abcdefgh", 1)
	for name, env := range map[string][]string{"SQLite": {"RATE_LIMIT_ENABLED=on"},
		"PostgreSQL": append(postgres(pgtest.Start(t)), "RATE_LIMIT_ENABLED=off")} {
		t.Run(name, func(t *testing.T) {
			s := start(t, append(append(d.tokens(), env...), "MAX_UNFINISHED_UPLOADS=25")...)
			begin := func(address string, headers ...string) answer {
				return s.do(t, "POST", "/files/tus/", nil, append([]string{anonymous, visitor, "X-Real-IP: " + address},
					headers...)...)
			}
			part := []string{"Upload-Length: 5", "Upload-Concat: partial"}
			for _, from := range []string{"198.51.100.1", "2001:db8::1", "203.0.113.9"} {
				for range 2 {
					if a := begin(from, part...); a.status != 201 {
						t.Fatalf("%s: %v", from, a)
					}
				}
				last := begin(from, "Upload-Length: 5")
				if last.status != 201 {
					t.Fatalf("%s: %v", from, last)
				}
				refused(t, begin(from, part...), "3 unfinished uploads of one visitor")
				refused(t, begin(from, "Upload-Length: 5"), "3 unfinished uploads of one visitor")
				refused(t, begin(from, "Tus-Resumable: -", "Upload-Draft-Interop-Version: 8", "Upload-Complete: ?0",
					"Upload-Length: 5"), "3 unfinished uploads of one visitor")
				if a := s.do(t, "DELETE", last.header.Get("Location"), nil, anonymous, visitor); a.status != 204 {
					t.Errorf("%s, ending one: %v", from, a)
				}
				if a := begin(from, "Upload-Length: 5"); a.status != 201 {
					t.Errorf("%s, when one is ended: %v", from, a)
				}
			}
			refused(t, begin("2001:db8::2", part...), "3 unfinished uploads of one visitor") // of the same network
		})
	}
}
