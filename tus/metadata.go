package tus

import (
	"encoding/base64"
	"strings"

	"holdfast/file"
)

// maxMetadata is the longest Upload-Metadata header taken, in bytes.
const maxMetadata = 4096

// parseMetadata parses an Upload-Metadata header (tus 1.0.0, Creation): pairs of a key and a base64 value, separated
// by commas. A value may be missing. A malformed pair is file.ErrInvalid: to skip it, as some servers do, would lose
// the file's name.
func parseMetadata(header string) (map[string]string, error) {
	if len(header) > maxMetadata {
		return nil, file.Refuse(file.ErrInvalid, "Upload-Metadata has %d bytes, %d are allowed", len(header), maxMetadata)
	}
	pairs := make(map[string]string)
	for element := range strings.SplitSeq(header, ",") {
		element = strings.TrimSpace(element)
		if element == "" {
			continue // empty elements of a list are ignored (RFC 9110, 5.6.1)
		}
		key, encoded, _ := strings.Cut(element, " ")
		for _, r := range key {
			if r <= ' ' || r > '~' {
				return nil, file.Refuse(file.ErrInvalid, "Upload-Metadata: the key %q is not plain ASCII", key)
			}
		}
		if _, twice := pairs[key]; twice {
			return nil, file.Refuse(file.ErrInvalid, "Upload-Metadata: the key %q is given twice", key)
		}
		value, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(encoded, " "))
		if err != nil {
			return nil, file.Refuse(file.ErrInvalid, "Upload-Metadata: the value of %q is not base64", key)
		}
		pairs[key] = string(value)
	}
	return pairs, nil
}

// first returns the first value that is not empty under one of the keys: clients use different keys for the name and
// the type.
func first(pairs map[string]string, keys ...string) string {
	for _, k := range keys {
		if v := pairs[k]; v != "" {
			return v
		}
	}
	return ""
}
