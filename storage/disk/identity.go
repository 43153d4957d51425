package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"holdfast/file"
)

// identityFile contains the identity of the store. While it is missing, or contains another one, nothing is reported
// as missing: the folder may have been removed, unmounted, or replaced by another mount under the running service.
const identityFile = "identity"

// maxIdentity is the longest identity that is read, in bytes.
const maxIdentity = 100

// ErrOtherStore says that the folder does not have the store that the database belongs to. Nothing was changed.
var ErrOtherStore = errors.New("not the store of this database")

// Database is what the database knows about its store.
type Database struct {
	Identity string // of the store; empty: none was noted yet
	Used     bool   // there are files or uploads
}

// Identity returns the identity of the store, which the database stores.
func (s *Store) Identity() string { return s.identity }

func (s *Store) identityPath() string { return filepath.Join(s.root, identityFile) }

// readIdentity reads the identity of the folder; empty if it has none.
func (s *Store) readIdentity() (string, error) {
	f, err := s.fs.Open(s.identityPath())
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIdentity))
	return strings.TrimSpace(string(b)), err
}

// identify finds out which store the folder has, and whether the database belongs to it. A store of an older version,
// which has no identity, gets one: see keepIdentity.
func (s *Store) identify(o Options) (err error) {
	if s.identity, err = s.readIdentity(); err != nil || o.Database == nil {
		return err
	}
	stored, err := s.isUsed()
	if err != nil {
		return err
	}
	known := o.Database.Identity
	if o.Accept && known != "" {
		s.identity = known
	}
	if o.Accept || fits(s.identity, known, stored, o.Database.Used) {
		return nil
	}
	switch {
	case s.identity == "" && !stored:
		return fmt.Errorf("%w: the database has files or uploads, and there is no store in %s. If it is on another disk, "+
			"mount that; if it was removed, restore it from a backup. To start without what is gone, run `holdfast store "+
			"accept` first; `holdfast reconcile` then lists what is missing", ErrOtherStore, s.root)
	case known == "":
		return fmt.Errorf("%w: the store in %s has objects of another database, and this database is empty. Check DATA_DIR "+
			"and the POSTGRES_ settings, or restore the database from a backup. To use this store with this database, run "+
			"`holdfast store accept` first", ErrOtherStore, s.root)
	default:
		return fmt.Errorf("%w: the database belongs to the store %s, and in %s is the store %q. Check DATA_DIR and the "+
			"POSTGRES_ settings, and whether the right disk is mounted. To use this store with this database, run `holdfast "+
			"store accept` first", ErrOtherStore, known, s.root, s.identity)
	}
}

// fits reports whether a store and a database belong together. Both of them may be older than identities. stored and
// used say that the store has objects, and the database files or uploads.
//
//	store's identity | database's | belong together
//	none             | none       | if the store has objects, or the database is not used
//	A                | none       | if the store is empty, or the database is used
//	A                | A          | yes
//	none             | A          | no
//	A                | B          | no
func fits(stores, databases string, stored, used bool) bool {
	if databases != "" {
		return databases == stores
	}
	if stores == "" {
		return stored || !used
	}
	return used || !stored
}

// isUsed reports whether the data folder has buckets, of this version or of 0.1.
func (s *Store) isUsed() (bool, error) {
	for _, dir := range []string{filepath.Join(s.root, "buckets"), filepath.Join(s.dataDir, oldObjects)} {
		if names, err := s.fs.Names(dir); err != nil || len(names) > 0 {
			return true, err
		}
	}
	return false, nil
}

// keepIdentity writes the identity, and makes one if there is none.
func (s *Store) keepIdentity(ctx context.Context) error {
	if was, err := s.readIdentity(); err != nil || was != "" && was == s.identity {
		return err
	}
	if s.identity == "" {
		s.identity = string(file.NewID())
	}
	d, err := s.newDraft()
	if err != nil {
		return err
	}
	defer d.drop()
	if _, err := fmt.Fprintln(d, s.identity); err != nil {
		return err
	}
	if err := d.flush(ctx); err != nil {
		return err
	}
	if err := d.rename(s.identityPath()); err != nil {
		return err
	}
	return s.flush(ctx, nil, s.root)
}

// checkIdentity returns an error if the folder of the store is missing, or is another one.
func (s *Store) checkIdentity() error {
	now, err := s.readIdentity()
	if err == nil && now != s.identity {
		err = fmt.Errorf("the folder %s has the identity %q, not %q: was it removed, unmounted or replaced?", s.root, now,
			s.identity)
	}
	return err
}
