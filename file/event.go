package file

import "time"

// EventKind is what happened.
type EventKind string

const (
	EventCreated  EventKind = "file.created"
	EventDeleted  EventKind = "file.deleted"
	EventExpired  EventKind = "upload.expired"  // it became no file in its time
	EventInfected EventKind = "upload.infected" // it became no file because of what is in it
	// EventUnscannable: it became no file, since nobody could look at all that is in it.
	EventUnscannable EventKind = "upload.unscannable"
)

// Event is something that happened to a file or an upload, and is to be told.
type Event struct {
	File    ID
	Kind    EventKind
	Payload string // JSON
	Tries   int    // that failed
	Reason  string // of the last failure
	Created time.Time
}

// Subject is what an event says of its file.
type Subject struct {
	ID        ID     `json:"file_id"`
	AccountID int64  `json:"account_id"`
	UserID    int64  `json:"user_id,omitempty"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256,omitempty"` // hex
	Reason    string `json:"reason,omitempty"` // of EventInfected and EventUnscannable
}
