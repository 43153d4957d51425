//go:build !race

package upload_test

const race = false
