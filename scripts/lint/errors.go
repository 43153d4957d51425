package main

import (
	_ "embed"
	"regexp"
	"strings"

	"github.com/kisielk/errcheck/errcheck"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/packages"
)

// allowed lists the functions whose error may be ignored. It is a part of the program, so that Go's cache notices a
// change.
//
//go:embed errcheck.txt
var allowed string

// harmless are calls that may ignore their error, too: Close of what was only read, where nothing is lost, and draining
// the rest of an answer.
var harmless = regexp.MustCompile(`\.Close\(|io\.CopyN?\(io\.Discard, `)

// ignoredErrors reports errors that are ignored, except in tests, which fail by themselves. The command errcheck finds
// the same, but it checks the types of all libraries from their source first.
func ignoredErrors() *analysis.Analyzer {
	checker := errcheck.Checker{Exclusions: errcheck.Exclusions{
		Symbols:          append(functions(allowed), errcheck.DefaultExcludedSymbols...),
		BlankAssignments: true, TypeAssertions: true,
	}}
	return &analysis.Analyzer{
		Name: "errcheck",
		Doc:  "report errors that are ignored",
		Run: func(pass *analysis.Pass) (any, error) {
			pkg := &packages.Package{Fset: pass.Fset, TypesInfo: pass.TypesInfo}
			for _, file := range pass.Files {
				if name := pass.Fset.File(file.FileStart).Name(); !strings.HasSuffix(name, "_test.go") {
					pkg.Syntax = append(pkg.Syntax, file)
				}
			}
			for _, found := range checker.CheckPackage(pkg).UncheckedErrors {
				if !harmless.MatchString(found.Line) {
					pass.Report(analysis.Diagnostic{
						Pos:     position(pass, found.Pos.Filename, found.Pos.Offset),
						Message: "the error is ignored: " + strings.TrimSpace(found.Line),
					})
				}
			}
			return nil, nil
		},
	}
}

// functions returns the lines of a list that name one.
func functions(list string) (all []string) {
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			all = append(all, line)
		}
	}
	return all
}
