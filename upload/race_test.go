//go:build race

package upload_test

// race says that the race detector is on, which makes megabytes slow.
const race = true
