// Package e2e tests the real program from outside: it builds holdfast with the race
// detector, starts it, talks HTTP to it, kills it, and takes its database, its object
// store and its disk away. It has tests only.
//
// A test waits for a condition (a metric, a line of the log, a row, an answer, what a socket has not read yet), by
// eventually, and never for a time to be enough: beside three busy processes it is slower, not red. Where a time-out of
// the program has to strike, it is short, and the test waits until it has; where it must not strike, it is an hour.
package e2e
