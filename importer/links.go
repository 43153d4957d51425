package importer

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast/file"
)

// LinkRows finds the files that old objects have become. Package db documents the method.
type LinkRows interface {
	Imported(ctx context.Context, sources []string) (map[string]file.ID, error)
	Known(ctx context.Context, ids []string) (map[string]file.ID, error)
}

// Links rewrites links to objects of an old store, https://host/bucket/key, into links to the
// files they have become, base/id. A key may be written as it is, with spaces, or escaped.
//
// A link is rewritten if its object was imported (s3://bucket/key in a manifest), or if its
// bucket is one of Kept, whose keys became ids as they are. All else stays, byte for byte.
type Links struct {
	Rows LinkRows
	// Hosts of the old store, such as storage.googleapis.com. The bucket may stand before it.
	Hosts []string
	Kept  []string // buckets
	Base  string   // URL under which files are seen, without a trailing slash
	// Reserved reports the ids whose addresses are the service's own: a link to one would not lead to the file.
	Reserved func(file.ID) bool

	// Left counts the links that stay, since they name no file: each as it is written, up to where
	// a key without spaces ends.
	Left map[string]int
}

// Change is one link that was rewritten.
type Change struct{ Old, New string }

// maxLink is the greatest length of bucket and key, in bytes.
const maxLink = 3 * 1024

// A key may end before these characters, and before punctuation if the sentence ends there, so that "report" is not
// found in "report.pdf". Keys may contain all of them: the longest known key wins.
const (
	ends  = " \t\r\n\"'<>()[]{}|\\^`#*?"
	marks = ".,;:!"
)

// isEnd reports whether a key may end where rest begins.
func isEnd(rest string) bool {
	after := strings.TrimLeft(rest, marks)
	for _, entity := range []string{"&quot;", "&#", "&lt;", "&gt;"} { // in HTML
		if strings.HasPrefix(after, entity) {
			return true
		}
	}
	return after == "" || strings.ContainsRune(ends, rune(after[0])) && (len(after) == len(rest) || after[0] != '?')
}

// Rewrite returns text with its links rewritten.
func (l *Links) Rewrite(ctx context.Context, text string) (string, []Change, error) {
	var out strings.Builder
	var changes []Change
	done := 0
	for _, m := range l.pattern().FindAllStringSubmatchIndex(text, -1) {
		if m[0] < done {
			continue // inside the previous link
		}
		rest := m[1]
		bucket := text[max(m[2], 0):max(m[3], 0)] // https://bucket.host/
		if m[2] < 0 {
			bucket = text[m[4]:m[5]] // https://host/bucket/
		}
		id, length, err := l.find(ctx, bucket, text[rest:])
		if err != nil {
			return "", nil, err
		}
		if length == 0 {
			l.keep(text[m[0]:rest], text[rest:])
			continue
		}
		end := rest + length + len(query(text[rest+length:]))
		link := id.URL(l.Base)
		out.WriteString(text[done:m[0]] + link)
		changes = append(changes, Change{text[m[0]:end], link})
		done = end
	}
	out.WriteString(text[done:])
	return out.String(), changes, nil
}

// keep counts a link that is not rewritten.
func (l *Links) keep(prefix, text string) {
	text = text[:min(len(text), maxLink)]
	end := len(text)
	if i := strings.IndexAny(text, ends); i >= 0 {
		end = i
	}
	if l.Left == nil {
		l.Left = make(map[string]int)
	}
	l.Left[strings.ToValidUTF8(prefix+strings.TrimRight(text[:end], marks), "")]++
}

// pattern matches what precedes a key. Its groups are the bucket before the host and the bucket after it.
func (l *Links) pattern() *regexp.Regexp {
	hosts := make([]string, len(l.Hosts))
	for i, h := range l.Hosts {
		hosts[i] = regexp.QuoteMeta(h)
	}
	host := "(?:" + strings.Join(hosts, "|") + ")"
	const bucket = `[a-z0-9][a-z0-9._-]*`
	return regexp.MustCompile(`https?://(?:(` + bucket + `)\.` + host + `|` + host + `/(` + bucket + `))/`)
}

// find reads the longest key that text begins with and that is known.
func (l *Links) find(ctx context.Context, bucket, text string) (id file.ID, length int, err error) {
	// A key ends at the end of the line at the latest.
	line, _, _ := strings.Cut(text, "\n")
	line = line[:min(len(line), maxLink)]
	var keys []string
	lengths := map[string]int{}
	for end := range len(line) + 1 {
		if end == 0 || !isEnd(line[end:]) || end == maxLink {
			continue
		}
		for _, key := range spellings(line[:end]) {
			if lengths[key] = end; !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	found, err := l.lookup(ctx, bucket, keys)
	if err != nil {
		return "", 0, err
	}
	for key, as := range found {
		if lengths[key] > length {
			id, length = as, lengths[key]
		}
	}
	if l.Reserved(id) {
		return "", 0, nil
	}
	return id, length, nil
}

// spellings are the keys that a link may mean: as written, and unescaped.
func spellings(written string) []string {
	if !utf8.ValidString(written) || strings.ContainsRune(written, 0) {
		return nil
	}
	keys := []string{written}
	plain, err := url.PathUnescape(written)
	if err == nil && plain != written && utf8.ValidString(plain) && !strings.ContainsRune(plain, 0) {
		keys = append(keys, plain)
	}
	return keys
}

func (l *Links) lookup(ctx context.Context, bucket string, keys []string) (map[string]file.ID, error) {
	sources := make([]string, len(keys))
	for i, k := range keys {
		sources[i] = "s3://" + bucket + "/" + k
	}
	imported, err := l.Rows.Imported(ctx, sources)
	if err != nil {
		return nil, err
	}
	found := make(map[string]file.ID)
	if slices.Contains(l.Kept, bucket) {
		if found, err = l.Rows.Known(ctx, keys); err != nil {
			return nil, err
		}
	}
	for source, id := range imported {
		found[strings.TrimPrefix(source, "s3://"+bucket+"/")] = id
	}
	return found, nil
}

// query matches the query of a signed link, which is dropped.
func query(text string) string {
	if !strings.HasPrefix(text, "?") {
		return ""
	}
	if end := strings.IndexAny(text, " \t\r\n\"'<>()[]{}|\\^`"); end >= 0 {
		text = text[:end]
	}
	// A question mark after a link may end the sentence.
	return strings.TrimRight(text, "?.,;:!")
}
