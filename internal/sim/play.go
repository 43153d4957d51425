package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"holdfast/file"
	"holdfast/upload"
)

// tries is how often a client that insists tries.
const tries = 12

// play follows the plan, and goes on until the client has its file, or is refused.
func (c *client) play() {
	time.Sleep(c.Start)
	switch {
	case len(c.Parts) > 0:
		c.concatenate()
		return
	case c.Form:
		c.form()
		return
	case c.IETF:
		c.session()
		return
	case c.Direct:
		c.direct()
		return
	}
	for n := 0; c.id == "" && !c.over && n < tries; n++ {
		if c.begin(n) != nil {
			time.Sleep(time.Second)
		}
	}
	for _, s := range c.Steps {
		if time.Sleep(s.Pause); c.id == "" || c.over || c.ended {
			return
		}
		switch s.Kind {
		case Head:
			_ = c.head(s.Engine)
		case Delete:
			c.remove(s.Engine)
		case Twice:
			c.twice(s)
		default:
			if c.send(s) != nil && !c.over {
				_ = c.head(s.Engine + 1)
			}
		}
	}
	if c.Insists {
		c.insist(tries)
	}
}

// insist sends the rest, until the upload is finished.
func (c *client) insist(tries int) {
	for n := 0; c.IETF && n < tries && !c.done && !c.over && !c.ended; n++ {
		if c.resume(Step{Kind: Send, Engine: n, Cut: -1}); !c.done {
			time.Sleep(time.Second)
		}
	}
	if c.IETF && c.done {
		c.replay(tries)
		return
	}
	for n := 0; c.Direct && n < tries && c.id != "" && !c.done && !c.over && !c.ended; n++ {
		if c.sendParts(Step{Kind: Send, Engine: n, Bytes: c.Size, Cut: -1}); !c.done {
			time.Sleep(time.Second)
		}
	}
	if c.Direct {
		return
	}
	for n := 0; n < tries && c.id != "" && !c.done && !c.over && !c.ended; n++ {
		if c.head(n) != nil || c.done {
			time.Sleep(time.Second)
			continue
		}
		_ = c.send(Step{Kind: Send, Engine: n, Bytes: c.Size, Cut: -1})
	}
}

// form sends the file in one request, and starts again if that fails.
func (c *client) form() {
	for n, s := range append(c.Steps, Step{Cut: -1}) {
		c.version = n
		b := c.w.newBody(fmt.Sprint(c.Name, n), contentKey(c.Name, n), 0, c.Size, s)
		b.hard = true
		var id file.ID
		err := c.do(s.Engine, request{name: c.Name, key: b.key}, b, func(ctx context.Context, p *proc) error {
			u, err := p.engine.Receive(ctx, upload.Creation{}, b, b.interrupt)
			if err == nil {
				id = u.ID
			}
			return err
		})
		c.judge(err, "a form")
		if err == nil {
			c.id, c.told = id, time.Now()
			if b.cut.Load() {
				c.w.failf("%s: a form that was cut has become a file", c.Name)
			}
			c.hear(c.Size, true)
			return
		}
		if c.over {
			return
		}
		time.Sleep(s.Pause)
	}
}

// concatenate sends the parts and makes one file of them.
func (c *client) concatenate() {
	parts := make([]*client, len(c.Parts))
	var all sync.WaitGroup
	for i, part := range c.Parts {
		parts[i] = &client{Client: part, w: c.w, partial: true}
		all.Go(parts[i].play)
	}
	all.Wait()
	creation := upload.Creation{}
	c.Size = 0
	for _, part := range parts {
		if !part.done {
			return
		}
		part.uncertain = true
		creation.Sources = append(creation.Sources, part.id)
		c.Size += part.Size
	}
	for n := 0; n < tries && !c.done && !c.over; n++ {
		var id file.ID
		err := c.do(n, request{name: c.Name}, nil, func(ctx context.Context, p *proc) error {
			ctx, cancel := context.WithTimeout(ctx, upload.TakeTimeout)
			defer cancel()
			u, err := p.engine.Concatenate(ctx, c.who(), creation)
			if err == nil {
				id = u.ID
			}
			return err
		})
		if c.told = time.Now(); err == nil {
			c.id = id
			c.hear(c.Size, true)
			return
		}
		c.judge(err, "concatenation")
		time.Sleep(2 * time.Second)
	}
}
