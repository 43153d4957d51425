package file

import (
	"errors"
	"fmt"
	"time"
)

// The kinds of failure Holdfast knows. An error's kind decides the answer that a client gets,
// never its text: wrap a kind with %w and say what was being done.
// Only package problem maps kinds to HTTP.
var (
	ErrUnauthenticated = errors.New("not authenticated")
	ErrForbidden       = errors.New("forbidden")
	ErrNotFound        = errors.New("not found")
	ErrTooLarge        = errors.New("too large")
	ErrInvalid         = errors.New("invalid")
	ErrRange           = errors.New("range not satisfiable")
	ErrConflict        = errors.New("conflict")
	ErrLocked          = errors.New("locked")
	ErrUnavailable     = errors.New("unavailable")
	ErrTooMany         = errors.New("too many")
	ErrNoSpace         = errors.New("no space left")
	ErrMethod          = errors.New("method not allowed")
	ErrMediaType       = errors.New("media type not supported")
	ErrVersion         = errors.New("protocol version not supported")
	ErrChecksum        = errors.New("checksum mismatch")
	ErrGone            = errors.New("gone")
	ErrDigest          = errors.New("content is not what was declared")
	ErrInfected        = errors.New("infected")
	ErrUnscannable     = errors.New("can't be scanned")
	ErrPrecondition    = errors.New("precondition failed")
	ErrLinkExpired     = errors.New("link has expired")
	ErrMissingField    = errors.New("required field is missing")
	ErrSize            = errors.New("size is not valid")
	ErrSlow            = errors.New("client is too slow")
	ErrKeyReused       = errors.New("idempotency key is another file's")
)

// More specific kinds, for the cases that have a code of their own.
var (
	// ErrDatabase: SQL did not answer, or not in time.
	ErrDatabase = fmt.Errorf("database: %w", ErrUnavailable)
	// ErrRedis: Redis, which holds tokens, did not answer, or not in time.
	ErrRedis = fmt.Errorf("redis: %w", ErrUnavailable)
	// ErrProvider: the keys of the token provider could not be fetched.
	ErrProvider = fmt.Errorf("token provider: %w", ErrUnavailable)
	// ErrBackend: the backend, which decides about permissions, gave no valid answer.
	ErrBackend = fmt.Errorf("backend: %w", ErrUnavailable)
	// ErrBackendTimeout: the backend did not answer in time.
	ErrBackendTimeout = fmt.Errorf("no answer in time: %w", ErrBackend)
	// ErrStorageWrite: the object store did not accept bytes.
	ErrStorageWrite = fmt.Errorf("storage write: %w", ErrUnavailable)
	// ErrStorageRead: the object store did not deliver bytes.
	ErrStorageRead = fmt.Errorf("storage read: %w", ErrUnavailable)
	// ErrObjectMissing: there is a record, but the object store has no such object.
	ErrObjectMissing = fmt.Errorf("object missing in storage: %w", ErrNotFound)
	// ErrObjectChanged: the object in the store is not the one that was recorded, or is
	// shorter.
	ErrObjectChanged = fmt.Errorf("object is not what was uploaded: %w", ErrObjectMissing)
	// ErrQuota: the account would exceed its quota, or somebody that of unfinished uploads. It is no ErrNoSpace, since
	// clients retry that.
	ErrQuota = fmt.Errorf("quota exceeded: %w", ErrTooLarge)
	// ErrLink: the signed link was not made by this service, or not for this file.
	ErrLink = fmt.Errorf("link is not valid: %w", ErrForbidden)
	// ErrDenied: this identity has no access to this file.
	ErrDenied = fmt.Errorf("access to file denied: %w", ErrForbidden)
	// ErrScanner: the malware scanner did not answer, or gave no valid answer.
	ErrScanner = fmt.Errorf("scanner: %w", ErrUnavailable)
	// ErrCutOff: the body of a request ended early; the bytes that arrived are kept.
	ErrCutOff = fmt.Errorf("body cut off: %w", ErrUnavailable)
	// ErrInFlight: a request with the same idempotency key is running.
	ErrInFlight = fmt.Errorf("same request is running: %w", ErrConflict)
	// ErrParts: parts of a direct upload are missing in the store, or are not as they were signed.
	ErrParts = fmt.Errorf("parts are missing: %w", ErrConflict)
	// ErrBusy: uploads hold all the memory that they may, and none was freed in time.
	ErrBusy = fmt.Errorf("no memory for uploads: %w", ErrUnavailable)
	// ErrLost: the store has lost bytes of an unfinished upload. The upload was ended.
	ErrLost = fmt.Errorf("committed bytes were lost: %w", ErrGone)
	// ErrStopping: the service is shutting down and releases its uploads.
	ErrStopping = fmt.Errorf("service is stopping: %w", ErrUnavailable)
)

// ErrLength means that a client contradicts what it said about the length of an upload, before or in the same request.
var ErrLength = fmt.Errorf("lengths differ: %w", ErrInvalid)

// OffsetError is an ErrConflict: a request would continue at an offset that is not the upload's.
type OffsetError struct{ Expected, Provided int64 } // bytes

func (e *OffsetError) Error() string {
	return fmt.Sprintf("the upload is at %d, not at %d", e.Expected, e.Provided)
}

func (e *OffsetError) Unwrap() error { return ErrConflict }

// Later is a temporary error: the client may retry after a time.
type Later struct {
	Kind  error
	After time.Duration
}

func (l *Later) Error() string { return fmt.Sprintf("%v: not before %s", l.Kind, l.After) }

func (l *Later) Unwrap() error { return l.Kind }

// Refusal is an error whose reason is sent to the client. The texts of all other errors
// stay in the log.
type Refusal struct {
	Kind   error
	Reason string
}

// Refuse makes a Refusal. The client gets to read the reason, so it must hold nothing internal.
func Refuse(kind error, format string, args ...any) error {
	return &Refusal{Kind: kind, Reason: fmt.Sprintf(format, args...)}
}

func (r *Refusal) Error() string { return r.Kind.Error() + ": " + r.Reason }

func (r *Refusal) Unwrap() error { return r.Kind }
