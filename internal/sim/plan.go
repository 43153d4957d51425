package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Plan determines a run.
type Plan struct {
	Seed    uint64
	Engines int
	Memory  int64   // of each engine, in bytes
	Part    int64   // bytes
	Rate    float64 // the fraction of calls that meet a fault
	NoCopy  bool    // the store does not copy
	Quota   int64   // of each account, in bytes; 0: none
	Drift   float64 // how much faster the database's clock runs
	JumpAt  time.Duration
	Jump    time.Duration // by which the database's clock is set, once
	Deaths  []Death
	Clients []Client
	Spared  map[string]bool // faults that are left out
}

// Death is the end of a process, and the start of another one in its place.
type Death struct {
	Engine     int
	At, Down   time.Duration
	Gracefully bool
	Freezes    bool // it only stops for a while, and continues
}

// Client is what a client does, in this order.
type Client struct {
	Name    string
	Account int64
	Start   time.Duration
	Size    int64 // bytes
	Later   bool  // the length is declared with the last bytes
	Form    bool  // everything comes in one request of undeclared length
	IETF    bool  // it speaks the IETF's protocol, like Apple's URLSession
	Direct  bool  // it sends its parts to the store itself
	Claim   bool  // it declares the SHA-256 of the file
	Steps   []Step
	Insists bool     // it continues until it has a file; otherwise the unfinished upload expires
	Parts   []Client // to be concatenated
}

// Kind is what a step does.
type Kind string

const (
	Send      Kind = "send"
	SendSum   Kind = "send with a checksum"
	SendWrong Kind = "send with a wrong checksum"
	Head      Kind = "head"
	Delete    Kind = "delete"
	Twice     Kind = "send twice at once"
)

// Step is a request.
type Step struct {
	Kind   Kind
	Engine int
	Pause  time.Duration // before it
	Bytes  int64         // of the body, at most
	Cut    int64         // after that many bytes the client leaves; -1: never
	Hangs  bool          // the server does not notice that the client has left
	Slow   time.Duration // the longest pause between two pieces of the body
	Edit   bool          // the file's bytes from here on have changed since they were sent
}

// NewPlan makes the plan of a seed.
func NewPlan(seed uint64) Plan {
	r := rand.New(rand.NewPCG(seed, 1))
	p := Plan{Seed: seed, Engines: 2 + r.IntN(2), Memory: []int64{192, 256, 512, 1024}[r.IntN(4)] << 10,
		Part: []int64{24, 40, 64, 100}[r.IntN(4)] << 10, Rate: []float64{0, 0.01, 0.03, 0.08}[r.IntN(4)],
		NoCopy: r.IntN(2) == 0, Drift: (r.Float64() - 0.5) / 50, JumpAt: time.Duration(r.IntN(90)) * time.Second,
		Jump: time.Duration(r.IntN(6001)-3000) * time.Millisecond}
	if r.IntN(4) == 0 {
		p.Quota = int64(200+r.IntN(600)) << 10
	}
	for range r.IntN(4) {
		p.Deaths = append(p.Deaths, Death{r.IntN(p.Engines), time.Duration(r.IntN(60_000)) * time.Millisecond,
			time.Duration(r.IntN(20_000)) * time.Millisecond, r.IntN(4) == 0, false})
	}
	for range r.IntN(3) {
		p.Deaths = append(p.Deaths, Death{r.IntN(p.Engines), time.Duration(r.IntN(40_000)) * time.Millisecond,
			time.Duration(16_000+r.IntN(40_000)) * time.Millisecond, false, true})
	}
	crowd := r.IntN(8) == 0
	clients := 3 + r.IntN(3)
	if crowd { // all at once, on an engine with little memory
		clients, p.Memory, p.Part = 8, 96<<10, 100<<10
	}
	for i := range clients {
		c := newClient(r, fmt.Sprintf("c%d", i), p.Part, true)
		if crowd {
			c.Start = time.Duration(r.IntN(2_000)) * time.Millisecond
			for j := range c.Steps {
				c.Steps[j].Engine = 0
			}
		}
		p.Clients = append(p.Clients, c)
	}
	if r.IntN(2) == 0 {
		for i := range 1 + r.IntN(2) {
			p.Clients = append(p.Clients, newDirectClient(r, fmt.Sprintf("d%d", i), p.Part))
		}
	}
	return p
}

