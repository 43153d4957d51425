package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/test/s3test"
)

// signedPart is a PUT that the service has signed.
type signedPart struct {
	Number  int64             `json:"number"`
	Size    int64             `json:"size"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
}

// sign has the service sign parts of an upload of this content.
func (s *server) sign(t *testing.T, at string, content []byte, numbers ...int) []signedPart {
	t.Helper()
	var list []string
	for _, n := range numbers {
		part := content[(n-1)*8*mebi : min(n*8*mebi, len(content))]
		h := crc32.NewIEEE()
		h.Write(part)
		list = append(list, fmt.Sprintf(`{"number":%d,"crc32":%q}`, n, base64.StdEncoding.EncodeToString(h.Sum(nil))))
	}
	a := s.do(t, "POST", at+"/parts", `{"parts":[`+strings.Join(list, ",")+`]}`)
	var got struct{ Parts []signedPart }
	if err := json.Unmarshal(a.body, &got); err != nil || a.status != 200 || len(got.Parts) != len(numbers) {
		t.Fatalf("%v %v", a, err)
	}
	return got.Parts
}

// send sends a part to the store, without our token.
func (p signedPart) send(t *testing.T, body []byte) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, p.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range p.Headers {
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// beginDirect begins a direct upload and returns its URL.
func (s *server) beginDirect(t *testing.T, size int, more string) string {
	t.Helper()
	a := s.do(t, "POST", "/files/direct/", fmt.Sprintf(`{"name":"a.bin","checksum":"crc32","size":%d%s}`, size, more))
	if a.status != 201 {
		t.Fatal(a)
	}
	return a.header.Get("Location")
}

// sendDirect sends all parts of an upload.
func (s *server) sendDirect(t *testing.T, at string, content []byte) {
	t.Helper()
	for n := 1; (n-1)*8*mebi < len(content); n++ {
		part := content[(n-1)*8*mebi : min(n*8*mebi, len(content))]
		if status := s.sign(t, at, content, n)[0].send(t, part); status != 200 {
			t.Fatalf("part %d: %d", n, status)
		}
	}
}

// A file goes to the store past the service, which is killed in the middle, and comes back by the service. No URL is in
// the log.
func TestDirect(t *testing.T) {
	t.Parallel()
	s := start(t, append(objectStore(s3test.Start(t)), "UPLOAD_DIRECT=on")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(20 * mebi)
	sum := sha256.Sum256(content)
	for _, claim := range []string{"", `,"sha256":"` + hex.EncodeToString(sum[:]) + `"`} {
		at := s.beginDirect(t, len(content), claim)
		parts := s.sign(t, at, content, 1, 2, 3)
		parts[2].send(t, content[16*mebi:])
		s.kill9()
		s.restart()
		there := s.do(t, "GET", at, nil)
		if !strings.Contains(string(there.body), `"sent":[{"number":3,"size":4194304,`) {
			t.Fatal(there)
		}
		for i := range 2 { // with the URLs of the process that was killed
			if status := parts[i].send(t, content[i*8*mebi:(i+1)*8*mebi]); status != 200 {
				t.Fatal(status)
			}
		}
		for range 2 {
			done := s.do(t, "POST", at+"/complete", nil)
			if done.status != 201 || !strings.HasSuffix(done.header.Get("Location"), path.Base(at)) {
				t.Fatal(done)
			}
			if claim != "" && done.header.Get("Repr-Digest") == "" {
				t.Error("no digest of a claimed file: ", done)
			}
		}
		file := "/files/" + path.Base(at)
		got := s.do(t, "GET", file, nil)
		if got.status != 200 || !bytes.Equal(got.body, content) {
			t.Fatalf("%d, %d bytes", got.status, len(got.body))
		}
		tag := got.header.Get("ETag")
		s.eventually("the SHA-256 is known", func() bool {
			known := s.do(t, "HEAD", file, nil).header.Get("Repr-Digest")
			return known == "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":"
		})
		// Whoever has begun to download before that can go on.
		if rest := s.do(t, "GET", file, nil, "If-Match: "+tag, "Range: bytes=-10"); rest.status != 206 ||
			rest.header.Get("ETag") != tag || (claim != "") != (tag == `"`+hex.EncodeToString(sum[:])+`"`) {
			t.Errorf("the file had the ETag %s: %v", tag, rest)
		}
	}
	log, err := os.ReadFile(s.log)
	if err != nil || bytes.Contains(log, []byte("X-Amz-")) || bytes.Contains(log, []byte("uploadId")) {
		t.Errorf("the log has signed URLs (%v)", err)
	}
}

// Every answer of the endpoint that its description promises.
func TestDirectAnswers(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, slices.Concat(objectStore(s3test.Start(t)), d.tokens(),
		[]string{"UPLOAD_DIRECT=on", "MAX_FILE_SIZE=1000"})...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	bob := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	big := d.guest(3000000000, 1) + "|Authorization: -"
	open, done, wrong := s.beginDirect(t, 5, ""), s.beginDirect(t, 5, ""),
		s.beginDirect(t, 5, `,"sha256":"`+strings.Repeat("0", 64)+`"`)
	s.sendDirect(t, done, []byte("bytes"))
	s.sendDirect(t, wrong, []byte("bytes"))
	at := func(u string) string { return "/files/direct/" + path.Base(u) }
	const one, asXML, sendXML = `{"parts":[{"number":1}]}`, "Accept: application/xml", "|Content-Type: application/xml"
	lines := []line{
		{"GET", "/files/direct/", anonymous, "", 200, "", `"checksum":"crc32"`},
		{"POST", "/files/direct/?name=a&size=5&checksum=crc32", asXML, "", 201, "", "<InitiateMultipartUploadResult>"},
		{"POST", "/files/direct/", "", "{", 400, "VAL_003", ""},
		{"POST", "/files/direct/", "", `{"size":1}`, 400, "VAL_003", "checksum must be"},
		{"POST", "/files/direct/", big, `{"size":1,"checksum":"crc32"}`, 403, "PERM_001", ""},
		{"POST", "/files/direct/", "", `{"size":1001,"checksum":"crc32"}`, 413, "FILE_003", ""},
		{"POST", "/files/direct/", "", `{"size":0,"checksum":"crc32"}`, 422, "VAL_001", ""},
		{"POST", at(open) + "/parts", "", "{}", 400, "VAL_003", ""},
		{"POST", at(open) + "/complete", "", "{", 400, "VAL_003", ""},
		{"POST", at(open) + "/complete", "", "", 409, "UPLOAD_015", "Part 1 is missing"},
		{"POST", at(done) + "/complete", asXML + sendXML, "", 201, "", "<CompleteMultipartUploadResult>"},
		{"GET", at(done), asXML, "", 200, "", "<ListPartsResult>"},
		{"GET", at(done), "", "", 200, "", `"state":"done"`},
		{"POST", at(done) + "/parts", "", one, 409, "UPLOAD_001", ""},
		{"DELETE", at(done), "", "", 409, "UPLOAD_001", ""},
		{"POST", at(wrong) + "/complete", "", "", 422, "UPLOAD_007", ""},
		{"PUT", at(open), "", "", 405, "VAL_006", "Allow: DELETE, GET"},
		{"DELETE", at(open), "", "", 204, "", ""},
	}
	for _, verb := range []string{"GET ", "POST /parts", "POST /complete", "DELETE "} {
		method, behind, _ := strings.Cut(verb, " ")
		lines = append([]line{
			{method, at(open) + behind, anonymous, "", 401, "AUTH_001", ""},
			{method, at(open) + behind, bob, "", 403, "FILE_002", ""},
			{method, "/files/direct/unknown" + behind, "", "", 404, "FILE_001", ""},
		}, lines...)
	}
	s.check(t, append(lines, line{"POST", "/files/direct/", anonymous, `{"size":1}`, 401, "AUTH_001", ""}))
}

// Where it is not offered, and where an upload has expired.
func TestDirectIsNotThere(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.check(t, []line{
		{"GET", "/files/direct/", anonymous, "", 404, "FILE_001", "/files/tus/"},
		{"POST", "/files/direct/", "", `{"size":1}`, 404, "FILE_001", "/files/tus/"},
	})
	short := start(t, append(objectStore(s3test.Start(t)), "UPLOAD_DIRECT=on", "UPLOAD_TTL=1s")...)
	short.token = short.run("token", "create", "--user", "1", "--account", "1")
	at := short.beginDirect(t, 5, "")
	short.eventually("it expires", func() bool { return short.do(t, "GET", at, nil).status == http.StatusGone })
	for _, verb := range []string{"POST /parts", "POST /complete", "DELETE "} {
		method, behind, _ := strings.Cut(verb, " ")
		if a := short.do(t, method, at+behind, nil); a.status != http.StatusGone {
			t.Errorf("%s: %v", verb, a)
		}
	}
}

// Two replicas: what is begun at one goes on and is completed at the other, and both at once.
func TestDirectAtTwoReplicas(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	settings := append(servers(b.pg, b.s3), "UPLOAD_DIRECT=on")
	one, two := start(t, settings...), start(t, settings...)
	one.token = one.run("token", "create", "--user", "1", "--account", "1")
	two.token = one.token
	content := random(9 * mebi)
	sum := sha256.Sum256(content)
	begun := one.beginDirect(t, len(content), `,"sha256":"`+hex.EncodeToString(sum[:])+`"`)
	at := "/files/direct/" + path.Base(begun)
	one.sign(t, at, content, 1)[0].send(t, content[:8*mebi])
	two.sign(t, at, content, 2)[0].send(t, content[8*mebi:])
	answers := make(chan answer)
	for _, s := range []*server{one, two, one, two} {
		go func() { a, _ := s.ask("POST", at+"/complete", nil); answers <- a }()
	}
	for range 4 {
		if a := <-answers; a.status != 201 {
			t.Error(a)
		}
	}
	if got := two.do(t, "GET", "/files/"+path.Base(begun), nil); !bytes.Equal(got.body, content) {
		t.Errorf("%d, %d bytes", got.status, len(got.body))
	}
}

// A store that clients can't send parts to safely ends the start, by name; "store cors" shows and sets the buckets'
// rules.
func TestDirectNeedsTheStore(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	s := start(t, append(objectStore(s3), "UPLOAD_DIRECT=on", "PUBLIC_URL=https://files.example.org/files")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	s.sendDirect(t, "/files/direct/"+path.Base(s.beginDirect(t, 5, "")), []byte("bytes"))
	if said := s.run("store", "cors"); !strings.Contains(said, bucket+": as it should be") {
		t.Error(said)
	}
	moved := newServer(t, append(objectStore(s3), "PUBLIC_URL=https://new.example.org/files")...)
	out, err := moved.command("store", "cors").CombinedOutput()
	if err == nil || !strings.Contains(string(out), bucket+": allowed are: https://files.example.org") {
		t.Errorf("%s %v", out, err)
	}
	if said := moved.run("store", "cors", "--set"); !strings.Contains(said, bucket+": as it should be") {
		t.Error(said)
	}
	plain := newServer(t, "UPLOAD_DIRECT=on")
	out, err = plain.command("serve").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "UPLOAD_DIRECT") {
		t.Errorf("%s %v", out, err)
	}
}

// "holdfast upload --direct" sends files past the service, and by tus what can't go that way. The next run goes on
// with an upload whose run was killed: what the store has is not sent again.
func TestUploadDirectCommand(t *testing.T) {
	t.Parallel()
	s := start(t, append(objectStore(s3test.Start(t)), "UPLOAD_DIRECT=on")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(40*mebi + 5)
	name, empty := filepath.Join(t.TempDir(), "film.mp4"), filepath.Join(t.TempDir(), "empty.txt")
	if err := errors.Join(os.WriteFile(name, content, 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	upload := func(files ...string) *exec.Cmd {
		cmd := s.command(append([]string{"upload", "--direct", "--url", s.base, "--token", s.token}, files...)...)
		cmd.Env = append(slices.Clone(cmd.Env), "XDG_STATE_HOME="+filepath.Join(s.folder, "state"))
		return cmd
	}
	out, err := upload(name, empty).Output()
	urls := strings.Fields(string(out))
	if err != nil || len(urls) != 2 {
		t.Fatalf("%s %v", out, err)
	}
	for i, want := range [][]byte{content, nil} {
		if got := s.do(t, "GET", urls[i], nil); got.status != 200 || !bytes.Equal(got.body, want) {
			t.Errorf("%s: %d, %d bytes", urls[i], got.status, len(got.body))
		}
	}
	if n := s.metric("holdfast_upload_received_bytes_total"); n != float64(len(content)) {
		t.Errorf("%v bytes are counted", n)
	}

	for range 5 { // it may be done before it is killed
		if noted := s.killUpload(upload(name)); noted != "" {
			out, err = upload(name).Output()
			if url := strings.TrimSpace(string(out)); err != nil || path.Base(url) != path.Base(noted) {
				t.Errorf("%s is not what became of %s (%v)", out, noted, err)
			}
			return
		}
	}
	t.Error("it was never killed in time")
}

// killUpload kills an upload of the command line after it has begun, and returns the URL that it has noted; empty: it
// was done before.
func (s *server) killUpload(cmd *exec.Cmd) string {
	s.t.Helper()
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	var noted []byte
	s.eventually("the upload is noted", func() bool {
		saved, _ := filepath.Glob(filepath.Join(s.folder, "state", "holdfast", "uploads", "*"))
		if len(saved) > 0 {
			noted, _ = os.ReadFile(saved[0])
		}
		select {
		case <-ended:
			return true
		default:
			return len(noted) > 0
		}
	})
	_ = cmd.Process.Kill()
	<-ended
	saved, _ := filepath.Glob(filepath.Join(s.folder, "state", "holdfast", "uploads", "*"))
	if len(saved) == 0 {
		return ""
	}
	return strings.TrimSpace(string(noted))
}
