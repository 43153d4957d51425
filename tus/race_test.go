//go:build race

package tus

// race says that the race detector watches, which makes megabytes slow.
const race = true
