package download

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/problem"
)

// listedRecords are records whose lists are read in pieces; the read with number fails, from 1, fails.
type listedRecords struct {
	Records
	all   []file.Record // newest first
	read  []int         // how many were asked for each time
	fails int
}

func (l *listedRecords) Files(_ context.Context, _, _ int64, after file.Cursor, limit int) (some []file.Record,
	next file.Cursor, err error) {
	if l.read = append(l.read, limit); len(l.read) == l.fails {
		return nil, next, errors.New("the database has gone")
	}
	from := 1 + slices.IndexFunc(l.all, func(r file.Record) bool { return r.ID == after.ID })
	to := min(from+limit, len(l.all))
	if to < len(l.all) {
		next = file.Cursor{Created: "2026-01-02 03:04:05+00:00", ID: l.all[to-1].ID}
	}
	return l.all[from:to], next, nil
}

func listOf(files int) *listedRecords {
	l := &listedRecords{}
	for i := range files {
		l.all = append(l.all, file.Record{ID: file.ID(fmt.Sprintf("f%04d", i)), Name: "<a & b>"})
	}
	return l
}

func (l *listedRecords) request(t *testing.T, w http.ResponseWriter, limit int) {
	t.Helper()
	handler(t, Options{Records: l}).List(w, ofOwner(t, fmt.Sprintf("/?limit=%d", limit)))
}

func handler(t *testing.T, o Options) *Handler {
	t.Helper()
	o.Base = func(*http.Request) string { return "" }
	o.Respond = problem.Responder{Log: slog.New(slog.DiscardHandler)}
	return New(o)
}

// ofOwner is a request of user 1 of account 1.
func ofOwner(t *testing.T, path string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
	who := file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1}
	return r.WithContext(auth.NewContext(r.Context(), who))
}

// A page is the same whether it is one piece or several, and its last piece is no longer than what is left.
func TestPiecesOfAPage(t *testing.T) {
	for _, c := range []struct {
		files, limit int
		want         []int
	}{
		{0, 10, []int{10}}, {1, 10, []int{10}}, {10, 10, []int{10}}, {11, 10, []int{10}},
		{piece - 1, piece, []int{piece}}, {piece, piece, []int{piece}}, {piece + 1, piece, []int{piece}},
		{piece + 1, piece + 1, []int{piece, 1}}, {piece, 1000, []int{piece}},
		{2*piece + 5, 2*piece + 3, []int{piece, piece, 3}},
		{1001, 1000, slices.Repeat([]int{piece}, 1000/piece)},
	} {
		l := listOf(c.files)
		w := httptest.NewRecorder()
		l.request(t, w, c.limit)
		var page struct {
			Files []listedFile
			Next  *string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatalf("%+v: %v in %s", c, err, w.Body)
		}
		if !slices.Equal(l.read, c.want) || len(page.Files) != min(c.files, c.limit) {
			t.Errorf("%+v: read %v, %d files", c, l.read, len(page.Files))
		}
		for i, f := range page.Files {
			if f.ID != l.all[i].ID || f.Name != "<a & b>" {
				t.Errorf("%+v: file %d is %+v", c, i, f)
			}
		}
		switch {
		case page.Next == nil && c.files > c.limit:
			t.Errorf("%+v: no next page", c)
		case page.Next == nil:
		default:
			if next, ok := file.ParseCursor(*page.Next); !ok || next.ID != l.all[c.limit-1].ID {
				t.Errorf("%+v: next is %q", c, *page.Next)
			}
		}
	}
}

// Nothing is read for a client that does not take what was read before.
func TestPiecesWaitForTheClient(t *testing.T) {
	l := listOf(1000)
	body, taken := io.Pipe()
	ended := make(chan bool)
	go func() {
		defer close(ended)
		l.request(t, &pipedAnswer{httptest.NewRecorder(), taken}, 1000)
	}()
	one := make([]byte, 1)
	if _, err := io.ReadFull(body, one); err != nil { // so the handler has begun to write
		t.Fatal(err)
	}
	if len(l.read) != 1 {
		t.Errorf("%d pieces were read for one byte", len(l.read))
	}
	body.Close() // the client goes away
	<-ended
	if len(l.read) != 1 {
		t.Errorf("%d pieces were read for a client that has gone", len(l.read))
	}
}

// pipedAnswer is a response that its reader takes as fast as it likes.
type pipedAnswer struct {
	*httptest.ResponseRecorder
	to *io.PipeWriter
}

func (p *pipedAnswer) Write(b []byte) (int, error) { return p.to.Write(b) }

// A list that can't be read is an error response; one that can't be read to its end does not look complete.
func TestPieceThatCannotBeRead(t *testing.T) {
	l := listOf(1000)
	l.fails = 1
	w := httptest.NewRecorder()
	l.request(t, w, 1000)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "files") {
		t.Errorf("%d %s", w.Code, w.Body)
	}

	l = listOf(1000)
	l.fails = 3
	w = httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("recovered %v: the connection is not cut", v)
			}
		}()
		l.request(t, w, 1000)
	}()
	if json.Valid(w.Body.Bytes()) {
		t.Errorf("valid JSON of %d bytes", w.Body.Len())
	}
}

// linkRows are links to a file that are read in pieces.
type linkRows struct {
	LinkRows
	all  []file.Link // oldest first
	read []int       // how many were asked for each time
}

func (l *linkRows) Links(_ context.Context, _ file.ID, after file.Link, limit int) ([]file.Link, error) {
	l.read = append(l.read, limit)
	from := 1 + slices.IndexFunc(l.all, func(one file.Link) bool { return one.ID == after.ID })
	return l.all[from:min(from+limit, len(l.all))], nil
}

func (l *listedRecords) File(context.Context, file.ID) (file.Record, error) {
	return file.Record{UserID: 1, AccountID: 1}, nil
}

// The links to a file are read in pieces, too.
func TestPiecesOfLinks(t *testing.T) {
	for _, links := range []int{0, 1, piece, 2*piece + 1} {
		rows := &linkRows{}
		for i := range links {
			rows.all = append(rows.all, file.Link{ID: fmt.Sprint("l", i)})
		}
		w := httptest.NewRecorder()
		handler(t, Options{Records: listOf(0), LinkRows: rows}).ListLinks(w, ofOwner(t, "/"), "f")
		var list struct{ Links []listedLink }
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d: %v in %s", w.Code, err, w.Body)
		}
		if len(list.Links) != links || slices.Max(rows.read) != piece || len(rows.read) != 1+(links+piece-1)/piece {
			t.Errorf("%d links of %d, read %v", len(list.Links), links, rows.read)
		}
		for i, l := range list.Links {
			if l.ID != rows.all[i].ID {
				t.Errorf("link %d is %+v", i, l)
			}
		}
	}
}
