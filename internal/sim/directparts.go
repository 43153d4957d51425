package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"holdfast/direct"
	"holdfast/file"
	"holdfast/storage"
)

// ticket is what a signed URL says.
type ticket struct {
	At    file.Location
	Put   storage.PartPut
	Until time.Time
}

// put is a part that a client has sent to the store.
type put struct {
	key         uint64 // of its bytes
	sent, acked time.Time
}

// putParts has URLs signed for parts, and sends them. It reports whether all have arrived.
func (c *client) putParts(s Step, numbers []int32) bool {
	if len(numbers) == 0 {
		return true
	}
	if !c.sign(s.Engine, numbers) {
		return false
	}
	for i, t := range c.tickets {
		leaves := s.Cut >= 0 && i == len(c.tickets)-1
		if !c.putPart(t, leaves) {
			return false
		}
		time.Sleep(s.Slow / 4)
	}
	return true
}

// sign has URLs signed.
func (c *client) sign(engine int, numbers []int32) bool {
	var parts []map[string]any
	for _, n := range numbers {
		parts = append(parts, map[string]any{"number": n})
	}
	a, _, err := c.askDirect(engine, "signing", map[string]any{"parts": parts},
		func(h *direct.Handler, w http.ResponseWriter, r *http.Request) { h.SignParts(w, r, c.id) })
	if err != nil {
		return false
	}
	var signed []storage.SignedPart
	if err := json.Unmarshal(a.Parts, &signed); err != nil || len(signed) != len(numbers) {
		c.w.failf("%s: %d URLs for %d parts: %v", c.Name, len(signed), len(numbers), err)
		return false
	}
	c.told, c.tickets = time.Now(), nil
	for _, p := range signed {
		var t ticket
		if err := json.Unmarshal([]byte(p.URL), &t); err != nil {
			c.w.failf("%s: the URL of a part: %v", c.Name, err)
		}
		c.tickets = append(c.tickets, t)
	}
	return true
}

// putPart sends a part to the store, and reports whether it has arrived. A client that leaves does not wait for that.
func (c *client) putPart(t ticket, leaves bool) bool {
	if time.Now().After(t.Until) { // the store refuses it
		return false
	}
	key, number := contentKey(c.Name, c.version), t.Put.Number
	n := c.w.note(c.id, number, put{key: key, sent: time.Now()})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	if leaves {
		ctx, cancel = context.WithTimeout(context.Background(), 10*time.Millisecond)
	}
	defer cancel()
	b := make([]byte, t.Put.Size)
	fill(b, key, int64(number-1)*c.w.plan.Part)
	_, err := c.w.store.PutPart(ctx, t.At, t.Put.Multipart, number, bytes.NewReader(b), t.Put.Size)
	if err != nil {
		return false
	}
	c.w.change(c.id, func(k *known) string {
		if sent := k.puts[number][n].sent; !k.recorded.IsZero() && sent.After(k.recorded) {
			return fmt.Sprintf("part %d was taken after the upload had become a file", number)
		}
		k.puts[number][n].acked = time.Now()
		return ""
	})
	return true
}

// note notes that a part is sent, and returns how many were before it.
func (w *World) note(id file.ID, number int32, p put) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.known[id]
	k.puts[number] = append(k.puts[number], p)
	return len(k.puts[number]) - 1
}

// putAgain sends a part again that was signed earlier: the upload may have ended meanwhile.
func (c *client) putAgain(s Step) {
	if len(c.tickets) == 0 {
		return
	}
	if s.Edit {
		c.version++
	}
	c.w.saw("an old URL of a part")
	c.putPart(c.tickets[0], s.Cut >= 0)
}

// recordDirect checks that the object of a direct upload has parts that its client has sent, and notes which ones. A
// part that was replaced before the other one was sent is not among them.
func (w *World) recordDirect(id file.ID, u *file.Upload) {
	object, _, _ := w.store.Object(u.Location)
	w.change(id, func(k *known) string {
		if k.recorded = time.Now(); int64(len(object)) != k.size {
			return fmt.Sprintf("the object has %d bytes, the upload %d", len(object), k.size)
		}
		for at := int64(0); at < k.size; at += w.plan.Part {
			part := object[at:min(at+w.plan.Part, k.size)]
			key, found := k.sentPart(int32(at/w.plan.Part)+1, part, at)
			if !found {
				return fmt.Sprintf("the file has another part at %d than its client has sent", at)
			}
			k.spans = append(k.spans, span{at + int64(len(part)), key})
		}
		return ""
	})
}

// sentPart returns the key of a part that is what its client has sent last, or later.
func (k *known) sentPart(number int32, part []byte, at int64) (key uint64, found bool) {
	want := make([]byte, len(part))
	for i, p := range k.puts[number] {
		replaced := slices.ContainsFunc(k.puts[number][i+1:], func(later put) bool {
			return !p.acked.IsZero() && !later.acked.IsZero() && later.sent.After(p.acked)
		})
		if fill(want, p.key, at); !replaced && bytes.Equal(part, want) {
			return p.key, true
		}
	}
	return 0, false
}
