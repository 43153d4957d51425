package disk

import "context"

// block is what the lengths of uncached writes are multiples of, in bytes. Devices have blocks of 512 bytes or of
// 4 KiB.
const block = 4 << 10

// writePieces appends pieces; if d is uncached, the whole blocks at their beginning without the page cache.
//
// Parts are uncached: they belong to large files, which would push what is read more often out of the page cache, and
// to find a page for every 4 KiB takes more of the processor than all else that is done with them. So the first who
// reads a large file reads it from the disk; a small one is still in the cache.
func (d *draft) writePieces(ctx context.Context, pieces [][]byte) error {
	if d.uncached {
		n, err := d.store.fs.WriteUncached(d.f, wholeBlocks(pieces))
		if err != nil {
			return err
		}
		pieces = behind(pieces, n)
	}
	for _, p := range pieces {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := d.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// wholeBlocks returns the pieces up to the first one that does not end with a block, of which it cuts the end off.
func wholeBlocks(pieces [][]byte) (whole [][]byte) {
	for _, p := range pieces {
		n := len(p) - len(p)%block
		if n > 0 {
			whole = append(whole, p[:n])
		}
		if n < len(p) {
			break
		}
	}
	return whole
}

// behind returns the pieces without their first n bytes.
func behind(pieces [][]byte, n int) [][]byte {
	for len(pieces) > 0 && n >= len(pieces[0]) {
		n, pieces = n-len(pieces[0]), pieces[1:]
	}
	if n <= 0 {
		return pieces
	}
	return append([][]byte{pieces[0][n:]}, pieces[1:]...)
}
