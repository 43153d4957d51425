package disk

import "context"

// block is what the lengths of writes around the system's memory are multiples of, in bytes. Devices have blocks of 512
// bytes or of 4 KiB.
const block = 4 << 10

// writePieces appends pieces. If d goes around the system's memory, those that are whole blocks do.
//
// Parts do: they belong to large files, which would push out of that memory what is read more often, and to find a page
// of it for every 4 KiB takes more of the processor than all else that is done with them. The first who reads a large
// file reads it from the disk, therefore; a small one is there still.
func (d *draft) writePieces(ctx context.Context, pieces [][]byte) error {
	if d.around {
		n, err := d.store.fs.WriteAround(d.f, wholeBlocks(pieces))
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
