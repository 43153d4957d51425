// Command lint checks Go packages as go vet, staticcheck and errcheck do, in one pass. go vet runs it with -vettool,
// once for each package, and keeps the results in Go's cache, so that only what has changed is checked again.
//
//	go build -C scripts/lint -o /tmp/lint . && go vet -vettool=/tmp/lint ./...
//
// All rules of staticcheck are on, unless a flag says otherwise: -ST1000=false. Comments that switch off a rule do not
// count.
package main

import (
	"encoding/json"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/analysis/unitchecker"
	"honnef.co/go/tools/analysis/lint"
	"honnef.co/go/tools/simple"
	"honnef.co/go/tools/staticcheck"
	"honnef.co/go/tools/stylecheck"
	"honnef.co/go/tools/unused"
)

func main() {
	all := slices.Clone(vet.Suite)
	for _, rule := range slices.Concat(simple.Analyzers, staticcheck.Analyzers, stylecheck.Analyzers) {
		all = append(all, rule.Analyzer)
	}
	all = append(all, unusedCode(unused.Analyzer), ignoredErrors())
	if onlyFacts(os.Args[len(os.Args)-1]) {
		all = factsOf(all)
	}
	unitchecker.Main(all...)
}

// onlyFacts reports whether the configuration asks only for facts: what the rules must know of a library. unitchecker
// alone would also run all rules that use such facts, which takes minutes for all libraries.
func onlyFacts(config string) bool {
	if filepath.Ext(config) != ".cfg" {
		return false
	}
	var unit struct{ VetxOnly bool }
	b, err := os.ReadFile(config)
	return err == nil && json.Unmarshal(b, &unit) == nil && unit.VetxOnly
}

// factsOf returns those of the rules, and of what they require, that find facts. The other rules keep their names and
// flags, and do not run.
func factsOf(rules []*analysis.Analyzer) (all []*analysis.Analyzer) {
	seen := map[*analysis.Analyzer]bool{}
	for _, rule := range rules {
		seen[rule] = true
		if len(rule.FactTypes) == 0 {
			rule = &analysis.Analyzer{Name: rule.Name, Doc: rule.Doc, Flags: rule.Flags, Run: rule.Run}
		}
		all = append(all, rule)
	}
	var visit func(rule *analysis.Analyzer)
	visit = func(rule *analysis.Analyzer) {
		if !seen[rule] && len(rule.FactTypes) > 0 {
			all = append(all, rule)
		}
		seen[rule] = true
		for _, required := range rule.Requires {
			visit(required)
		}
	}
	for _, rule := range rules {
		visit(rule)
	}
	return all
}

// unusedCode reports what U1000 finds, which by itself reports nothing. go vet gives it a package together with its
// tests, so that what only tests use counts as used.
func unusedCode(rule *lint.Analyzer) *analysis.Analyzer {
	return &analysis.Analyzer{
		Name:     "unused",
		Doc:      "report code that nothing uses (U1000)",
		Requires: []*analysis.Analyzer{rule.Analyzer},
		Run: func(pass *analysis.Pass) (any, error) {
			for _, object := range pass.ResultOf[rule.Analyzer].(unused.Result).Unused {
				pass.Report(analysis.Diagnostic{
					Pos:     position(pass, object.Position.Filename, object.Position.Offset),
					Message: fmt.Sprintf("%s %s is unused (U1000)", object.Kind, object.Name),
				})
			}
			return nil, nil
		},
	}
}

// position returns the position of what a rule found: it gives only the name of the file, and the offset.
func position(pass *analysis.Pass, name string, offset int) token.Pos {
	for file := range pass.Fset.Iterate {
		if file.Name() == name {
			return file.Pos(offset)
		}
	}
	return token.NoPos
}
