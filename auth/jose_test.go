package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"holdfast/file"
)

// A token is refused despite its right signature if its header demands an extension that is
// not supported, if it is of another type, or if it can be read in two ways.
func TestStrictTokens(t *testing.T) {
	raw := func(header, payload string) string {
		unsigned := b64([]byte(header)) + "." + b64([]byte(payload))
		mac, err := jwt.SigningMethodHS256.Sign(unsigned, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return unsigned + "." + b64(mac)
	}
	end := time.Now().Add(time.Hour).UTC().Format(`"exp":20060102150405`) // a number in the far future
	by := NewSigned(SignedOptions{Secret: []byte(secret), UserClaim: "user_id", AccountClaim: "account_id"})
	claims := `{` + end + `,"user_id":7,"account_id":3}`
	for _, c := range []struct {
		header, payload string
		good            bool
	}{
		{`{"alg":"HS256"}`, claims, true},
		{`{"alg":"HS256","typ":"JWT"}`, claims, true},
		{`{"alg":"HS256","typ":"jwt"}`, claims, true},
		{`{"alg":"HS256","typ":"at+jwt"}`, claims, true},
		{`{"alg":"HS256","typ":"application/at+jwt"}`, claims, true},
		{`{"alg":"HS256","typ":"logout+jwt"}`, claims, false},
		{`{"alg":"HS256","typ":"dpop+jwt"}`, claims, false},
		{`{"alg":"HS256","typ":7}`, claims, false},
		{`{"alg":"HS256","crit":["foo"],"foo":1}`, claims, false},
		{`{"alg":"HS256","crit":["exp"]}`, claims, false},
		{`{"alg":"HS256","crit":[]}`, claims, false},
		{`{"alg":"HS256","crit":null}`, claims, false},
		{`{"alg":"HS256","b64":false}`, claims, false},
		{`{"alg":"HS256","alg":"HS256"}`, claims, false},
		{`{"alg":"none","alg":"HS256"}`, claims, false},
		{`{"alg":"HS256"}`, `{` + end + `,"user_id":1,"account_id":3,"user_id":7}`, false},
		{`{"alg":"HS256"}`, `{` + end + `,"user_id":1,"account_id":3,"us\u0065r_id":7}`, false},
		{`{"alg":"HS256"}`, `{"user_id":7,"account_id":3}`, false},
		{`["HS256"]`, claims, false},
	} {
		f, err := by.find(t.Context(), raw(c.header, c.payload))
		if c.good != (err == nil) || c.good && f.who.UserID != 7 || !c.good && !errors.Is(err, file.ErrNotFound) {
			t.Errorf("%s %s: %+v, %v", c.header, c.payload, f.who, err)
		}
	}
}
