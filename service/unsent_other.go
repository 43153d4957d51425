//go:build !linux && !darwin

package service

func setUnsent(uintptr) {}
