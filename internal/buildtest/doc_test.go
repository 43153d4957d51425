// Package buildtest tests the Makefile and the scripts that it calls: what they do when something fails, hangs or is
// missing, and that the tool versions they require fit the project.
package buildtest
