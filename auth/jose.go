package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/file"
)

// readStrictly refuses tokens that the JWT library would accept. It runs before anything in a token is used:
//
//   - a header with crit, whatever it names: no critical extension is supported (RFC 7515,
//     4.1.11); and one with b64, which changes what was signed (RFC 7797),
//   - a typ other than that of a JWT or an access token (RFC 8725, 3.11): a provider signs
//     other tokens with the same keys, such as logout tokens,
//   - duplicate names, which other parsers may read differently (RFC 7515, 4; RFC 7519, 4).
func readStrictly(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return fmt.Errorf("%d parts: %w", len(parts), file.ErrNotFound)
	}
	header, err := members(parts[0])
	if err == nil {
		_, err = members(parts[1])
	}
	if err != nil {
		return fmt.Errorf("%w: %w", file.ErrNotFound, err)
	}
	for _, name := range []string{"crit", "b64"} {
		if _, there := header[name]; there {
			return fmt.Errorf("header %s: %w", name, file.ErrNotFound)
		}
	}
	if typ, there := header["typ"]; there {
		name, _ := typ.(string)
		name = strings.TrimPrefix(strings.ToLower(name), "application/")
		if !slices.Contains([]string{"jwt", "at+jwt"}, name) {
			return fmt.Errorf("of type %q: %w", typ, file.ErrNotFound)
		}
	}
	return nil
}

// members reads a JSON object in base64url. Duplicate names are an error.
func members(part string) (map[string]any, error) {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, errors.New("no JSON object")
	}
	all := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		if _, twice := all[key]; twice {
			return nil, errors.New("duplicate name")
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		all[key] = value
	}
	return all, nil
}
