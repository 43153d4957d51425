package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/auth"
	"holdfast/config"
	"holdfast/db"
	"holdfast/edge"
	"holdfast/file"
)

// announce prints the URLs of the service.
func (s *server) announce(ctx context.Context, stdout io.Writer) error {
	c, token := s.config, ""
	if c.Postgres == nil && c.Storage.Type == config.Embedded && c.Mode != config.Production && c.Mode != config.Staging {
		var err error
		if token, err = devToken(ctx, s.deps.Rows, c.DataDir); err != nil {
			return err
		}
	}
	var text strings.Builder
	fmt.Fprintln(&text, "Holdfast is ready")
	if edge.HasExample(c.ExampleDir) {
		page, fragment := c.TLS.Scheme()+"://"+s.reachable()+"/", ""
		if token != "" {
			fragment = "#token=" + token
		}
		fmt.Fprintf(&text, "  page      %s%s\n", page, fragment)
	}
	fmt.Fprintf(&text, "  uploads   %s/tus/\n", s.base)
	fmt.Fprintf(&text, "  data      %s\n", c.DataDir)
	if token != "" {
		fmt.Fprintf(&text, "  token     %s   (user 1, account 1)\n", token)
	}
	_, err := io.WriteString(stdout, text.String()) // in one write: scripts read it while it is written
	return err
}

// devToken returns the token of user 1 in account 1 that is stored in dir for trying the service out. It creates a new
// one if none is in force.
func devToken(ctx context.Context, rows *db.DB, dir string) (string, error) {
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
	text, err := auth.IssueToken(ctx, rows, file.Token{Name: "dev", UserID: 1, AccountID: 1})
	if err != nil {
		return "", err
	}
	// The file is created anew: one that others could read would keep its mode.
	os.Remove(path)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("development token: %w", err)
	}
	return text, nil
}
