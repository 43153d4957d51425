// Package e2e tests the real program from outside: it builds holdfast with the race detector, starts it, sends HTTP
// requests, kills it, and takes its database, its object store and its disk away. It contains only tests.
//
// A test waits for a condition (a metric, a line of the log, a row, an answer, what a socket has not read yet), by
// eventually, and never for a time to be long enough: beside three busy processes it is slower, but does not fail. If
// a time-out of the program has to expire, it is short, and the test waits until it has; if it must not expire, it is
// an hour.
package e2e
