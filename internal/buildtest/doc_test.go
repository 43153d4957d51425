// Package buildtest keeps the Makefile and the scripts below it true: what they do when something fails, hangs
// or is missing, and that what they ask for fits what the project needs.
package buildtest
