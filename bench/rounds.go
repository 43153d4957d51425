package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"holdfast/bench/report"
)

// begin returns the report without results.
func (l *lab) begin(o options, chosen []row) *report.Report {
	r := &report.Report{Date: time.Now().UTC().Format("2006-01-02"), Machine: machine(), Rounds: o.rounds, Short: o.short,
		Versions: map[string]string{
			"Go":            runtime.Version(),
			report.Holdfast: fmt.Sprintf("%s (AWS SDK %s)", l.holdfast.Version, l.holdfast.SDK),
			report.Tusd:     fmt.Sprintf("%s (AWS SDK %s)", l.tusd.Version, l.tusd.SDK),
		},
		Notes: []string{
			"client, servers and store share the processor and speak over loopback",
			"the store's folder, tusd's temporary files and Holdfast's SQLite database are all on the RAM disk: a flush " +
				"costs nothing. " +
				"tusd keeps no state in SQL and flushes nothing, so Holdfast's state is work that tusd does not do, yet no disk " +
				"slows it down here",
			"in a direct upload the client sends the parts to the store; Holdfast signs, lists and completes. It reads " +
				"the object once: before the file is seen if the client declares the SHA-256, else afterwards (measured apart)",
			"tusd and Holdfast run with their default settings, request log and UPLOAD_DIRECT=on included; the direct put " +
				"does not hash its bytes for the signature",
		},
	}
	if slices.Contains(allPeers(chosen), report.Direct) {
		r.Versions[report.Direct] = "transfermanager " + ownVersion("github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager")
	}
	if l.gateway != nil {
		r.Versions[o.store] = l.storage.Version
	}
	if slices.Contains(allPeers(chosen), report.Nginx) {
		r.Versions[report.Nginx] = l.nginx.Version
		r.Notes = append(r.Notes, "nginx has two worker processes and logs each request. It asks a small permission "+
			"service before each answer, whose CPU is told in brackets "+
			"and is none of the server's; Holdfast looks its token up itself. nginx gets the object's address signed "+
			"beforehand, and its RSS is the sum of its processes")
	}
	if slices.Contains(allPeers(chosen), report.Node) {
		r.Versions[report.Node] = l.node.Version
	}
	if slices.Contains(allPeers(chosen), report.Python) {
		r.Versions[report.Python] = l.python.Version
		r.Notes = append(r.Notes, "FastAPI is a small service with aioboto3 that was written for this benchmark: it checks "+
			"nothing and remembers nothing. It and @tus/server run in one process")
	}
	for _, row := range chosen {
		add := &report.Row{Name: row.name, Title: row.title(l.load), Unit: row.unit,
			Operation: row.operation(l.load.counted())}
		for _, name := range row.peers {
			add.Peers = append(add.Peers, &report.Peer{Name: name})
		}
		r.Rows = append(r.Rows, add)
	}
	return r
}

// measure runs the timed rounds, the counted pass and the profiles, and fills in the report.
func (l *lab) measure(ctx context.Context, o options, chosen []row, result *report.Report) error {
	if err := l.timed(ctx, o.rounds, chosen, result); err != nil {
		return err
	}
	if err := l.counted(ctx, chosen, result); err != nil {
		return err
	}
	if o.profile == "" {
		return nil
	}
	return l.profiled(ctx, o, chosen)
}

// allPeers returns the names of the peers of all rows.
func allPeers(chosen []row) (names []string) {
	for _, r := range chosen {
		for _, name := range r.peers {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (l *lab) timed(ctx context.Context, rounds int, chosen []row, result *report.Report) (err error) {
	c, err := l.start(ctx, l.holdfast, l.access(), allPeers(chosen))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.warmUp(ctx, l.load); err != nil {
		return err
	}
	for round := range rounds {
		for i, r := range chosen {
			turns := slices.Clone(r.peers)
			if round%2 == 1 {
				slices.Reverse(turns)
			}
			for _, name := range turns {
				p := c.peer(name)
				p.hash = round == 0
				m, err := c.once(ctx, r, l.load, p)
				if err != nil {
					return fmt.Errorf("round %d: %w", round+1, err)
				}
				into := result.Rows[i].Peer(name)
				into.Rounds = append(into.Rounds, m)
				l.say("round %d of %d  %-9s %-9s %8.1f %s", round+1, rounds, r.name, name, m.Metric(report.Speed, r.unit), r.unit)
			}
		}
	}
	return nil
}

// warmUp creates connections, buckets and heaps before the first round.
func (c *cast) warmUp(ctx context.Context, l load) error {
	l.stream = 32 << 20
	for _, p := range c.peers {
		do := uploadStream
		if p.server != nil && p.server.Object != "" {
			do = downloadWhole
		}
		if _, err := c.once(ctx, row{name: "warm-up", do: do}, l, p); err != nil {
			return err
		}
	}
	return nil
}
