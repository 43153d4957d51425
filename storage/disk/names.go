package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"

	"holdfast/file"
)

const hexDigits = "0123456789abcdef"

// maxName is the longest encoded name, in bytes; file systems allow 255.
const maxName = 200

// encode turns a text into a file name. Different texts have different names, even on a file system that ignores case
// or the form of accented letters: only lowercase ASCII letters, digits and a few marks stand for themselves. A text
// that would be too long gets a name that ends with longMark and its SHA-256, which decode can't reverse.
func encode(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	if b.Len() <= maxName {
		return b.String()
	}
	sum := sha256.Sum256([]byte(text))
	return b.String()[:maxName-2*len(sum)] + longMark + hex.EncodeToString(sum[:])
}

// longMark occurs in no name that encodes its whole text.
const longMark = "~"

// decode returns the text that a file name encodes; false if encode made no such name, or shortened the text.
func decode(name string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		c, err := hex.DecodeString(name[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	text := b.String()
	return text, encode(text) == name
}

func isLong(name string) bool { return strings.Contains(name, longMark) }

// shardOf returns the start of a key, which is the folder of its object, so that no folder has all objects of a
// bucket: two bytes, or everything up to the first slash and two more bytes.
func shardOf(key string) string {
	const length, longest = 2, 20
	slash := strings.IndexByte(key[:min(longest, len(key))], '/') + 1
	return key[:min(slash+length, len(key))]
}

// rootOf returns the folder of the store in a data folder.
func rootOf(dataDir string) string { return filepath.Join(dataDir, "store") }

func (s *Store) bucket(name string) string { return filepath.Join(s.root, "buckets", encode(name)) }

// object returns the path of an object.
func (s *Store) object(at file.Location) string {
	return filepath.Join(s.bucket(at.Bucket), "objects", encode(shardOf(at.Key)), encode(at.Key))
}

// upload returns the path of the record of a multipart upload.
func (s *Store) upload(bucket, id string) string {
	return filepath.Join(s.bucket(bucket), "uploads", id)
}

// parts returns the folder of the parts of a multipart upload.
func (s *Store) parts(bucket, id string) string { return filepath.Join(s.bucket(bucket), "parts", id) }

func (s *Store) trash(bucket string) string { return filepath.Join(s.bucket(bucket), "trash") }
