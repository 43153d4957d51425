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

// TakePart gives out the next part number, for a part of size bytes. Whatever becomes of the
// part, the number is never given out again. The offset is not part of this fence: parts
// before may be committed at any moment. file.ErrQuota if parts that came to nothing lie in
// the store, and the account has no room for this one beside them.
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
		if final { // its sources have reserved the same bytes
			return nil
		}
		return d.grow(ctx, tx, f.ID, account, reserved, sent)
	})
	return number, err
}

// DropMultipart forgets the multipart upload of an upload that has no committed parts: it is
// to be aborted, and what was sent to it counts no more.
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

// SetMultipart notes the key of the object that is written in parts, the store's multipart upload, and how long its
// parts are, in bytes.
func (d *DB) SetMultipart(ctx context.Context, f file.Fence, key string, m file.Multipart, partSize int64) error {
	return d.tx(ctx, "note multipart upload", func(tx *transaction) error {
		return fenced(ctx, tx, f, `object_key = $5, multipart_id = $6, multipart_sums = $7, part_size = $8`,
			key, m.ID, m.Sums, partSize)
	})
}

// The version before had no columns for checksums: it wrote oldSums behind the id of a multipart upload whose parts
// have a CRC32, and the CRC32 behind the tag of each part, after a space. The store's own ids and tags have no spaces.
const oldSums = " crc32"

// splitMultipart reads a row of the version before, too.
func splitMultipart(m file.Multipart) file.Multipart {
	if id, old := strings.CutSuffix(m.ID, oldSums); old {
		return file.Multipart{ID: id, Sums: true}
	}
	return m
}

// splitPart reads a row of the version before, too.
func splitPart(p file.Part) file.Part {
	if tag, sum, old := strings.Cut(p.ETag, " "); old {
		p.ETag, p.CRC32 = tag, sum
	}
	return p
}
