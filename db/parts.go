package db

import (
	"context"
	"strings"

	"holdfast/file"
)

// Parts reads the committed parts of an upload, in order.
func (d *DB) Parts(ctx context.Context, id file.ID) (parts []file.Part, err error) {
	err = d.rows(ctx, "read parts",
		`select number, "offset", size, etag, crc32 from upload_parts where upload_id = $1 order by number`, []any{id},
		func(scan func(...any) error) error {
			var p file.Part
			err := scan(&p.Number, &p.Offset, &p.Size, &p.ETag, &p.CRC32)
			parts = append(parts, splitPart(p))
			return err
		})
	return parts, err
}

// TakePart returns the next part number, for a part of size bytes. A number is never returned twice, even if its
// part fails. The fence does not include the offset: earlier parts may be committed at any moment. The error is
// file.ErrQuota if failed parts are still in the store and the account has no room for this one beside them.
func (d *DB) TakePart(ctx context.Context, f file.Fence, size int64) (number int32, err error) {
	err = d.tx(ctx, "take part number", func(tx *transaction) error {
		var account, reserved, sent int64
		var final bool
		err := row(ctx, tx, "take part number", `
			update uploads set next_part = next_part + 1, sent = sent + $3
			where id = $1 and lease_epoch = $2 and state = 'open'
			returning next_part - 1, account_id, reserved, sent, sources <> ''`, []any{f.ID, f.Epoch, size}, &number, &account,
			&reserved, &sent, &final)
		if err != nil {
			return lost(err)
		}
		if final { // its sources have reserved these bytes already
			return nil
		}
		return d.grow(ctx, tx, f.ID, account, reserved, sent)
	})
	return number, err
}

// DropMultipart removes the multipart upload from the row of an upload that has no committed parts: it will be
// aborted, and the bytes sent to it no longer count.
func (d *DB) DropMultipart(ctx context.Context, f file.Fence) error {
	return d.tx(ctx, "drop multipart upload", func(tx *transaction) error {
		account, before, _, err := reservation(ctx, tx, f.ID)
		if err != nil {
			return lost(err)
		}
		if err := fenced(ctx, tx, f,
			`multipart_id = '', multipart_sums = false, sent = 0,
				reserved = case when sources <> '' then 0 when deferred then committed_offset else size end`); err != nil {
			return err
		}
		_, after, _, err := reservation(ctx, tx, f.ID)
		if err != nil {
			return err
		}
		return d.count(ctx, tx, account, after-before, 0)
	})
}

// SetMultipart stores the key of the object that is written in parts, the store's id of the multipart upload, and
// the length of its parts, in bytes.
func (d *DB) SetMultipart(ctx context.Context, f file.Fence, key string, m file.Multipart, partSize int64) error {
	return d.tx(ctx, "note multipart upload", func(tx *transaction) error {
		return fenced(ctx, tx, f, `object_key = $5, multipart_id = $6, multipart_sums = $7, part_size = $8`,
			key, m.ID, m.Sums, partSize)
	})
}

// The previous version had no columns for checksums. It appended oldSums to the id of a multipart upload whose
// parts have a CRC32, and to the tag of each part a space and the CRC32. The store's own ids and tags have no
// spaces.
const oldSums = " crc32"

// splitMultipart also reads rows of the previous version.
func splitMultipart(m file.Multipart) file.Multipart {
	if id, old := strings.CutSuffix(m.ID, oldSums); old {
		return file.Multipart{ID: id, Sums: true}
	}
	return m
}

// splitPart also reads rows of the previous version.
func splitPart(p file.Part) file.Part {
	if tag, sum, old := strings.Cut(p.ETag, " "); old {
		p.ETag, p.CRC32 = tag, sum
	}
	return p
}
