//go:build !unix

package db

import "net"

// isReadable is implemented on unix only. Elsewhere each connection is pinged before it is used.
func hasInput(net.Conn) bool { return true }
