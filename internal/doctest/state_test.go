package doctest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// states are the package-level variables that change while the program runs, each with the reason why it is not a
// field. There should be none: two services in one process would share them, and so would tests that run in parallel.
var states = map[string]string{}

// No package of the program has a variable that changes: a package-level variable is a table, an error or a pattern,
// and stays as it is.
func TestNoPackageLevelState(t *testing.T) {
	left := map[string]bool{}
	for name := range states {
		left[name] = true
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "holdfast"), "/")
		if strings.HasPrefix(name, "internal/") && !slices.Contains(shared, name) {
			continue // test support
		}
		var files []string
		for _, f := range p.GoFiles {
			files = append(files, filepath.Join("..", "..", name, f))
		}
		found, err := changing(token.NewFileSet(), files, nil)
		if err != nil {
			t.Fatal(err)
		}
		for variable, how := range found {
			full := path.Join(name, variable)
			delete(left, full)
			if states[full] == "" {
				t.Errorf("%s changes: %s. Make it a field, or give the reason in states", full, how)
			}
		}
	}
	for name := range left {
		t.Errorf("%s does not change, or is gone: take it out of states", name)
	}
}

// stateful matches the types of variables that are meant to change.
var stateful = regexp.MustCompile(`\b(sync|atomic)\.[A-Z]|\bchan\b|\bbytes\.Buffer\b|\bhttp\.(Client|Transport)\b`)

// changing finds the package-level variables that change, and says how. sources replace the files' contents in tests
// of this test.
func changing(fset *token.FileSet, files []string, sources map[string]string) (map[string]string, error) {
	vars, found := map[string]*ast.ValueSpec{}, map[string]string{}
	var parsed []*ast.File
	for _, name := range files {
		var src any
		if s, ok := sources[name]; ok {
			src = s
		}
		f, err := parser.ParseFile(fset, name, src, 0)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, f)
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				s := spec.(*ast.ValueSpec)
				for i, n := range s.Names {
					if n.Name == "_" {
						continue
					}
					vars[n.Name] = s
					if text := declared(fset, s, i); stateful.MatchString(text) {
						found[n.Name] = "it is a " + text
					}
				}
			}
		}
	}
	for _, f := range parsed {
		c := changes{fset: fset, vars: vars, found: found, imports: map[string]bool{}}
		for _, i := range f.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			name := path.Base(p)
			if i.Name != nil {
				name = i.Name.Name
			}
			c.imports[name] = true
		}
		ast.Inspect(f, c.inspect)
	}
	return found, nil
}

// declared returns a variable's type, or its first value if no type is written. The bodies of function literals don't
// count.
func declared(fset *token.FileSet, s *ast.ValueSpec, i int) string {
	node := ast.Node(s.Type)
	if s.Type == nil {
		if i >= len(s.Values) {
			return ""
		}
		node = s.Values[i]
		if call, ok := node.(*ast.CallExpr); ok {
			if _, ok := call.Fun.(*ast.FuncLit); ok {
				return ""
			}
		}
	}
	if _, ok := node.(*ast.FuncLit); ok {
		return ""
	}
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, node); err != nil {
		return err.Error()
	}
	first, _, _ := strings.Cut(b.String(), "\n")
	return first
}

// changes collects what a file does to variables.
type changes struct {
	fset    *token.FileSet
	vars    map[string]*ast.ValueSpec
	found   map[string]string
	imports map[string]bool
}

func (c changes) inspect(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, left := range n.Lhs {
				c.change(left, "assigned")
			}
		}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			c.change(n.Key, "assigned")
			c.change(n.Value, "assigned")
		}
	case *ast.IncDecStmt:
		c.change(n.X, "counted")
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			c.change(n.X, "its address is taken")
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && f.Obj == nil && len(n.Args) > 0 &&
			slices.Contains([]string{"delete", "clear", "copy", "close"}, f.Name) {
			c.change(n.Args[0], "given to "+f.Name)
		}
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 0 {
			if pkg, ok := f.X.(*ast.Ident); ok && pkg.Name == "slices" && pkg.Obj == nil &&
				(strings.HasPrefix(f.Sel.Name, "Sort") || f.Sel.Name == "Reverse") {
				c.change(n.Args[0], "given to slices."+f.Sel.Name)
			}
		}
	}
	return true
}

// change records the variable that an expression is, or is a part of.
func (c changes) change(e ast.Expr, how string) {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SelectorExpr:
			if pkg, ok := x.X.(*ast.Ident); ok && pkg.Obj == nil && c.imports[pkg.Name] {
				c.note(pkg.Name+"."+x.Sel.Name, how, x)
				return
			}
			e = x.X
		case *ast.Ident:
			// If the parser found no declaration in the file, the name is the package's.
			spec, isVar := c.vars[x.Name]
			if isVar && (x.Obj == nil || x.Obj.Decl == spec) {
				c.note(x.Name, how, x)
			}
			return
		default:
			return
		}
	}
}

func (c changes) note(name, how string, at ast.Node) {
	if c.found[name] == "" {
		c.found[name] = fmt.Sprintf("%s at %s", how, c.fset.Position(at.Pos()))
	}
}

func TestStateIsFound(t *testing.T) {
	a := `package p
import ("sync"; "net/http"; "slices"; "errors")
var (
	table = map[string]int{"a": 1}
	list = []string{"b", "a"}
	fine = map[string]int{"a": 1}
	ErrFine = errors.New("x")
	filled map[string]int
	count, other int
	mu sync.Mutex
	pool = sync.Pool{New: func() any { return nil }}
	pointed struct{ f int }
	gone = map[int]int{}
	made = func() map[string]int { m := map[string]int{}; m["a"] = 1; var mu sync.Mutex; mu.Lock(); return m }()
	queue = make(chan int, 1)
	elsewhere int
	_ = fine
)
func f(fine map[string]int) {
	table["b"] = 2
	fine["b"] = 2
	filled, x := table, 1
	_ = x
	count++
	q := &pointed.f
	*q = 1
	delete(gone, 1)
	slices.Sort(list)
	http.DefaultClient = nil
	var other int
	other = 1
	_ = other
	_ = filled
}
`
	b := `package p
func g() { elsewhere += 1; ErrFine := 1; ErrFine = 2; _ = ErrFine }
`
	found, err := changing(token.NewFileSet(), []string{"a.go", "b.go"}, map[string]string{"a.go": a, "b.go": b})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"count", "elsewhere", "gone", "http.DefaultClient", "list", "mu", "pointed", "pool", "queue", "table"}
	var got []string
	for name := range found {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
