package pgtest

import "golang.org/x/sys/unix"

// memoryFolder is a file system in memory on Linux, and roomy how many free bytes it must have: a server takes 60 MB.
const (
	memoryFolder = "/dev/shm"
	roomy        = 2 << 30
)

// inMemory returns the folder for servers' data: in memory if there is plenty of room, else "", the usual one. A new
// server and each new database are hundreds of new files, and on a disk they take three times as long.
func inMemory() string {
	var fs unix.Statfs_t
	if unix.Statfs(memoryFolder, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < roomy ||
		unix.Access(memoryFolder, unix.W_OK) != nil {
		return ""
	}
	return memoryFolder
}
