package importer

import (
	"bufio"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"holdfast/file"
	"holdfast/storage"
)

// Item is one file of a manifest.
type Item struct {
	Account int64
	User    int64 // 0: none
	// Source is s3://bucket/key, an http or https URL, or a path in the folder.
	Source  string
	ID      file.ID   // empty: it follows from the source
	Name    string    // empty: the last segment of the source
	Type    string    // empty: what the source says
	Created time.Time // zero: what the source says
	SHA256  []byte    // nil: not known
	Size    int64     // bytes; -1: not known
}

// Faults are the errors in a manifest, each with its line.
type Faults []error

func (f Faults) Error() string { return "the manifest is wrong:\n" + errors.Join(f...).Error() }

// maxFaults is how many are reported.
const maxFaults = 20

const (
	// maxLine is the longest line of JSON, in bytes.
	maxLine = 64 << 10
	// maxSource is the longest source, in bytes: PostgreSQL keeps sources in an index, whose entries have 2704 at most.
	maxSource = 2680
)

// columns are the columns of a manifest; account and a source are required.
var columns = []string{"account", "user", "source", "bucket", "key", "url", "path", "id", "name", "type", "created",
	"sha256", "size"}

// ReadManifest calls each for every file of a manifest: CSV with a line of column names, or JSON Lines, which begin
// with "{". Wrong lines are collected as Faults, and each is not called for them. An error of each ends the
// reading. reserved reports the ids that no file may have.
func ReadManifest(r io.Reader, reserved func(file.ID) bool, each func(Item) error) error {
	in := bufio.NewReader(r)
	first, err := in.Peek(1)
	if errors.Is(err, io.EOF) {
		return Faults{errors.New("it is empty")}
	} else if err != nil {
		return err
	}
	m := &reading{reserved: reserved, each: each}
	read := m.readCSV
	if first[0] == '{' {
		read = m.readJSON
	}
	if err := read(in); err != nil {
		return err
	}
	if len(m.faults) > 0 {
		return m.faults
	}
	return nil
}

// reading is a manifest that is being read.
type reading struct {
	reserved func(file.ID) bool
	each     func(Item) error
	faults   Faults
}

// wrong collects the fault of a line; an error if there are enough.
func (m *reading) wrong(line int, err error) error {
	m.faults = append(m.faults, fmt.Errorf("line %d: %w", line, err))
	if len(m.faults) == maxFaults {
		return m.faults
	}
	return nil
}

// ends ends the reading with a fault after which no line can be told from the next.
func (m *reading) ends(err error) error { return append(m.faults, err) }

func (m *reading) item(line int, fields map[string]string) error {
	it, err := parseItem(fields)
	if m.reserved(it.ID) {
		err = errors.Join(err, fmt.Errorf("%q can't be an id: that address is one of the service's own", it.ID))
	}
	if err != nil {
		return m.wrong(line, err)
	}
	return m.each(it)
}

func (m *reading) readCSV(in io.Reader) error {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return m.ends(err)
	}
	names := slices.Clone(head)
	names[0] = strings.TrimPrefix(names[0], "\ufeff") // which spreadsheets write
	for _, n := range names {
		if !slices.Contains(columns, n) {
			return m.ends(fmt.Errorf("line 1: the column %q is not one of %s", n, strings.Join(columns, ", ")))
		}
	}
	for {
		values, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, csv.ErrFieldCount) {
			line, _ := r.FieldPos(0)
			err = m.wrong(line, fmt.Errorf("%w: %d, not %d", csv.ErrFieldCount, len(values), len(names)))
			if err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return m.ends(err)
		}
		fields := make(map[string]string)
		for i, v := range values {
			fields[names[i]] = v
		}
		line, _ := r.FieldPos(0)
		if err := m.item(line, fields); err != nil {
			return err
		}
	}
}

func (m *reading) readJSON(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		fields, err := fieldsOf(lines.Text())
		if err != nil {
			err = m.wrong(n, err)
		} else {
			err = m.item(n, fields)
		}
		if err != nil {
			return err
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		err = m.ends(fmt.Errorf("a line has more than %d bytes", maxLine))
	}
	return err
}

