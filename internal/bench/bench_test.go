// Package bench measures Holdfast beside its own S3 store: the same bytes through the
// service, and put there and got from there directly, in one run.
package bench

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/s3test"
	"holdfast/storage"
)

const size = 1 << 30

// pattern is the content, without taking a gigabyte of memory: a random mebibyte again
// and again.
type pattern struct {
	block []byte
	pos   int64
}

func newPattern() *pattern {
	p := &pattern{block: make([]byte, 1<<20)}
	rand.Read(p.block)
	return p
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.pos >= size {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), size-p.pos)], p.block[p.pos%int64(len(p.block)):])
	p.pos += int64(n)
	return n, nil
}

func (p *pattern) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.pos
	case io.SeekEnd:
		offset += size
	}
	p.pos = offset
	return offset, nil
}

// service is the real program on a store of its own.
func service(b *testing.B, env ...string) (base, token string, pid int) {
	bin := filepath.Join(b.TempDir(), "holdfast")
	if out, err := exec.Command("go", "build", "-o", bin, "holdfast").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	data := b.TempDir()
	env = append(env, "PORT=0", "DATA_DIR="+data, "EXAMPLE_DIR="+data, "MAX_FILE_SIZE="+strconv.Itoa(2*size))
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() && base == "" {
		if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == "uploads" {
			base = strings.TrimSuffix(f[1], "/tus/")
		}
	}
	create := exec.Command(bin, "token", "create", "--user", "1", "--account", "1")
	create.Env = cmd.Env
	text, err := create.Output()
	if err != nil {
		b.Fatal(err)
	}
	return base, strings.TrimSpace(string(text)), cmd.Process.Pid
}

func upload(b *testing.B, base, token string, body io.Reader) string {
	do := func(method, url string, body io.Reader, want int, header ...string) *http.Response {
		r, _ := http.NewRequest(method, url, body)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Tus-Resumable", "1.0.0")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != want {
			text, _ := io.ReadAll(resp.Body)
			b.Fatalf("%s: %s %s", method, resp.Status, text)
		}
		return resp
	}
	at := do("POST", base+"/tus/", nil, 201, "Upload-Length", strconv.Itoa(size)).Header.Get("Location")
	return do("PATCH", at, body, 204, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream").Header.Get("Content-Location")
}

func download(b *testing.B, url, token string) {
	r, _ := http.NewRequest("GET", url, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		b.Fatal(n, err)
	}
}

// peak is the largest resident memory a process ever had, in MiB.
func peak(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		b.Fatal(err)
	}
	return float64(kib) / 1024
}

func rate(since time.Time) float64 { return size / 1e6 / time.Since(since).Seconds() }

// BenchmarkBesideS3 sends and fetches 1 GiB through the service over a second S3 server,
// and puts and gets the same at that server directly.
func BenchmarkBesideS3(b *testing.B) {
	s := s3test.Start(b)
	base, token, pid := service(b, "STORAGE_TYPE=s3", "S3_ENDPOINT="+s.Endpoint, "S3_ACCESS_KEY="+s.AccessKey, "S3_SECRET_KEY="+s.SecretKey, "S3_REGION="+s.Region)
	direct := storage.New(storage.Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Signing: storage.Unsigned})
	defer direct.Close()
	for b.Loop() {
		at := file.Location{Bucket: "direct-1", Key: string(file.NewID())}
		start := time.Now()
		if _, err := direct.Put(b.Context(), at, file.DefaultType, newPattern(), size); err != nil {
			b.Fatal(err)
		}
		put := rate(start)
		start = time.Now()
		body, err := direct.Open(b.Context(), at, "", 0, size)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, body)
		body.Close()
		get := rate(start)
		start = time.Now()
		url := upload(b, base, token, newPattern())
		up := rate(start)
		start = time.Now()
		download(b, url, token)
		down := rate(start)
		b.ReportMetric(put, "put-MB/s")
		b.ReportMetric(get, "get-MB/s")
		b.ReportMetric(up, "upload-MB/s")
		b.ReportMetric(down, "download-MB/s")
		b.ReportMetric(up/put, "upload/put")
		b.ReportMetric(down/get, "download/get")
		b.ReportMetric(peak(b, pid), "peak-MiB")
	}
}

// BenchmarkEmbedded is the same over the store that the service brings along: every
// acknowledged byte is flushed to the disk.
func BenchmarkEmbedded(b *testing.B) {
	base, token, pid := service(b)
	for b.Loop() {
		start := time.Now()
		url := upload(b, base, token, newPattern())
		b.ReportMetric(rate(start), "upload-MB/s")
		start = time.Now()
		download(b, url, token)
		b.ReportMetric(rate(start), "download-MB/s")
		b.ReportMetric(peak(b, pid), "peak-MiB")
	}
}
