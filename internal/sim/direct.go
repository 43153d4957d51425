package sim

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"holdfast/direct"
	"holdfast/file"
	"holdfast/problem"
	"holdfast/storage"
)

// Direct uploads are simulated, too: the service by its handler, without connections, and the store that clients send
// their parts to by simstore, which is slow, loses answers and stores a part long after its client has left.

// urlTTL is how long the URL of a part is valid.
const urlTTL = 5 * time.Minute

// newDirectHandler returns the handler of direct uploads for a process.
func (w *World) newDirectHandler(p *proc) *direct.Handler {
	return direct.New(direct.Options{
		Engine: p.engine, Respond: problem.Responder{Log: w.log}, TTL: urlTTL, WriteTimeout: time.Minute,
		CompleteWait: 250 * time.Millisecond,
		Limit:        func(*http.Request, file.Identity) error { return nil },
		Base:         func(*http.Request) string { return "http://sim/files" },
		Sign: func(_ context.Context, at file.Location, p storage.PartPut) (storage.SignedPart, error) {
			text, err := json.Marshal(ticket{at, p, time.Now().Add(p.TTL)})
			return storage.SignedPart{URL: string(text)}, err
		},
	})
}

// directAnswer is an answer of the endpoint.
type directAnswer struct {
	ID       file.ID         `json:"id"`
	State    string          `json:"state"`
	PartSize int64           `json:"part_size"`
	FileID   file.ID         `json:"file_id"`
	Parts    json.RawMessage `json:"parts"` // their number, or URLs for them
	Sent     []listedPart    `json:"sent"`
}

type listedPart struct {
	Number int32  `json:"number"`
	Size   int64  `json:"size"`
	ETag   string `json:"etag"`
}

// has reports whether a part is there.
func (a directAnswer) has(number int32) bool {
	return slices.ContainsFunc(a.Sent, func(p listedPart) bool { return p.Number == number })
}

// askDirect sends a request to the endpoint of direct uploads.
func (c *client) askDirect(engine int, what string, body any,
	serve func(*direct.Handler, http.ResponseWriter, *http.Request)) (a directAnswer, status int, err error) {
	to := &answers{header: http.Header{}}
	err = c.do(engine, request{name: c.Name}, nil, func(ctx context.Context, p *proc) error {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sim/direct", bytes.NewReader(text))
		if err != nil {
			return err
		}
		serve(p.direct, to, r)
		return to.err()
	})
	to.mu.Lock()
	defer to.mu.Unlock()
	to.left = true
	if c.judge(err, "a direct upload's "+what); err != nil {
		return a, to.status, err
	}
	if to.text.Len() > 0 {
		if err := json.Unmarshal(to.text.Bytes(), &a); err != nil {
			c.w.failf("%s: %s is answered with %s", c.Name, what, to.text.String())
		}
	}
	return a, to.status, nil
}

// direct follows the plan.
func (c *client) direct() {
	for n := 0; c.id == "" && !c.over && n < tries; n++ {
		if c.beginDirect(n); c.id == "" {
			time.Sleep(time.Second)
		}
	}
	for _, s := range c.Steps {
		if time.Sleep(s.Pause); c.id == "" || c.over || c.ended {
			return
		}
		switch s.Kind {
		case Delete:
			c.giveUp(s)
		case Twice:
			c.completeTwice(s)
		case Head:
			c.putAgain(s)
			_, _ = c.show(s.Engine)
		default:
			c.sendParts(s)
		}
	}
	if c.Insists {
		c.insist(tries)
	}
}

func (c *client) beginDirect(engine int) {
	creation := map[string]any{"name": c.Name, "size": c.Size}
	if claim := c.claim(); claim != nil {
		creation["sha256"] = hex.EncodeToString(claim)
	}
	a, _, err := c.askDirect(engine, "creation", creation,
		func(h *direct.Handler, w http.ResponseWriter, r *http.Request) { h.Create(w, r) })
	if err == nil {
		c.id, c.told = a.ID, time.Now()
	}
}

// show asks which parts are there.
func (c *client) show(engine int) (directAnswer, error) {
	a, _, err := c.askDirect(engine, "GET", nil,
		func(h *direct.Handler, w http.ResponseWriter, r *http.Request) { h.Show(w, r, c.id) })
	if err == nil && (c.done || a.State == "done") {
		c.hear(c.Size, a.State == "done")
	}
	return a, err
}

// sendParts sends parts that are not there, as many as the step has bytes for, and completes the upload if then all
// are. A client that leaves does so while a part is on its way.
func (c *client) sendParts(s Step) {
	there, err := c.show(s.Engine)
	if err != nil || c.done {
		return
	}
	if there.State == "open" {
		var wanted []int32
		for n := int32(1); int64(n-1)*there.PartSize < c.Size; n++ {
			if !there.has(n) || n == 1 && s.Edit { // the first part is sent again, with other bytes
				wanted = append(wanted, n)
			}
		}
		if s.Edit {
			c.version++
		}
		most := max(1, int((s.Bytes+there.PartSize-1)/there.PartSize))
		if !c.putParts(s, wanted[:min(most, len(wanted))]) || len(wanted) > most {
			return
		}
	}
	c.complete(s.Engine+1, there)
}

// complete completes the upload. Half of the clients name the parts that they know of.
func (c *client) complete(engine int, there directAnswer) {
	var named any
	if c.Size%2 == 0 {
		var parts []map[string]any
		for _, p := range there.Sent {
			parts = append(parts, map[string]any{"number": p.Number, "etag": p.ETag})
		}
		named = map[string]any{"parts": parts}
	}
	a, status, err := c.askDirect(engine, "completion", named, completes(c))
	switch {
	case err != nil:
	case status == http.StatusAccepted:
		c.w.saw("a completion that goes on")
	case a.FileID != c.id:
		c.w.failf("%s: the upload %s is completed as %s", c.Name, c.id, a.FileID)
	default:
		c.w.saw("a direct upload")
		c.hear(c.Size, true)
	}
}

// completes is a request that completes the upload.
func completes(c *client) func(*direct.Handler, http.ResponseWriter, *http.Request) {
	return func(h *direct.Handler, w http.ResponseWriter, r *http.Request) { h.Complete(w, r, c.id) }
}

// completeTwice completes the upload at two engines at once, and may send a part again meanwhile.
func (c *client) completeTwice(s Step) {
	first := *c
	var all sync.WaitGroup
	all.Go(func() { first.complete(s.Engine, directAnswer{}) })
	if again := *c; s.Edit && len(c.tickets) > 0 {
		c.version++
		again.version = c.version
		all.Go(func() { again.putPart(again.tickets[0], s.Cut >= 0) })
	}
	time.Sleep(s.Slow / 20)
	c.w.saw("two completions at once")
	c.complete(s.Engine+1, directAnswer{})
	all.Wait()
}

// giveUp ends the upload, maybe while another request completes it.
func (c *client) giveUp(s Step) {
	c.uncertain = true
	first := *c
	var all sync.WaitGroup
	if s.Edit {
		c.w.saw("a completion beside the end")
		all.Go(func() { first.complete(s.Engine+1, directAnswer{}) })
		time.Sleep(s.Slow / 20)
	}
	_, _, err := c.askDirect(s.Engine, "DELETE", nil,
		func(h *direct.Handler, w http.ResponseWriter, r *http.Request) { h.Cancel(w, r, c.id) })
	all.Wait()
	if err == nil {
		c.ended = true
	}
	if errors.Is(err, file.ErrConflict) && first.done {
		c.done = true
	}
}

// isDirect reports whether an upload is direct.
func (w *World) isDirect(id file.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[id].direct
}
