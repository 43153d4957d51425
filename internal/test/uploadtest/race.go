//go:build race

package uploadtest

// race says that the race detector is on, which makes every scene slow.
const race = true