// newDirectClient plans a client that sends its parts to the store itself.
func newDirectClient(r *rand.Rand, name string, part int64) Client {
	c := Client{Name: name, Account: int64(1 + r.IntN(2)), Start: time.Duration(r.IntN(20_000)) * time.Millisecond,
		Size: []int64{1, part - 1, part, part + 1, 3*part + 7, 5 * part}[r.IntN(6)], Direct: true, Claim: r.IntN(2) == 0,
		Insists: r.IntN(5) > 0}
	careful := r.IntN(3) == 0 // so that its claim counts
	for range 1 + r.IntN(5) {
		s := newStep(r, c.Size, true)
		if s.Edit = (s.Edit || s.Kind == Delete) && !careful; careful && s.Kind == Twice {
			s.Kind = Head
		}
		c.Steps = append(c.Steps, s)
	}
	return c
}

func newClient(r *rand.Rand, name string, part int64, whole bool) Client {
	c := Client{Name: name, Account: int64(1 + r.IntN(2)), Start: time.Duration(r.IntN(20_000)) * time.Millisecond,
		Size:  []int64{0, 1, part / 3, part - 1, part, part + 1, 2 * part, 3*part + 7, 5 * part}[r.IntN(9)],
		Claim: r.IntN(3) == 0, Insists: r.IntN(5) > 0}
	if kind := r.IntN(10); whole && kind == 0 {
		for i := range 2 + r.IntN(2) {
			part := newClient(r, fmt.Sprintf("%s.%d", name, i), part, false)
			part.Account, part.Later, part.Insists, part.Start = c.Account, false, true, 0
			c.Parts = append(c.Parts, part)
		}
		return c
	} else if whole && kind == 1 {
		c.Form = true
	} else if whole && kind < 4 {
		c.IETF, c.Claim = true, false
	} else {
		c.Later = r.IntN(4) == 0
	}
	for range 1 + r.IntN(4) {
		c.Steps = append(c.Steps, newStep(r, c.Size, whole))
	}
	if c.IETF && c.Size > 0 { // otherwise most of them would have their file at once
		c.Steps[0].Cut, c.Steps[0].Bytes = r.Int64N(c.Size), c.Size
		for i := range c.Steps { // a 104 comes once a second
			c.Steps[i].Slow *= 4
		}
	}
	return c
}

func newStep(r *rand.Rand, size int64, whole bool) Step {
	kinds := []Kind{Send, Send, Send, Send, Send, SendSum, SendWrong, Head, Twice, Delete}
	if !whole {
		kinds = kinds[:9]
	}
	s := Step{Kind: kinds[r.IntN(len(kinds))], Engine: r.IntN(3), Pause: time.Duration(r.IntN(4000)) * time.Millisecond,
		Bytes: size, Cut: -1, Edit: r.IntN(3) == 0}
	if r.IntN(2) == 0 && size > 0 {
		s.Bytes = 1 + r.Int64N(size)
	}
	if r.IntN(3) == 0 && s.Bytes > 0 {
		s.Cut, s.Hangs = r.Int64N(s.Bytes), r.IntN(2) == 0
	}
	if r.IntN(2) == 0 {
		s.Slow = time.Duration(r.IntN(1500)) * time.Millisecond
	}
	return s
}

// String describes the plan for a reader who wants to know what happens.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d engines with %d KiB of memory, parts of %d KiB, quota %d, faults %g, copies %t, "+
		"database's clock %+.1f%% and %+d ms at %s\n", p.Seed, p.Engines, p.Memory>>10, p.Part>>10, p.Quota, p.Rate,
		!p.NoCopy, p.Drift*100, p.Jump.Milliseconds(), p.JumpAt)
	for _, d := range p.Deaths {
		fmt.Fprintf(&b, "  engine %d ends at %s for %s, gracefully %t, only stands still %t\n", d.Engine, d.At, d.Down,
			d.Gracefully, d.Freezes)
	}
	for _, c := range p.Clients {
		c.describe(&b, "  ")
	}
	return b.String()
}

func (c Client) describe(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%s%s: from %s, %d bytes, account %d, length later %t, form %t, by the IETF's protocol %t, direct %t, "+
		"claim %t, insists %t\n", indent, c.Name, c.Start, c.Size, c.Account, c.Later, c.Form, c.IETF, c.Direct, c.Claim,
		c.Insists)
	for _, s := range c.Steps {
		fmt.Fprintf(b, "%s  %s, engine %d, after %s: %d bytes, cut %d, hangs %t, slow %s, edit %t\n", indent, s.Kind,
			s.Engine,
			s.Pause, s.Bytes, s.Cut, s.Hangs, s.Slow, s.Edit)
	}
	for _, part := range c.Parts {
		part.describe(b, indent+"  ")
	}
}
