// Package e2e tests the real program from outside: it builds holdfast with the race
// detector, starts it, talks HTTP to it, kills it, and takes its database, its object
// store and its disk away. It has tests only.
package e2e
