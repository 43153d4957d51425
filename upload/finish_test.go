package upload

import (
	"errors"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// A store may report success and still make an object of another size: then there is no cause to name.
func TestTheErrorOfAWrongSize(t *testing.T) {
	u := &file.Upload{Size: 12}
	const said = "the object has 7 bytes, the upload 12"
	without := wrongSize(storage.Object{Size: 7}, u, nil)
	if !errors.Is(without, file.ErrStorageWrite) || !strings.HasSuffix(without.Error(), said) {
		t.Error(without)
	}
	cause := errors.New("no such part")
	with := wrongSize(storage.Object{Size: 7}, u, cause)
	if !errors.Is(with, file.ErrStorageWrite) || !errors.Is(with, cause) ||
		!strings.HasSuffix(with.Error(), said+": no such part") {
		t.Error(with)
	}
}
