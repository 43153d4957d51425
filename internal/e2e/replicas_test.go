package e2e

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// pair is two replicas: programs that share only a PostgreSQL and an S3 server.
type pair struct {
	backing
	a, b *server
}

func startPair(t *testing.T, env ...string) *pair {
	t.Helper()
	p := &pair{backing: startBacking(t)}
	env = append(servers(p.pg, p.s3), env...)
	p.a, p.b = start(t, env...), start(t, env...)
	p.a.token = p.a.run("token", "create", "--user", "1", "--account", "1")
	p.b.token = p.a.token
	return p
}

// begin creates an upload at a, and returns its path, which is the same at both replicas.
func (p *pair) begin(t *testing.T, size int) string {
	t.Helper()
	return strings.TrimPrefix(p.a.create(t, size), strings.TrimSuffix(p.a.base, "/files"))
}

// takenOver checks the answer to a request whose upload another request took over.
func takenOver(t *testing.T, in *bufio.Reader) {
	t.Helper()
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusConflict {
		t.Errorf("the request that was taken over got %v %v, want 409", res, err)
	}
}

// Every request of an upload goes to another replica than the one before it.
func TestReplicasInTurn(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	content := random(20*mebi + 1000)
	at := p.begin(t, len(content))
	here, there := p.b, p.a
	offset := 0
	// Tails, a part made of tails and a body, parts alone, one byte.
	for _, end := range []int{300000, mebi, 10 * mebi, 10*mebi + 1, 19 * mebi, len(content)} {
		if n := here.offset(t, at); n != offset {
			t.Fatalf("the offset is %d here, the other replica answered %d", n, offset)
		}
		a := here.patch(t, at, offset, content[offset:end])
		if a.status != 204 || a.header.Get("Upload-Offset") != strconv.Itoa(end) {
			t.Fatalf("PATCH from %d to %d: %v", offset, end, a)
		}
		offset = end
		here, there = there, here
	}
	url := strings.Replace(at, "/tus/", "/", 1)
	p.a.holds(t, url, content)
	p.b.holds(t, url, content)
	if a := here.do(t, "DELETE", url, nil); a.status != 204 {
		t.Errorf("DELETE: %v", a)
	}
	if a := there.do(t, "GET", url, nil); a.status != 404 {
		t.Errorf("GET after DELETE at the other replica: %v", a)
	}
}

// A slow PATCH runs at one replica, and the client continues at the other one. The first replica is alive and renews
// its lease, so the second gets the upload only because it asked the first one to release it.
func TestReplicaAsksTheOther(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	content := random(20 * mebi)
	at := p.begin(t, len(content))
	if a := p.b.patch(t, at, 0, content[:mebi]); a.status != 204 {
		t.Fatalf("first chunk: %v", a)
	}
	_, slow := p.a.stallAt(t, at, mebi, content[mebi:2*mebi])
	if n := p.b.offset(t, at); n != 2*mebi {
		t.Errorf("HEAD at the other replica: %d, %d bytes came", n, 2*mebi)
	}
	takenOver(t, slow)

	// A PATCH takes over as well. It starts at the last offset that the client knows, which is too low by now.
	_, slow = p.b.stallAt(t, at, 2*mebi, content[2*mebi:11*mebi])
	if a := p.a.patch(t, at, 2*mebi, content[2*mebi:3*mebi]); a.status != 409 || a.code() != "UPLOAD_001" {
		t.Errorf("PATCH at the other replica: %v, want 409", a)
	}
	takenOver(t, slow)
	if n := p.a.offset(t, at); n != 11*mebi {
		t.Errorf("HEAD at the other replica: %d, %d bytes came", n, 11*mebi)
	}

	_, slow = p.a.stallAt(t, at, 11*mebi, content[11*mebi:12*mebi])
	if a := p.b.do(t, "DELETE", at, nil); a.status != 204 {
		t.Errorf("DELETE at the other replica: %v", a)
	}
	if res, err := http.ReadResponse(slow, nil); err == nil && res.StatusCode < 400 {
		t.Errorf("the PATCH of a deleted upload got %v", res.Status)
	}
	if a := p.a.do(t, "HEAD", at, nil); a.status != 404 {
		t.Errorf("HEAD after DELETE: %v", a)
	}
}

// A replica dies in the middle of a PATCH, with the lease. The other one waits until the lease has expired, and
// continues with everything that was ever answered.
func TestReplicaDies(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	content := random(20 * mebi)
	at := p.begin(t, len(content))
	if a := p.b.patch(t, at, 0, content[:mebi]); a.status != 204 {
		t.Fatalf("first chunk: %v", a)
	}
	p.a.stallAt(t, at, mebi, content[mebi:3*mebi])
	p.a.kill9()
	p.b.goesOn(t, at, mebi, content)
	p.a.restart()
	p.a.holds(t, strings.Replace(at, "/tus/", "/", 1), content)
}

// A replica freezes in the middle of a PATCH, for longer than its lease lasts, and then continues: it has lost the
// lease without knowing it, and changes nothing.
func TestReplicaStandsStill(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	content := random(20 * mebi)
	at := p.begin(t, len(content))
	if a := p.b.patch(t, at, 0, content[:mebi]); a.status != 204 {
		t.Fatalf("first chunk: %v", a)
	}
	late, in := p.a.stallAt(t, at, mebi, content[mebi:3*mebi])
	p.a.process.Signal(syscall.SIGSTOP)
	defer p.a.process.Signal(syscall.SIGCONT)
	if _, err := late.Write(make([]byte, 1000)); err != nil { // all it waits for, and not the file's
		t.Fatal(err)
	}
	var n int
	p.b.eventually("the other replica gets the upload", func() bool {
		a := p.b.do(t, "HEAD", at, nil)
		n, _ = strconv.Atoi(a.header.Get("Upload-Offset"))
		return a.status == 200
	})
	if n < mebi || n > 3*mebi {
		t.Fatalf("HEAD at the other replica: %d", n)
	}
	if a := p.b.patch(t, at, n, content[n:9*mebi]); a.status != 204 {
		t.Fatalf("PATCH at the other replica: %v", a)
	}
	p.a.process.Signal(syscall.SIGCONT)
	if res, err := http.ReadResponse(in, nil); err == nil && res.StatusCode < 400 {
		t.Errorf("the PATCH of a replica that had lost its lease got %v", res.Status)
	}
	if n := p.a.offset(t, at); n != 9*mebi {
		t.Errorf("the offset is %d, %d bytes were answered", n, 9*mebi)
	}
	p.a.goesOn(t, at, 9*mebi, content)
}
