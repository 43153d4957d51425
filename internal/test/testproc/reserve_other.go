//go:build !linux

package testproc

// reserve reserves nothing: there are no abstract sockets here.
func reserve(int) (bool, error) { return true, nil }
