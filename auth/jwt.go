package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"holdfast/file"
)

// guestTokens verifies the signed tokens of guests, which Django makes: only JWTs (RFC 7519)
// with HMAC-SHA256 under this key.
type guestTokens []byte

func (guestTokens) verifies() {}

func (key guestTokens) find(_ context.Context, token string) (bearer, error) {
	claims, err := verify(token, []string{"HS256"}, func(*jwt.Token) (any, error) { return []byte(key), nil })
	if err != nil {
		return bearer{}, err
	}
	if claims["token_type"] != "Guest" {
		return bearer{}, fmt.Errorf("not a guest's token: %w", file.ErrNotFound)
	}
	f, err := identity(claims, "user_id", "account_id")
	f.who.Kind = file.KindGuest
	return f, err
}

// verify checks a JWT: it must be signed with one of these methods, have an exp that has not
// passed, and neither iat nor nbf may be in the future.
func verify(token string, methods []string, key jwt.Keyfunc, more ...jwt.ParserOption) (jwt.MapClaims, error) {
	if err := readStrictly(token); err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	// Numbers are kept as text: a float would take one large id for another.
	options := append([]jwt.ParserOption{jwt.WithValidMethods(methods), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithJSONNumber()}, more...)
	_, err := jwt.NewParser(options...).ParseWithClaims(token, claims, key)
	switch {
	case errors.Is(err, file.ErrUnavailable):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", file.ErrNotFound, err)
	}
	return claims, nil
}

// identity reads user and account from the claims with these names.
func identity(claims jwt.MapClaims, user, account string) (bearer, error) {
	who := file.Identity{Kind: file.KindUser, UserID: claimedID(claims[user]), AccountID: claimedID(claims[account])}
	if who.UserID == 0 || who.AccountID == 0 {
		return bearer{}, fmt.Errorf("no user and account in the token: %w", file.ErrNotFound)
	}
	end, err := claims.GetExpirationTime()
	if err != nil || end == nil {
		return bearer{}, fmt.Errorf("no expiry: %w", file.ErrNotFound)
	}
	return bearer{who, end.Time}, nil
}

// claimedID reads an id: a whole number above 0, as a number or as a string of digits. It
// returns 0 for anything else.
func claimedID(claim any) int64 {
	var text string
	switch claim := claim.(type) {
	case json.Number:
		text = string(claim)
	case string:
		text = claim
	}
	if strings.Trim(text, "0123456789") != "" {
		return 0 // ParseInt would accept signs, too
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
