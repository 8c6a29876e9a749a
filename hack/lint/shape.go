package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"path"
	"regexp"
	"sort"
)

const (
	fileLinesMax     = 500
	functionLinesMax = 70
)

// checkSize holds files and functions to their length. Of a test's function the tables are
// not counted: a case more is not a thought more.
func checkSize(m *module) ([]finding, error) {
	var found []finding
	for _, f := range m.files {
		if f.lines >= fileLinesMax {
			found = append(found, finding{path: f.path, line: 1, what: fmt.Sprintf("%d lines; stop below %d", f.lines, fileLinesMax)})
		}
		for _, d := range f.ast.Decls {
			function, ok := d.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				continue
			}
			lines := f.line(function.End()) - f.line(function.Pos()) + 1
			if f.test() {
				lines -= tableLines(f, function)
			}
			if lines >= functionLinesMax {
				what := fmt.Sprintf("%s has %d lines; stop below %d", function.Name.Name, lines, functionLinesMax)
				found = append(found, finding{path: f.path, line: f.line(function.Pos()), what: what})
			}
		}
	}
	return found, nil
}

// checkFormat wants what gofmt writes.
func checkFormat(m *module) ([]finding, error) {
	var found []finding
	for _, f := range m.files {
		formatted, err := format.Source(f.text)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(formatted, f.text) {
			found = append(found, finding{path: f.path, line: 1, what: "gofmt -w is due"})
		}
	}
	return found, nil
}

// tableLines counts the lines of outermost composite literals.
func tableLines(f *file, function *ast.FuncDecl) int {
	lines := 0
	ast.Inspect(function, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		lines += f.line(literal.End()) - f.line(literal.Pos())
		return false
	})
	return lines
}

// packages groups the files by directory, in order.
func (m *module) packages() (dirs []string, byDir map[string][]*file) {
	byDir = map[string][]*file{}
	for _, f := range m.files {
		byDir[f.dir()] = append(byDir[f.dir()], f)
	}
	for dir := range byDir {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	return dirs, byDir
}

// checkDoc wants a doc.go with a package comment in every package that is not only tests.
func checkDoc(m *module) ([]finding, error) {
	var found []finding
	dirs, byDir := m.packages()
	for _, dir := range dirs {
		product, documented := "", false
		for _, f := range byDir[dir] {
			if f.test() {
				continue
			}
			product = f.path
			if path.Base(f.path) == "doc.go" && f.ast.Doc != nil {
				documented = true
			}
		}
		if product != "" && !documented {
			found = append(found, finding{path: product, line: 1, what: "the package has no doc.go that says what it owns"})
		}
	}
	return found, nil
}

var emptyNames = map[string]bool{"util": true, "utils": true, "common": true, "helpers": true, "types": true, "pkg": true, "misc": true, "lib": true}

// checkNames refuses packages that are named for nothing.
func checkNames(m *module) ([]finding, error) {
	var found []finding
	dirs, byDir := m.packages()
	for _, dir := range dirs {
		for _, f := range byDir[dir][:1] {
			if emptyNames[path.Base(dir)] || emptyNames[f.ast.Name.Name] {
				found = append(found, finding{path: f.path, line: 1, what: "one package is one noun of the system; " + dir + " names none"})
			}
		}
	}
	return found, nil
}

var todo = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func checkTodo(m *module) ([]finding, error) {
	var found []finding
	for _, f := range m.files {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if todo.MatchString(c.Text) {
					found = append(found, finding{path: f.path, line: f.line(c.Pos()), what: "do it, or say why it cannot be done now"})
				}
			}
		}
	}
	return found, nil
}

// mainExempt are packages whose tests cannot use testenv: it imports them, or it is them.
var mainExempt = []string{"internal/layout", "internal/testenv", "hack"}

// checkMain wants the leak check in every package that has tests.
func checkMain(m *module) ([]finding, error) {
	var found []finding
	dirs, byDir := m.packages()
	for _, dir := range dirs {
		tested, checked := "", false
		for _, f := range byDir[dir] {
			if f.test() {
				tested = f.path
				checked = checked || callsTestenvMain(f)
			}
		}
		for _, room := range mainExempt {
			checked = checked || within(dir, room)
		}
		if tested != "" && !checked {
			found = append(found, finding{path: tested, line: 1, what: "the package's tests lack func TestMain(m *testing.M) { testenv.Main(m) }"})
		}
	}
	return found, nil
}

func callsTestenvMain(f *file) bool {
	found := false
	ast.Inspect(f.ast, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		found = found || ok && x.Name == "testenv" && (s.Sel.Name == "Main" || s.Sel.Name == "Checked")
		return true
	})
	return found
}
