//go:build !linux

package testproc

import "syscall"

// Only Linux signals a child that its parent died. Elsewhere a killed test process leaves its servers running; a
// test that ends in any other way does not.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
