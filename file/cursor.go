package file

import (
	"encoding/base64"
	"encoding/json"
	"time"
)

// Cursor is a position in a list of files, which are ordered by when they were created and by their id. It
// stays where it is when the file that it was taken from is deleted. The zero Cursor is the beginning.
type Cursor struct {
	// Created is the time as the database writes it: two databases that write it differently also compare it
	// differently.
	Created string
	ID      ID
}

// createdLayouts are the forms that a database may write a time in.
var createdLayouts = []string{"2006-01-02 15:04:05.999999999-07:00", time.DateTime, time.RFC3339Nano}

// Time is Created as a point in time.
func (c Cursor) Time() (t time.Time, err error) {
	for _, layout := range createdLayouts {
		if t, err = time.Parse(layout, c.Created); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}

// String encodes the cursor for clients, to whom it is opaque.
func (c Cursor) String() string {
	b, err := json.Marshal([]string{c.Created, string(c.ID)})
	if err != nil { // can't happen with two strings
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor decodes the output of String. It returns false for any other text.
func ParseCursor(s string) (c Cursor, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	var parts []string
	if err != nil || json.Unmarshal(b, &parts) != nil || len(parts) != 2 {
		return Cursor{}, false
	}
	id, err := ParseID(parts[1])
	c = Cursor{Created: parts[0], ID: id}
	if _, bad := c.Time(); bad != nil || err != nil {
		return Cursor{}, false
	}
	return c, true
}
