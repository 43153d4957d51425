package e2e

import (
	"slices"
	"sync"
	"testing"

	"holdfast/internal/test/pgtest"
)

// bearer is the header of a new token of an account.
func (s *server) bearer(account string, who ...string) string {
	return "Authorization: Bearer " + s.run(append([]string{"token", "create", "--account", account}, who...)...)
}

// A reader who has made as many links to a file as a maker may takes nobody else's room.
func TestReadersLeaveRoomForLinks(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"SQLite": nil, "PostgreSQL": postgres(pgtest.Start(t))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, append(env, "PERMISSION_CACHE_TTL=0")...)
			if s.token == "" {
				s.token = s.run("token", "create", "--user", "1", "--account", "1")
			}
			file := s.put(t, "a.txt", "text/plain", []byte("0123456789"))
			s.publish(t, file)
			stranger, reader, program := s.bearer("2", "--user", "9"), s.bearer("2", "--user", "8"), s.bearer("1", "--service")
			links := file + "/links"
			var all sync.WaitGroup
			const together, each = 10, 100
			for range together {
				all.Go(func() {
					for range each {
						if a, err := s.ask("POST", links, nil, stranger); err != nil || a.status != 201 {
							t.Errorf("a link of the stranger's: %v, %v", a, err)
							return
						}
					}
				})
			}
			all.Wait()
			listed := s.linkIDs(t, file) // in several pieces
			slices.Sort(listed)
			if n := len(slices.Compact(listed)); n != together*each {
				t.Errorf("%d links are listed, want %d", n, together*each)
			}
			s.check(t, []line{
				{"POST", links, stranger, "", 403, "PERM_001", "You have 1000 links to the file in force"},
				{"POST", links, reader, "", 201, "", ""},
				{"POST", links, "", "", 201, "", ""},
				{"POST", links, program, "", 201, "", ""},
				{"PUT", file + "/grants", "", `{"access": "private"}`, 200, "", ""},
				{"POST", links, "", "", 201, "", ""},
				{"POST", links, program, "", 201, "", ""},
				{"DELETE", "/files/links", stranger, "", 204, "", ""}, // makes room again
				{"PUT", file + "/grants", "", `{"access": "public"}`, 200, "", ""},
				{"POST", links, stranger, "", 201, "", ""},
			})
			if n := len(s.linkIDs(t, file)); n != 6 {
				t.Errorf("%d links", n)
			}
		})
	}
}

// A caller makes as many links in a window as it may begin downloads, whichever file they are to; those of others don't
// count, and programs of the file's account have no such limit.
func TestLinksAreLimited(t *testing.T) {
	t.Parallel()
	env := []string{"RATE_LIMIT_ENABLED=on", "RATE_LIMIT_DOWNLOAD_REQUESTS=3", "RATE_LIMIT_DOWNLOAD_WINDOW=3h"}
	onMemoryAndRedis(t, env, func(t *testing.T, s *server) {
		file, second := s.put(t, "a", "text/plain", []byte("a")), s.put(t, "b", "text/plain", []byte("b"))
		s.publish(t, file)
		program, stranger, foreign := s.bearer("1", "--service"), s.bearer("2", "--user", "9"), s.bearer("2", "--service")
		for range 4 { // more than may be made
			s.check(t, []line{{"POST", file + "/links", "", `{"disposition": "x"}`, 400, "VAL_003", ""}}) // makes none
		}
		for i := range 3 {
			s.check(t, []line{
				{"POST", []string{file, second}[i%2] + "/links", "", "", 201, "", ""},
				{"POST", file + "/links", stranger, "", 201, "", ""},
				{"POST", file + "/links", foreign, "", 201, "", ""},
			})
		}
		limited(t, s.do(t, "POST", second+"/links", nil, s.origin()), 1)
		limited(t, s.do(t, "POST", file+"/links", nil, stranger, s.origin()), 1)
		limited(t, s.do(t, "POST", file+"/links", nil, foreign, s.origin()), 1)
		for range 6 {
			s.check(t, []line{{"POST", file + "/links", program, "", 201, "", ""}})
		}
		for range 3 { // downloads are counted apart
			s.check(t, []line{{"GET", file, "", "", 200, "", ""}})
		}
		limited(t, s.do(t, "GET", file, nil, s.origin()), 1)
	})
}
