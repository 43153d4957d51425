package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"holdfast/bench/parts"
	"holdfast/bench/report"
)

// uploadDirect sends one file in parts to the store itself, with URLs that Holdfast signs; the direct peer puts it as
// the SDK does. With a claim the client declares the SHA-256, which is compared before the file can be seen. Without
// one Holdfast reads the file afterwards, which is not in the measurement: see sumAfterwards.
func uploadDirect(claim bool) func(context.Context, load, *peer) (report.Measured, error) {
	return func(ctx context.Context, l load, p *peer) (report.Measured, error) {
		if p.server == nil {
			return uploadStream(ctx, l, p)
		}
		sum := ""
		if claim {
			sum = l.content.SHA256(l.stream)
		}
		var u parts.Upload
		m, err := p.time(func() (err error) {
			if u, err = p.sendParts(ctx, l, sum); err != nil {
				return err
			}
			return p.server.Direct.Complete(ctx, u)
		})
		if m.Bytes, m.Operations = l.stream, 1; err != nil {
			return m, err
		}
		return m, p.checkDirect(ctx, l, u)
	}
}

// sumAfterwards completes a direct upload and waits until its SHA-256 was computed.
func sumAfterwards(ctx context.Context, l load, p *peer) (report.Measured, error) {
	u, err := p.sendParts(ctx, l, "")
	if err != nil {
		return report.Measured{}, err
	}
	m, err := p.time(func() error {
		if err := p.server.Direct.Complete(ctx, u); err != nil {
			return err
		}
		_, err := p.awaitSum(ctx, u)
		return err
	})
	if m.Bytes, m.Operations = l.stream, 1; err != nil {
		return m, err
	}
	return m, p.checkDirect(ctx, l, u)
}

// sendParts begins a direct upload and sends its parts.
func (p *peer) sendParts(ctx context.Context, l load, sum string) (parts.Upload, error) {
	u, err := p.server.Direct.Begin(ctx, l.stream, sum)
	if err != nil {
		return u, err
	}
	return u, p.server.Direct.Send(ctx, u, l.content, l.stream)
}

// awaitSum waits until the SHA-256 of a file is known.
func (p *peer) awaitSum(ctx context.Context, u parts.Upload) (string, error) {
	for {
		sum, err := p.server.Direct.Digest(ctx, u)
		if err != nil || sum != "" {
			return sum, err
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// checkDirect waits until the service has read a file, and compares its SHA-256 with what was sent.
func (p *peer) checkDirect(ctx context.Context, l load, u parts.Upload) error {
	if err := p.checkObject(ctx, u.ID, l.stream); err != nil {
		return err
	}
	got, err := p.awaitSum(ctx, u)
	if err != nil {
		return err
	}
	sum, err := hex.DecodeString(l.content.SHA256(l.stream))
	if err != nil {
		return err
	}
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"; got != want {
		return fmt.Errorf("%w: %s, and %s was sent", errWrong, got, want)
	}
	return nil
}
