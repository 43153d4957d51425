package file

import "time"

// EventKind is what happened.
type EventKind string

const (
	EventCreated  EventKind = "file.created"
	EventDeleted  EventKind = "file.deleted"
	EventExpired  EventKind = "upload.expired"  // it expired before it became a file
	EventInfected EventKind = "upload.infected" // the scanner found malware in it, so it became no file
	// EventUnscannable: it became no file, since the scanner could not check all of it.
	EventUnscannable EventKind = "upload.unscannable"
)

// Event is something that happened to a file or an upload, and is to be delivered.
type Event struct {
	File    ID
	Kind    EventKind
	Payload string // JSON
	Tries   int    // how many deliveries failed
	Reason  string // of the last failure
	Created time.Time
}

// Subject describes the file of an event.
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
