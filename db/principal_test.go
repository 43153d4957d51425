package db

import (
	"strings"
	"testing"
	"time"

	"holdfast/file"
)

// Go and SQL agree for every two identities whether they are the same principal.
func TestSamePrincipal(t *testing.T) {
	all := []file.Identity{
		{},
		{AccountID: 1},
		{Kind: file.KindUser, UserID: 1, AccountID: 1},
		{Kind: file.KindGuest, UserID: 1, AccountID: 1},
		{Kind: file.KindUser, UserID: 1, AccountID: 1, Groups: []string{"staff"},
			Credential: file.NewCredential("Authorization", "Bearer x")},
		{Kind: file.KindUser, UserID: 1, AccountID: 2},
		{Kind: file.KindUser, UserID: 2, AccountID: 1},
		{Kind: file.KindUser, UserID: 2, AccountID: 1, Fingerprint: "f"},
		{Kind: file.KindPublic, AccountID: 1, Fingerprint: "f"},
		{Kind: file.KindService, AccountID: 1, Fingerprint: "f"},
		{Kind: file.KindPublic, AccountID: 1, Fingerprint: "g"},
		{Kind: file.KindPublic, AccountID: 2, Fingerprint: "f"},
		{Kind: file.KindPublic, AccountID: 1},
		{Kind: file.KindLink, File: "r"},
		{Kind: file.KindUser, UserID: 1 << 40, AccountID: 1 << 40},
	}
	each(t, func(t *testing.T, d *DB) {
		ids := make([]file.ID, len(all))
		for i, who := range all {
			ids[i] = file.NewID()
			noErr(t, d.CreateUpload(t.Context(), file.Upload{ID: ids[i], Creator: who, TTL: time.Hour}, "", 0))
		}
		same := 0
		for i, a := range all {
			for j, b := range all {
				var n int
				noErr(t, d.row(t.Context(), "test", `select count(*) from uploads where `+samePrincipal(1)+` and id = $4`,
					append(principal(a), ids[j]), &n))
				if a.Same(b) != (n == 1) || a.Same(b) != b.Same(a) {
					t.Errorf("%d and %d: %v in Go, %d in SQL", i, j, a.Same(b), n)
				}
				same += n
			}
		}
		if same < 5 || same > len(all)*len(all)/2 {
			t.Errorf("%d pairs are the same", same)
		}
	})
}

// Keys stored by an earlier version belong to the same principals.
func TestOldPrincipals(t *testing.T) {
	user := file.Identity{Kind: file.KindUser, UserID: 7, AccountID: 1}
	guest := file.Identity{Kind: file.KindGuest, UserID: 8, AccountID: 1}
	service := file.Identity{Kind: file.KindService, AccountID: 1, Fingerprint: "f"}
	each(t, func(t *testing.T, d *DB) {
		ids := map[string]file.ID{}
		old := map[string]string{"user:1:7": "a", "guest:1:8": "b", "service:1:f": "c", "guest:1:7": "a"}
		for owner, key := range old {
			u := file.Upload{ID: file.NewID(), Creator: user}
			noErr(t, d.CreateUpload(t.Context(), u, "holder", time.Minute))
			ids[owner] = u.ID
			_, err := d.exec(t.Context(), "test",
				`insert into idempotency_keys (owner, key, upload_id, expires) values ($1, $2, $3, {now} + 3600000)`, owner, key,
				u.ID)
			noErr(t, err)
		}
		text, err := migrations.ReadFile("migrations/00070_principals.sql")
		noErr(t, err)
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		_, err = d.sql.DB.ExecContext(t.Context(), up)
		noErr(t, err)
		for owner, who := range map[string]file.Identity{"user:1:7": user, "guest:1:8": guest, "service:1:f": service} {
			if u, err := d.Keyed(t.Context(), who, old[owner]); err != nil || u.ID != ids[owner] {
				t.Errorf("%s: %v, %v", owner, u, err)
			}
		}
	})
}
