package db

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"holdfast/file"
)

// KeepEvents has events of files stored in the outbox, from which they are delivered. Call it before the database
// is used.
func (d *DB) KeepEvents() { d.events = true }

// emit stores an event in the transaction of the change that it reports. A file has at most one event of each kind.
func (d *DB) emit(ctx context.Context, on execer, kind file.EventKind, s file.Subject) error {
	if !d.events {
		return nil
	}
	payload, err := json.Marshal(struct {
		ID   string         `json:"id"`
		Type file.EventKind `json:"type"`
		Time string         `json:"timestamp"`
		Data file.Subject   `json:"data"`
	}{string(s.ID) + "." + string(kind), kind, time.Now().UTC().Format(time.RFC3339), s})
	if err != nil {
		return fmt.Errorf("note event: %w", err)
	}
	rank := 1
	if kind == file.EventDeleted {
		rank = 2
	}
	_, err = exec(ctx, on, "note event", d.text(`insert into events (file_id, kind, rank, payload, created, due)
		values ($1, $2, $3, $4, {now}, {now}) on conflict do nothing`), s.ID, kind, rank, string(payload))
	return err
}

// Emit stores an event that belongs to no other change.
func (d *DB) Emit(ctx context.Context, kind file.EventKind, s file.Subject) error {
	return d.emit(ctx, d.write, kind, s)
}

// subject is what an event says of a record.
func subject(r file.Record) file.Subject {
	return file.Subject{ID: r.ID, AccountID: r.AccountID, UserID: r.UserID, Name: r.Name, Type: r.Type, Size: r.Size,
		SHA256: hex.EncodeToString(r.SHA256)}
}

const eventColumns = `file_id, kind, payload, tries, reason, created`

func (d *DB) eventRows(ctx context.Context, query string, args ...any) (events []file.Event, err error) {
	err = d.rows(ctx, "list events", query, args, func(scan func(...any) error) error {
		var e file.Event
		var created int64
		err := scan(&e.File, &e.Kind, &e.Payload, &e.Tries, &e.Reason, &created)
		e.Created = time.UnixMilli(created).UTC()
		events = append(events, e)
		return err
	})
	return events, err
}

// DueEvents lists events that are due, at most one for each file: the first that waits.
func (d *DB) DueEvents(ctx context.Context, limit int) ([]file.Event, error) {
	return d.eventRows(ctx, `select `+eventColumns+` from events e where state = 'waiting' and due <= {now}
		and not exists (select 1 from events o where o.file_id = e.file_id and o.state = 'waiting' and o.rank < e.rank)
		order by due, file_id limit $1`, limit)
}

// EventDelivered removes an event that was delivered.
func (d *DB) EventDelivered(ctx context.Context, e file.Event) error {
	_, err := d.exec(ctx, "remove event", `delete from events where file_id = $1 and kind = $2`, e.File, e.Kind)
	return err
}

// EventFailed postpones an event or gives it up: then it is dead, and later events of its file are delivered.
func (d *DB) EventFailed(ctx context.Context, e file.Event, reason string, again time.Duration, dead bool) error {
	state := "waiting"
	if dead {
		state = "dead"
	}
	_, err := d.exec(ctx, "put event off", `update events set tries = tries + 1, reason = $3, state = $4, due = {now} + $5
		where file_id = $1 and kind = $2`, e.File, e.Kind, plain(reason), state, again.Milliseconds())
	return err
}

// plain makes a text acceptable to PostgreSQL: errors from elsewhere may contain any bytes.
func plain(s string) string { return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "") }

// Events lists the dead events or the waiting ones, oldest first.
func (d *DB) Events(ctx context.Context, dead bool, limit int) ([]file.Event, error) {
	state := "waiting"
	if dead {
		state = "dead"
	}
	return d.eventRows(ctx, `select `+eventColumns+` from events where state = $1 order by created, file_id limit $2`,
		state, limit)
}

// ResendEvents makes dead events wait again as if they were new: those of one file, or all of them if it is empty.
// It returns how many.
func (d *DB) ResendEvents(ctx context.Context, id file.ID) (int64, error) {
	return d.exec(ctx, "resend events", `update events set state = 'waiting', tries = 0, created = {now}, due = {now}
		where state = 'dead' and ($1 = '' or file_id = $1)`, string(id))
}

// countEvents counts events by state, and returns the age of the oldest that is not dead.
func (d *DB) countEvents(ctx context.Context) (counts map[string]int64, oldest time.Duration, err error) {
	counts = make(map[string]int64)
	err = d.rows(ctx, "count events", `select state, count(*), {now} - min(created) from events group by state`, nil,
		func(scan func(...any) error) error {
			var state string
			var n, age int64
			err := scan(&state, &n, &age)
			if counts[state] = n; state == "waiting" {
				oldest = time.Duration(max(age, 0)) * time.Millisecond
			}
			return err
		})
	return counts, oldest, err
}
