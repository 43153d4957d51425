// Package admin is what an operator runs beside the service.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"holdfast/auth"
	"holdfast/file"
)

// TokenRows keeps tokens in SQL.
type TokenRows interface {
	CreateToken(ctx context.Context, t file.Token) error
	Token(ctx context.Context, hash []byte) (file.Token, error)
	Tokens(ctx context.Context) ([]file.Token, error)
	RevokeToken(ctx context.Context, id string) error
}

// NewToken makes a token for whom t says, or for a service if t names no user, and returns
// its text, which is kept nowhere.
func NewToken(ctx context.Context, rows TokenRows, t file.Token) (string, error) {
	text := auth.NewToken()
	t.ID, t.Hash = string(file.NewID())[:8], auth.Hash(text)
	return text, rows.CreateToken(ctx, t)
}

// DevToken returns the token of user 1 in account 1 that lies in dir for whoever tries
// the service out, and makes one if there is none in force.
func DevToken(ctx context.Context, rows TokenRows, dir string) (string, error) {
	path := filepath.Join(dir, "dev-token")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("development token: %w", err)
	}
	if text := strings.TrimSpace(string(b)); text != "" {
		_, err := rows.Token(ctx, auth.Hash(text))
		if err == nil {
			return text, nil
		}
		if !errors.Is(err, file.ErrNotFound) {
			return "", err
		}
	}
	text, err := NewToken(ctx, rows, file.Token{Name: "dev", UserID: 1, AccountID: 1})
	if err != nil {
		return "", err
	}
	// Anew, so that a file that others could read does not keep its mode.
	os.Remove(path)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("development token: %w", err)
	}
	return text, nil
}

// ListTokens prints all tokens, without their texts.
func ListTokens(ctx context.Context, rows TokenRows, w io.Writer, now time.Time) error {
	tokens, err := rows.Tokens(ctx)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tNAME\tUSER\tACCOUNT\tGROUPS\tCREATED\tEXPIRES\tSTATE")
	for _, k := range tokens {
		state, expires := "in force", "never"
		if !k.ExpiresAt.IsZero() {
			expires = k.ExpiresAt.Format(time.RFC3339)
			if k.ExpiresAt.Before(now) {
				state = "expired"
			}
		}
		if !k.RevokedAt.IsZero() {
			state = "revoked " + k.RevokedAt.Format(time.RFC3339)
		}
		user := "service"
		if k.UserID != 0 {
			user = strconv.FormatInt(k.UserID, 10)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", k.ID, k.Name, user, k.AccountID, strings.Join(k.Groups, ","), k.CreatedAt.Format(time.RFC3339), expires, state)
	}
	return t.Flush()
}
