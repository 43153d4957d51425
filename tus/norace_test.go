//go:build !race

package tus

const race = false
