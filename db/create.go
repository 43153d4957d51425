package db

import (
	"context"
	"time"

	"holdfast/file"
)

// CreateUpload inserts the row of a new upload. With a holder the row is created under a lease of epoch 1, for ttl.
// The error is file.ErrQuota if its account has no room for it, or its creator too many unfinished ones.
func (d *DB) CreateUpload(ctx context.Context, u file.Upload, holder string, ttl time.Duration) error {
	return d.tx(ctx, "create upload", func(tx *transaction) error { return d.createUpload(ctx, tx, u, holder, ttl) })
}

func (d *DB) createUpload(ctx context.Context, tx *transaction, u file.Upload, holder string, ttl time.Duration) error {
	epoch, until := int64(0), int64(0)
	if holder != "" {
		epoch, until = 1, ttl.Milliseconds()
	}
	bytes, slots := reserves(u)
	if err := d.reserve(ctx, tx, u.Creator.AccountID, bytes, slots); err != nil {
		return err
	}
	if err := d.fewUnfinished(ctx, tx, u); err != nil {
		return err
	}
	_, err := exec(ctx, tx, "create upload", d.text(`
		insert into uploads (id, creator_kind, user_id, account_id, fingerprint, bucket, object_key,
			name, type, metadata, size, deferred, part_size, partial, sources, claim, ttl,
			lease_holder, lease_epoch, lease_until, reserved, slots, direct, visitor, created, expires)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
			case when cast($19 as bigint) > 0 then {now} + $20 else 0 end, $21, $22, $23, $24, {now}, {now} + $17)`),
		u.ID, u.Creator.Kind, u.Creator.UserID, u.Creator.AccountID, u.Creator.Fingerprint, u.Location.Bucket, u.Location.Key,
		u.Name, u.Type, u.Metadata, u.Size, u.Deferred, u.PartSize, u.Partial, joinIDs(u.Sources), u.Claim,
		u.TTL.Milliseconds(),
		holder, epoch, until, bytes, slots, u.Direct, u.Creator.Visitor)
	return err
}

// reserves returns what a new upload reserves of its account's quota. An upload of unknown length reserves bytes as
// they arrive. A final one reserves nothing, since its sources already have.
func reserves(u file.Upload) (bytes, slots int64) {
	if len(u.Sources) > 0 {
		return 0, 0
	}
	if !u.Deferred {
		bytes = u.Size
	}
	return bytes, 1
}

// visitorShare is how many visitors it takes at least to use up what their form may have: one alone does not lock out
// the others.
const visitorShare = 10

// fewUnfinished refuses an unfinished upload to an identity that already has too many. Visitors of a form are one
// identity, by their token: each may have a share of what the form may have. It is called with the account's usage
// locked, so that two requests are not counted at the same time.
func (d *DB) fewUnfinished(ctx context.Context, tx *transaction, u file.Upload) error {
	if d.unfinished == 0 || len(u.Sources) > 0 || u.TTL == 0 { // TTL 0: it ends with its request
		return nil
	}
	var all, own int64
	err := row(ctx, tx, "count unfinished uploads", `select count(*), count(case when visitor = $4 then 1 end) from uploads
		where `+samePrincipal(1)+`
			and ttl > 0 and sources = '' and state <> 'recorded' and state <> 'deleted'`,
		append(principal(u.Creator), u.Creator.Visitor), &all, &own)
	visits, most := u.Creator.Visitor != "", (d.unfinished+visitorShare-1)/visitorShare
	switch {
	case err != nil:
		return err
	case visits && own >= most:
		return file.Refuse(file.ErrQuota, "Quota of %d unfinished uploads of one visitor exceeded: finish or end one of them",
			most)
	case visits && all >= d.unfinished:
		return file.Refuse(file.ErrQuota, "Quota of %d unfinished uploads of all visitors of this form exceeded: try later",
			d.unfinished)
	case all >= d.unfinished:
		return file.Refuse(file.ErrQuota, "Quota of %d unfinished uploads exceeded: finish or end one of them", d.unfinished)
	}
	return nil
}
