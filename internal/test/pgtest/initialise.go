package pgtest

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// initialised is the data folder that the process's servers begin with a copy of: initdb takes half a second of a
// processor, a copy a tenth of that. It is removed with the process.
var initialised struct {
	sync.Mutex
	server *Server // which never runs
}

// copyInitialised gives s a data folder and the password of its user.
func (s *Server) copyInitialised() error {
	initialised.Lock()
	defer initialised.Unlock()
	if initialised.server == nil {
		first, err := newServer(s.bin)
		if err != nil {
			return err
		}
		if err := first.initialise(); err != nil {
			first.folder.Remove()
			return err
		}
		initialised.server = first
	}
	first := initialised.server
	if out, err := exec.Command("cp", "-a", first.data, s.data).CombinedOutput(); err != nil {
		return fmt.Errorf("copy PostgreSQL's data folder: %w\n%s", err, out)
	}
	s.Password = first.Password
	return nil
}

// initialise creates the data folder, with a password: if every connection on loopback were trusted, tests would
// not notice a missing password.
func (s *Server) initialise() error {
	s.Password = rand.Text()
	verifier, err := scramVerifier(s.Password)
	if err != nil {
		return err
	}
	password := filepath.Join(s.folder.Path, "password")
	if err := os.WriteFile(password, []byte(verifier+"\n"), 0o600); err != nil {
		return err
	}
	if err := s.own(password); err != nil {
		return err
	}
	err = s.run("initdb", "--pgdata="+s.data, "--username="+s.User, "--pwfile="+password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if errors.Is(err, fs.ErrPermission) && s.bin.as != nil {
		return fmt.Errorf("PostgreSQL's user may not enter %s: set TMPDIR to a folder open to all, such as /tmp: %w",
			s.folder.Path, err)
	}
	return err
}

// scramVerifier is what PostgreSQL keeps of a password (RFC 5802, 3; pg_authid), for one round of the hash: with the
// 4,096 that it takes by itself each connection of a program with the race detector takes 13 ms of a processor.
func scramVerifier(password string) (string, error) {
	const rounds = 1
	salt := make([]byte, 16)
	rand.Read(salt)
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", err
	}
	sign := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored, server := sha256.Sum256(sign("Client Key")), sign("Server Key")
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, encode(salt), encode(stored[:]), encode(server)), nil
}

// own gives a path to the user that the server runs as.
func (s *Server) own(path string) error {
	if as := s.bin.as; as != nil {
		return os.Chown(path, int(as.Uid), int(as.Gid))
	}
	return nil
}
