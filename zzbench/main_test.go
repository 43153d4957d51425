package zzbench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"holdfast/internal/s3test"
)

const size = 1 << 30

func cpu(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	u, _ := strconv.Atoi(f[11])
	s, _ := strconv.Atoi(f[12])
	return float64(u+s) / 100
}

func self() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

func Test(t *testing.T) {
	s := s3test.Start(t)
	dir := t.TempDir()
	bin := filepath.Join(dir, "holdfast")
	if out, err := exec.Command("go", "build", "-o", bin, "holdfast").CombinedOutput(); err != nil {
		t.Fatal(string(out))
	}
	const port = "18765"
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "PORT="+port, "DATA_DIR="+dir+"/d", "CONFIG=Testing", "ADMIN_ADDR=off", "MAX_FILE_SIZE=2000000000", "STORAGE_TYPE=s3", "S3_ENDPOINT="+s.Endpoint,
		"S3_ACCESS_KEY="+s.AccessKey, "S3_SECRET_KEY="+s.SecretKey, "S3_REGION=us-east-1", "PERMISSION_CACHE_TTL=10m", "EXAMPLE_DIR=/nowhere")
	cmd.Start()
	t.Cleanup(func() { cmd.Process.Kill() })
	time.Sleep(2 * time.Second)
	tk := exec.Command(bin, "token", "create", "--user", "1", "--account", "1")
	tk.Env = cmd.Env
	out, err := tk.Output()
	if err != nil {
		t.Fatal(err, string(out))
	}
	token := strings.TrimSpace(string(out))
	base := "http://127.0.0.1:" + port + "/files"
	r, _ := http.NewRequest("POST", base+"/tus/", nil)
	h := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token); r.Header.Set("Tus-Resumable", "1.0.0") }
	h(r)
	r.Header.Set("Upload-Length", strconv.Itoa(size))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	blk := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(blk)
	pr, pw := io.Pipe()
	go func() {
		for range size >> 20 {
			pw.Write(blk)
		}
		pw.Close()
	}()
	r, _ = http.NewRequest("PATCH", res.Header.Get("Location"), pr)
	h(r)
	r.ContentLength = size
	r.Header.Set("Upload-Offset", "0")
	r.Header.Set("Content-Type", "application/offset+octet-stream")
	res, err = http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != 204 {
		t.Fatal(err, res)
	}
	file := res.Header.Get("Content-Location")
	key := file[strings.LastIndex(file, "/")+1:]
	c := s3.New(s3.Options{BaseEndpoint: aws.String(s.Endpoint), Region: s.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""), HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}})
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	cl := &http.Client{Transport: tr}
	buf := func() []byte { return make([]byte, 256<<10) }
	direct := func(rg string) {
		in := &s3.GetObjectInput{Bucket: aws.String("pneumatic-dev-test-1"), Key: &key}
		if rg != "" {
			in.Range = &rg
		}
		o, err := c.GetObject(context.Background(), in)
		if err != nil {
			t.Error(err)
			return
		}
		io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{o.Body}, buf())
		o.Body.Close()
	}
	ours := func(rg string) {
		r, _ := http.NewRequest("GET", file, nil)
		h(r)
		if rg != "" {
			r.Header.Set("Range", rg)
		}
		res, err := cl.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{res.Body}, buf())
		res.Body.Close()
		if res.StatusCode >= 300 {
			t.Error(res.Status)
		}
	}
	for round := range 2 {
		for _, x := range []struct {
			name string
			f    func(string)
		}{{"direct", direct}, {"ours", ours}} {
			p0, s0, t0 := cpu(cmd.Process.Pid), self(), time.Now()
			x.f("")
			d := time.Since(t0).Seconds()
			fmt.Printf("%d 1GiB %-7s %7.0f MB/s  service CPU %.2fs client CPU %.2fs\n", round, x.name, size/1e6/d, cpu(cmd.Process.Pid)-p0, self()-s0)
		}
		for _, x := range []struct {
			name string
			f    func(string)
		}{{"direct", direct}, {"ours", ours}} {
			var n atomic.Int64
			var wg sync.WaitGroup
			p0, s0, t0 := cpu(cmd.Process.Pid), self(), time.Now()
			for range 16 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for time.Since(t0) < 3*time.Second {
						o := rand.IntN(size/65536) * 65536
						x.f(fmt.Sprintf("bytes=%d-%d", o, o+65535))
						n.Add(1)
					}
				}()
			}
			wg.Wait()
			d := time.Since(t0).Seconds()
			k := float64(n.Load())
			fmt.Printf("%d ranges %-7s %7.0f/s  service CPU %.0fus client CPU %.0fus each\n", round, x.name, k/d, (cpu(cmd.Process.Pid)-p0)/k*1e6, (self()-s0)/k*1e6)
		}
	}
}
