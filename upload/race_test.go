//go:build race

package upload_test

// race says that the race detector watches, which makes megabytes slow.
const race = true
