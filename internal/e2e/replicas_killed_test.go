package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/test/proxytest"
	"holdfast/internal/test/testproc"
	"holdfast/storage"
)

// Settings of TestReplicasKilled, for looking for a fault.
const (
	seedSetting    = "HOLDFAST_TEST_SEED"    // of sizes, clients and times; a new one for each run if empty
	clientsSetting = "HOLDFAST_TEST_CLIENTS" // which of allClients
	allClients     = "tus uppy tus-parallel uppy-parallel tus-draft"
)

// Two replicas stand behind nginx, which gives each request to the next one. tus-js-client
// and Uppy send 200 files, with and without parallel uploads, while one replica after the
// other is killed with -9 and started again. Every file arrives, and is what was sent.
func TestReplicasKilled(t *testing.T) {
	t.Parallel()
	const uploads, kills = 200, 12
	seed := testSeed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	public := fmt.Sprintf("http://127.0.0.1:%d/files", port)
	p := startPair(t, "PUBLIC_URL="+public)
	proxytest.Nginx(t, port, p.a.port, p.b.port)
	front := &server{t: t, base: public, token: p.a.token}

	clients, said := startClients(t, front, seed, uploads)
	killed := 0
	for alive(clients) && killed < kills {
		select {
		case <-clients.Done():
			continue
		case <-time.After(time.Second/2 + time.Duration(r.Int64N(int64(2*time.Second)))):
		}
		victim := []*server{p.a, p.b}[killed%2]
		victim.kill9()
		killed++
		time.Sleep(time.Duration(r.Int64N(int64(time.Second))))
		victim.restart()
	}
	if err := clients.Err(); err != nil {
		t.Fatalf("the clients: %v\n%s", err, testproc.LogTail(said+".err"))
	}
	files := arrived(t, said)
	unknown := front.keeps(t, files)
	t.Logf("%d kills, %d files arrived, %d files that no client knows, %d uploads begun", killed, len(files), unknown,
		p.number(t, `select count(*) from uploads`))
	if len(files) != uploads {
		t.Errorf("%d files arrived, %d were sent", len(files), uploads)
	}
	p.settles(t)
	p.matches(t)
}

func alive(p *testproc.Process) bool {
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

func testSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano()) % 1e9
	if s := os.Getenv(seedSetting); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 32); err != nil {
			t.Fatalf("%s: %v", seedSetting, err)
		}
	}
	t.Logf("%s=%d gives the same files and times", seedSetting, seed)
	return seed
}

// startClients starts the program with the clients, which ends by itself. The path is that
// of what it says; what went wrong is beside it, in .err.
func startClients(t *testing.T, front *server, seed uint64, uploads int) (*testproc.Process, string) {
	t.Helper()
	web, err := filepath.Abs(filepath.Join("..", "..", "web-example"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(web, "node_modules", "tus-js-client")); err != nil {
		t.Fatal("the clients are not installed: run `make page`")
	}
	clients := os.Getenv(clientsSetting)
	if clients == "" {
		clients = allClients
	}
	said := filepath.Join(testproc.TempFolder(t, "holdfast-e2e-clients"), "said")
	cmd := exec.Command("node", filepath.Join("test", "many-uploads.mjs"))
	cmd.Dir = web
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(said), "NODE_NO_WARNINGS=1",
		"TUS_ENDPOINT=" + front.base + "/tus/", "TUS_TOKEN=" + front.token, "TUS_CLIENTS=" + clients,
		"TUS_SEED=" + strconv.FormatUint(seed, 10), "TUS_UPLOADS=" + strconv.Itoa(uploads), "TUS_LIMIT=240"}
	out, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	problem, err := os.Create(said + ".err")
	if err != nil {
		t.Fatal(err)
	}
	defer problem.Close()
	cmd.Stdout, cmd.Stderr = out, problem
	process, err := testproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop(syscall.SIGKILL, patience) })
	return process, said
}

// arrived returns the SHA-256 of each file that the clients report as uploaded, by URL.
func arrived(t *testing.T, said string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var f struct{ URL, SHA256 string }
		if err := d.Decode(&f); err != nil {
			t.Fatal(err)
		}
		if _, twice := files[f.URL]; twice {
			t.Errorf("two uploads ended as %s", f.URL)
		}
		files[f.URL] = f.SHA256
	}
	return files
}

// settles waits until no upload has all its bytes and no record. A client that lost the answer may have begun another
// upload and never come back: then the sweep finishes the first one, once the lease of the dead replica has expired.
func (p *pair) settles(t *testing.T) {
	t.Helper()
	const complete = `select count(*) from uploads where state in ('open', 'completing', 'stored')
		and not deferred and committed_offset = size and not partial`
	if p.number(t, complete) == 0 {
		return
	}
	const dead = `select count(*) from uploads where lease_until > extract(epoch from clock_timestamp()) * 1000`
	p.a.eventually("the leases of the dead are over", func() bool { return p.number(t, dead) == 0 })
	p.a.stop()
	p.sweep(t)
	p.a.restart()
	p.a.eventually("no upload has all its bytes and no record", func() bool { return p.number(t, complete) == 0 })
}

// matches compares rows and objects: each record has its object, of its size; each object
// has a row that leads to it.
func (p *pair) matches(t *testing.T) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), p.pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	sizes := map[string]int64{} // of objects, by key
	written := map[string]time.Time{}
	for _, o := range p.objects(t) {
		sizes[*o.Key], written[*o.Key] = *o.Size, *o.LastModified
	}
	rows, err := c.Query(t.Context(), `select file_id, size, object_key from files`)
	if err != nil {
		t.Fatal(err)
	}
	records, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		ID   string
		Size int64
		Key  string
	}])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if size, ok := sizes[r.Key]; !ok || size != r.Size {
			t.Errorf("file %s of %d bytes: its object is there: %v, with %d bytes", r.ID, r.Size, ok, size)
		}
	}
	unnamed := 0
	for key := range sizes {
		if storage.IsProbe(key) {
			continue // a replica was killed before it removed it; the sweep will
		}
		id, tail, err := storage.Owner(key)
		if err != nil || p.number(t, `select count(*) from uploads where id = $1`, id) == 0 {
			t.Errorf("no row leads to the object %s of %d bytes, written %s; of it the replicas logged:\n%s", key, sizes[key],
				written[key].Format(time.RFC3339), linesWith(p.a.logged()+p.b.logged(), string(id)))
		} else if tail && p.number(t, `select count(*) from upload_tails where upload_id = $1 and object_key = $2`, id,
			key) == 0 {
			unnamed++ // its key leads to the row
		}
	}
	t.Logf("%d records; %d objects, %d of them tails that a replica left when it was killed; %d multipart uploads are "+
		"open",
		len(records), len(sizes), unnamed, len(p.multiparts(t)))
}

func linesWith(text, part string) (found string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			found += line
		}
	}
	return found
}
