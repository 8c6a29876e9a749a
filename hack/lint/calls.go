package lint

import (
	"go/ast"
	"strings"
)

// call is one that only some packages may make.
type call struct {
	pkg   string   // import path; empty for a method of any value
	names []string // functions or methods
	rooms []string // who may
	tests bool     // whether test files are held too
	why   string
}

// killers may signal by pid: in a zone pid 1 is never another's, and -1 is everybody; a
// test's own child, not yet waited for, keeps its number and its session's.
var killers = []string{"cmd/init", "svc/inside", "hack", "internal/testenv"}

var calls = []call{
	{
		pkg: "golang.org/x/sys/unix", names: []string{"Kill", "Tgkill"}, rooms: killers,
		why: "a pid may be another's by now: signal through a pidfd",
	},
	{
		pkg: "syscall", names: []string{"Kill"}, rooms: killers,
		why: "a pid may be another's by now: signal through a pidfd",
	},
	{
		pkg: "time", names: []string{"Sleep"}, rooms: []string{"internal/testenv", "hack"},
		why: "product code waits with timers that can be cancelled",
	},
	{
		names: []string{"Skip", "Skipf", "SkipNow"}, rooms: []string{"internal/testenv"}, tests: true,
		why: "a skip needs a probe: testenv.Need",
	},
}

func checkCalls(m *module) ([]finding, error) {
	var found []finding
	for _, f := range m.files {
		names := importNames(f)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			for _, c := range calls {
				if c.breached(f, names, selector) {
					found = append(found, finding{path: f.path, line: f.line(selector.Pos()), what: selector.Sel.Name + ": " + c.why})
				}
			}
			return true
		})
	}
	return found, nil
}

// breached says whether the selector is the call and f may not make it. A function that is
// handed on without being called counts: it will be.
func (c call) breached(f *file, imports map[string]string, s *ast.SelectorExpr) bool {
	if f.test() && !c.tests {
		return false
	}
	for _, room := range c.rooms {
		if within(f.dir(), room) {
			return false
		}
	}
	x, isName := s.X.(*ast.Ident)
	switch {
	case c.pkg != "":
		if !isName || imports[x.Name] != c.pkg {
			return false
		}
	case !isName || !testValue(x.Name):
		return false
	}
	for _, name := range c.names {
		if s.Sel.Name == name {
			return true
		}
	}
	return false
}

// testValue says whether a name is one under which a testing.TB goes by custom.
func testValue(name string) bool {
	switch name {
	case "t", "b", "f", "tb":
		return true
	}
	return false
}

// importNames maps the names that a file gives its imports to their paths.
func importNames(f *file) map[string]string {
	names := map[string]string{}
	for _, imp := range f.ast.Imports {
		p := importPath(imp.Path.Value)
		name := p[strings.LastIndex(p, "/")+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		names[name] = p
	}
	return names
}
