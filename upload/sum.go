package upload

import (
	"hash/crc32"

	"holdfast/storage"
)

// sum is the CRC32 of bytes that are read in their order, from the first one on.
type sum struct {
	crc  uint32
	size int64 // bytes
}

// add adds bytes that were read at an offset. At offset 0 the sum begins anew; bytes that do not come next are left
// out, and the sum is then short of them.
func (s *sum) add(at int64, b []byte) {
	if at == 0 {
		*s = sum{}
	}
	if at == s.size {
		s.crc, s.size = crc32.Update(s.crc, crc32.IEEETable, b), s.size+int64(len(b))
	}
}

// text is the sum of size bytes as rows have it, in base64; empty if other bytes were added.
func (s *sum) text(size int64) string {
	if s.size != size {
		return ""
	}
	return storage.CRC32Text(s.crc)
}
