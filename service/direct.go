package service

import (
	"context"
	"errors"
	"fmt"

	"holdfast/direct"
	"holdfast/limit"
	"holdfast/problem"
	"holdfast/storage"
)

// partReceiver is the store if clients may send it parts; nil: UPLOAD_DIRECT is off. A store that can't take them
// safely ends the start.
func (s *server) partReceiver(ctx context.Context) (storage.PartReceiver, error) {
	c := s.config
	if !c.Direct.On {
		return nil, nil
	}
	store, ok := s.deps.Objects.(storage.PartReceiver)
	if !ok {
		return nil, fmt.Errorf("%w: UPLOAD_DIRECT needs a store that clients can reach", ErrSettings)
	}
	err := waitFor(ctx, s.log, "object store", c.StartTimeout, func(ctx context.Context) error {
		buckets, err := s.deps.Objects.Buckets(ctx, s.layout.BucketPrefix+"-")
		if err != nil {
			return err
		}
		s.needsSums, err = store.CheckDirect(ctx, firstOurs(s.layout, buckets, s.layout.Object(0, "").Bucket))
		return err
	})
	if errors.Is(err, storage.ErrNoDirect) {
		return nil, fmt.Errorf("%w: UPLOAD_DIRECT=on: %w", ErrSettings, err)
	}
	return store, err
}

// firstOurs returns the first of the buckets that belongs to an account; other if none does. A bucket with the prefix
// may be another program's: the prefix and "-backup".
func firstOurs(l storage.Layout, buckets []string, other string) string {
	for _, b := range buckets {
		if _, ours := l.Account(b); ours {
			return b
		}
	}
	return other
}

// directHandler is the endpoint of uploads whose clients send the parts to the store.
func (s *server) directHandler(parts storage.PartReceiver, respond problem.Responder,
	limits *limit.Limits) *direct.Handler {
	o := direct.Options{Engine: s.engine, Respond: respond, TTL: s.config.Direct.TTL, Limit: limits.Upload,
		Base: s.base.Of, WriteTimeout: s.config.WriteTimeout, NeedsSums: s.needsSums}
	if parts != nil {
		o.Sign = parts.PartSigner(s.config.Direct.Endpoint)
	}
	return direct.New(o)
}
