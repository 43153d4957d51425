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

// alembic is what the Python service's migrations leave.
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

// old is a file that was there before us.
type old struct {
	id, name string
	size     int // as its row says
	content  []byte
}

// Holdfast takes the place of the Python service: on its database as it is, with what
// Django's migration put there, and what Django goes on to put there.
func TestAdoptingThePythonServicesData(t *testing.T) {
	t.Parallel()
	b := startBacking(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, b.pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(ctx, alembic); err != nil {
		t.Fatal(err)
	}
	store := b.store()
	if _, err := store.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	insert := func(f old) {
		t.Helper()
		if _, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(f.id),
			Body: bytes.NewReader(f.content)}); err != nil {
			t.Fatal(err)
		}
		// The seven old columns, as Django does it.
		if _, err := conn.Exec(ctx, `insert into files (file_id, size, content_type, filename, user_id, account_id,
			created_at)
			values ($1, $2, 'text/plain', $3, 1, 1, now())`, f.id, f.size, f.name); err != nil {
			t.Fatal(err)
		}
	}
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
		insert(f)
	}
	s := newServer(t, servers(b.pg, b.s3)...)
	s.launch()
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	late := old{"django-goes-on.txt", "late.txt", 0, content}
	insert(late)
	for _, f := range append(files, late) {
		at := s.base + "/" + url.PathEscape(f.id)
		s.holds(t, at, f.content)
		h := s.do(t, "HEAD", at, nil)
		if h.header.Get("Content-Length") != fmt.Sprint(len(f.content)) ||
			!strings.HasSuffix(h.header.Get("Content-Disposition"), "; filename*=utf-8''"+url.PathEscape(f.name)) {
			t.Errorf("%.40s: %v", f.id, h)
		}
		if len(f.content) > 0 {
			if a := s.do(t, "GET", at, nil, "Range: bytes=299990-"); a.status != 206 || !bytes.Equal(a.body, content[299_990:]) {
				t.Errorf("the end of %.40s: %v", f.id, a)
			}
		}
		if n := b.number(t, `select size from files where file_id = $1`, f.id); n != len(f.content) {
			t.Errorf("%.40s: the row still says %d", f.id, n)
		}
	}

	s.opensNested(t, files[5].id)

	// What Holdfast writes is what the Python service could read, should it come back.
	url, _ := s.upload(t, content)
	id := url[strings.LastIndexByte(url, '/')+1:]
	if n := b.number(t, `select count(*) from files where file_id = $1 and size = 300000 and user_id = 1 and account_id = 1
		and created_at > now() - interval '1 hour'`, id); n != 1 {
		t.Error("the row of a new file is not as it should be")
	}
	if n := b.number(t, `select count(*) from alembic_version where version_num = '5ba2db086f1a'`); n != 1 {
		t.Error("alembic's table was touched")
	}
	// Deleting one takes its object too.
	if a := s.do(t, "DELETE", s.base+"/zero_size.txt", nil); a.status != 204 {
		t.Fatal(a)
	}
	s.eventually("the object is gone", func() bool {
		_, err := store.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("zero_size.txt")})
		return err != nil
	})
	s.stop()
	s.restart() // the migrations are not done twice
	s.holds(t, s.base+"/"+late.id, content)
}