// fieldsOf returns the fields of a line of JSON.
func fieldsOf(line string) (map[string]string, error) {
	if !utf8.ValidString(line) { // encoding/json would put other characters there
		return nil, fmt.Errorf("it must be text in UTF-8, not %q", line)
	}
	var values map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&values); err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	for name, v := range values {
		switch v := v.(type) {
		case nil:
		case string, json.Number:
			fields[name] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("%s must be a text or a number", name)
		}
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("%q is not one of %s", name, strings.Join(columns, ", "))
		}
	}
	return fields, nil
}

func parseItem(f map[string]string) (it Item, err error) {
	it.Size = -1
	for name, v := range f {
		if !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
			err = errors.Join(err, fmt.Errorf("%s must be text in UTF-8 without control characters, not %q", name, v))
		}
	}
	number := func(name string, least, most, otherwise int64) int64 {
		if f[name] == "" {
			return otherwise
		}
		n, e := strconv.ParseInt(f[name], 10, 64)
		if e != nil || n < least || n > most {
			err = errors.Join(err, fmt.Errorf("%s must be a number of at least %d and at most %d, not %q", name, least, most,
				f[name]))
		}
		return n
	}
	it.Account, it.User = number("account", 1, file.MaxNumber, 0), number("user", 1, file.MaxNumber, 0)
	it.Size = number("size", 0, storage.MaxObject, -1)
	if f["account"] == "" {
		err = errors.Join(err, errors.New("account is needed"))
	}
	var e error
	if it.Source, e = parseSource(f); e != nil {
		err = errors.Join(err, e)
	}
	if f["id"] != "" {
		if it.ID, e = file.ParseID(f["id"]); e != nil {
			err = errors.Join(err, fmt.Errorf("%q can't be an id", f["id"]))
		}
	}
	if f["created"] != "" {
		if it.Created, e = time.Parse(time.RFC3339, f["created"]); e != nil || !file.ValidTime(it.Created) {
			err = errors.Join(err, fmt.Errorf("created must be a time of the years 1 to 9999, such as 2024-05-31T12:00:00Z, "+
				"not %q", f["created"]))
		}
	}
	if f["sha256"] != "" {
		if it.SHA256, e = hex.DecodeString(f["sha256"]); e != nil || len(it.SHA256) != sha256.Size {
			err = errors.Join(err, fmt.Errorf("sha256 must have %d hex digits", 2*sha256.Size))
		}
	}
	it.Type, it.Name = f["type"], f["name"]
	if it.Name == "" {
		it.Name = lastSegment(it.Source)
	}
	if it.ID == "" {
		it.ID = idOf(it.Source, it.Account)
	}
	return it, err
}

// lastSegment is the name of a source's file.
func lastSegment(source string) string {
	if u, err := url.Parse(source); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		source = u.Path
	}
	return path.Base(strings.TrimRight(source, "/"))
}

// parseSource returns the source of a line, which must have exactly one.
func parseSource(f map[string]string) (string, error) {
	var given []string
	for _, name := range []string{"source", "url", "path"} {
		if f[name] != "" {
			given = append(given, f[name])
		}
	}
	if f["bucket"] != "" || f["key"] != "" {
		if f["bucket"] == "" || f["key"] == "" {
			return "", errors.New("bucket and key belong together")
		}
		given = append(given, "s3://"+f["bucket"]+"/"+f["key"])
	}
	if len(given) != 1 {
		return "", errors.New("one source is needed: source, or bucket and key, or url, or path")
	}
	if len(given[0]) > maxSource {
		return "", fmt.Errorf("the source has %d bytes, at most %d are possible", len(given[0]), maxSource)
	}
	if rest, s3 := strings.CutPrefix(given[0], "s3://"); s3 {
		if bucket, key, _ := strings.Cut(rest, "/"); bucket == "" || key == "" {
			return "", fmt.Errorf("%q must be s3://bucket/key", given[0])
		}
	}
	return given[0], nil
}

// idOf derives the id of a file from its source and account (a UUID, RFC 9562, version 8).
func idOf(source string, account int64) file.ID {
	b := sha256.Sum256(fmt.Appendf(nil, "holdfast import\n%d\n%s", account, source))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return file.ID(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]))
}
