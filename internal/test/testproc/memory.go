package testproc

import "golang.org/x/sys/unix"

// memoryFolder is a file system in memory on Linux.
const memoryFolder = "/dev/shm"

// NewFolderInMemory is NewFolder in memory if that many bytes are free there, for servers that are not ours: their many
// small files cost several times the processor time on a disk. Else the folder is where those of NewFolder are.
func NewFolderInMemory(name string, free uint64) (*Folder, error) {
	var fs unix.Statfs_t
	if unix.Statfs(memoryFolder, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < free ||
		unix.Access(memoryFolder, unix.W_OK) != nil {
		return NewFolder(name)
	}
	return newFolderIn(memoryFolder, name)
}
