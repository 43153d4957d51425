package filelock

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// sharingViolation is ERROR_SHARING_VIOLATION: somebody has opened the file who does not share it.
const sharingViolation = syscall.Errno(32)

func open(path string) (*os.File, error) { return openAlone(path, syscall.OPEN_EXISTING) }

func create(path string) (*os.File, error) { return openAlone(path, syscall.CREATE_NEW) }

// openAlone opens a file that nobody else can open to write until it is closed; reading, renaming and removing it is
// possible.
func openAlone(path string, disposition uint32) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE,
		syscall.FILE_SHARE_READ|syscall.FILE_SHARE_DELETE, nil, disposition,
		syscall.FILE_ATTRIBUTE_NORMAL|syscall.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if errors.Is(err, sharingViolation) {
		err = ErrHeld
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// lock does nothing: the file was opened alone.
func lock(*os.File) error { return nil }
