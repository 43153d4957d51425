package importer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// source serves a URL until the end of the test.
func source(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// A source that sends nothing any more is given up, at each point of its answer.
func TestSourcesThatStandStill(t *testing.T) {
	for name, send := range map[string]func(http.ResponseWriter){
		"before its header": func(http.ResponseWriter) {},
		"behind its header": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"within its body":   func(w http.ResponseWriter) { io.WriteString(w, "some bytes") },
	} {
		t.Run(name, func(t *testing.T) {
			address := source(t, func(w http.ResponseWriter, r *http.Request) {
				if send(w); name != "before its header" {
					http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			im := &Importer{Patience: 50 * time.Millisecond}
			o, err := im.fetch(ctx, address)
			if err == nil {
				defer o.body.Close()
				_, err = io.ReadAll(whole{o.body})
			}
			if !errors.Is(err, file.ErrStorageRead) || !strings.Contains(err.Error(), "sent nothing for 50ms") {
				t.Error(err)
			}
		})
	}
}

// While the store takes the bytes, the source waits: that is no standstill of the source.
func TestSourceThatWaitsForTheStore(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 8<<20) // more than connections hold
	address := source(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(content) })
	im := &Importer{Patience: time.Second}
	o, err := im.fetch(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer o.body.Close()
	if _, err := io.ReadFull(o.body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if stopped := o.body.(*patientBody).watch.Stop(); stopped {
		t.Error("time runs between two reads")
	}
	if rest, err := io.ReadAll(o.body); err != nil || len(rest) != len(content)-10 {
		t.Error(len(rest), err)
	}
}

// at serves a URL at a loopback address of its own.
func at(t *testing.T, ip string, answer http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: answer}}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// A public source can't have the importer read what is in its own network, and a source in that network can.
func TestRedirectsToPrivateAddresses(t *testing.T) {
	const public = "127.0.0.2" // is taken for a public address
	secret := source(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secret") })
	var here string
	redirect := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/inside":
			http.Redirect(w, r, secret, http.StatusFound)
		case "/name":
			http.Redirect(w, r, strings.Replace(secret, "127.0.0.1", "localhost", 1), http.StatusFound)
		case "/own":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/twice":
			http.Redirect(w, r, here+"/inside", http.StatusFound)
		default:
			io.WriteString(w, "mine")
		}
	}
	here = at(t, public, redirect)
	near := source(t, redirect)
	bySource := newBySource(nil, func(a netip.Addr) bool { return a.String() == public })
	im := &Importer{http: &http.Client{Transport: bySource}}
	for address, want := range map[string]string{here + "/inside": "", here + "/name": "", here + "/twice": "",
		here + "/own": "mine", near + "/inside": "secret", near + "/own": "mine"} {
		o, err := im.fetch(t.Context(), address)
		if err != nil {
			if want != "" || !errors.Is(err, errPrivate) || errors.Is(err, file.ErrUnavailable) { // or it would be tried again
				t.Errorf("%s: %v", address, err)
			}
			continue
		}
		if b, err := io.ReadAll(o.body); string(b) != want || err != nil {
			t.Errorf("%s: %q %v, want %q", address, b, err, want)
		}
		o.body.Close()
	}
}

func TestPrivateAddresses(t *testing.T) {
	for address, public := range map[string]bool{"93.184.216.34": true, "2606:2800:220:1::1": true, "127.0.0.1": false,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "::1": false, "::": false, "fe80::1": false,
		"fd00::1": false, "::ffff:127.0.0.1": false, "::ffff:100.64.0.1": false, "::ffff:93.184.216.34": true} {
		if got := isPublic(netip.MustParseAddr(address)); got != public {
			t.Errorf("%s: %t", address, got)
		}
	}
}

// taking is a store that takes any part.
type taking struct {
	Objects
	parts int
}

func (s *taking) PutPart(context.Context, file.Location, file.Multipart, int32, io.ReadSeeker, int64) (file.Part,
	error) {
	s.parts++
	return file.Part{Size: 1}, nil
}

// A source is not believed that it has any number of bytes: it would get the memory for parts of such a file.
func TestSourceThatBoasts(t *testing.T) {
	im := &Importer{Objects: &taking{}}
	for _, size := range []int64{storage.MaxObject + 1, 99_999_999_999_999_999, math.MaxInt64} {
		o := openedSource{Object: storage.Object{Size: size}, body: io.NopCloser(strings.NewReader("abc"))}
		if _, err := im.stream(t.Context(), o, file.Location{}, ""); !errors.Is(err, file.ErrTooLarge) {
			t.Errorf("%d: %v", size, err)
		}
	}
	o := openedSource{Object: storage.Object{Size: storage.MaxObject}, body: io.NopCloser(strings.NewReader("abc"))}
	if _, err := im.stream(t.Context(), o, file.Location{}, ""); !errors.Is(err, file.ErrStorageRead) {
		t.Error(err) // the rest does not come
	}
}

// A source of unknown length that would need more parts than a store takes is refused before it is all sent.
func TestSourceOfUnknownLength(t *testing.T) {
	for _, c := range []struct {
		bytes int
		ok    bool
	}{{storage.MaxParts, true}, {storage.MaxParts + 1, false}} {
		s := &taking{}
		im := &Importer{Objects: s}
		body := bytes.NewReader(make([]byte, c.bytes-1)) // behind the first, which was read
		parts, err := im.parts(t.Context(), body, make([]byte, 1), file.Location{}, file.Multipart{})
		if (err == nil) != c.ok || err != nil && !errors.Is(err, file.ErrTooLarge) || s.parts != storage.MaxParts {
			t.Errorf("%d bytes: %d parts, %d were sent, %v", c.bytes, len(parts), s.parts, err)
		}
	}
}
