package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
)

// alembic is the schema that the Python service's migrations leave.
const alembic = `
create table alembic_version (version_num varchar(32) not null, constraint alembic_version_pkc primary key
(version_num));
insert into alembic_version values ('5ba2db086f1a');
create table files (
    file_id varchar not null, size bigint not null, content_type varchar not null, filename varchar not null,
    user_id integer, account_id integer not null, created_at timestamp with time zone default now() not null,
    primary key (file_id)
);
create index ix_files_account_id on files (account_id);
create index ix_files_user_id on files (user_id);`

// old is a file of the Python service.
type old struct {
	id, name string
	size     int // as in its row
	content  []byte
}

// adopted is the database and the store of a Python service.
type adopted struct {
	backing
	conn  *pgx.Conn
	store *s3.Client
}

func startAdopted(t *testing.T) adopted {
	t.Helper()
	b := startBacking(t)
	conn, err := pgx.Connect(t.Context(), b.pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), alembic); err != nil {
		t.Fatal(err)
	}
	store := b.store()
	if _, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	return adopted{b, conn, store}
}

// insert stores an object, and a row with the seven old columns, as Django does.
func (p adopted) insert(t *testing.T, f old) {
	t.Helper()
	p.put(t, bucket, f.id, f.content)
	if _, err := p.conn.Exec(t.Context(), `insert into files (file_id, size, content_type, filename, user_id, account_id,
		created_at) values ($1, $2, 'text/plain', $3, 1, 1, now())`, f.id, f.size, f.name); err != nil {
		t.Fatal(err)
	}
}

// Holdfast replaces the Python service: it uses its database unchanged, with the rows that Django's migration wrote,
// and those that Django still writes.
func TestAdoptingThePythonServicesData(t *testing.T) {
	t.Parallel()
	p := startAdopted(t)
	content := random(300_000)
	files := []old{
		{"6ba7b810-9dad-41d1-80b4-00c04fd430c8", "right.txt", len(content), content},
		{"zero_size.txt", "zero.txt", 0, content},
		{"too small", "small.txt", 7, content},
		{"too large", "large.txt", 999_999_999, content},
		{"100%25 Отчёт (1).txt", "Отчёт.txt", 0, content},
		{strings.Repeat(strings.Repeat("k", 127)+"/", 3) + strings.Repeat("k", 128), "512.txt", 0, content},
		{"empty", "empty.txt", 5, nil},
	}
	for _, f := range files {
		p.insert(t, f)
	}
	s := newServer(t, servers(p.pg, p.s3)...)
	s.launch()
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	late := old{"django-goes-on.txt", "late.txt", 0, content}
	p.insert(t, late)
	for _, f := range append(files, late) {
		s.servesOld(t, p, f)
	}
	s.opensNested(t, files[5].id)

	// If the Python service came back, it could read the row that Holdfast writes.
	url, _ := s.upload(t, content)
	id := url[strings.LastIndexByte(url, '/')+1:]
	if n := p.number(t, `select count(*) from files where file_id = $1 and size = 300000 and user_id = 1 and account_id = 1
		and created_at > now() - interval '1 hour'`, id); n != 1 {
		t.Error("the row of a new file is not as it should be")
	}
	if n := p.number(t, `select count(*) from alembic_version where version_num = '5ba2db086f1a'`); n != 1 {
		t.Error("alembic's table was touched")
	}
	// Deleting a file deletes its object too.
	if a := s.do(t, "DELETE", s.base+"/zero_size.txt", nil); a.status != 204 {
		t.Fatal(a)
	}
	s.eventually("the object is gone", func() bool {
		_, err := p.store.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket),
			Key: aws.String("zero_size.txt")})
		return err != nil
	})
	s.stop()
	s.restart() // the migrations are not done twice
	s.holds(t, s.base+"/"+late.id, content)
}

// servesOld checks that an old file is served whole, with its name and in ranges, and that its row has its true size.
func (s *server) servesOld(t *testing.T, p adopted, f old) {
	t.Helper()
	at := s.base + "/" + url.PathEscape(f.id)
	s.holds(t, at, f.content)
	h := s.do(t, "HEAD", at, nil)
	if h.header.Get("Content-Length") != fmt.Sprint(len(f.content)) ||
		!strings.HasSuffix(h.header.Get("Content-Disposition"), "; filename*=utf-8''"+url.PathEscape(f.name)) {
		t.Errorf("%.40s: %v", f.id, h)
	}
	if len(f.content) > 0 {
		if a := s.do(t, "GET", at, nil, "Range: bytes=299990-"); a.status != 206 ||
			!bytes.Equal(a.body, f.content[299_990:]) {
			t.Errorf("the end of %.40s: %v", f.id, a)
		}
	}
	if n := p.number(t, `select size from files where file_id = $1`, f.id); n != len(f.content) {
		t.Errorf("%.40s: the row still says %d", f.id, n)
	}
}
