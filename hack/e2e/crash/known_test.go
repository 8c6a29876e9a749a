package crash

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// ended is how long an operation without a caller may take to come to its end.
const ended = 60 * time.Second

// elsewhere are points that no operation here passes, and why.
var elsewhere = map[string]string{
	"before down": "a halt that fails takes 20 s and a process that can not be killed: hack/e2e: TestHaltTraced",
	"after down":  "the same",
}

// source is what the sources of a supervisor say of its points.
type source struct {
	steps  []string // of the lists of steps
	undone map[string]bool
	points []string // those that are passed by name; one whose end is not known ends in *
}

// readSource reads zoned's sources for steps and points.
func readSource(t *testing.T, dir string) source {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	must(t, err)
	set := token.NewFileSet()
	var parsed []*ast.File
	consts := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "crashpoint") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, 0)
		must(t, err)
		parsed = append(parsed, f)
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for i := range min(len(v.Names), len(v.Values)) {
					if text, ok := constant(v.Values[i], nil); ok {
						consts[v.Names[i].Name] = text
					}
				}
			}
			return true
		})
	}
	s := source{undone: map[string]bool{}}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				s.list(n, consts)
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "crashpoint" {
					name, whole := constant(n.Args[0], consts)
					if !whole {
						name += "*"
					}
					s.points = append(s.points, name)
				}
			}
			return true
		})
	}
	return s
}

// list takes a list of steps.
func (s *source) list(n *ast.CompositeLit, consts map[string]string) {
	array, ok := n.Type.(*ast.ArrayType)
	if !ok {
		return
	}
	if of, ok := array.Elt.(*ast.Ident); !ok || of.Name != "step" {
		return
	}
	for _, e := range n.Elts {
		lit, ok := e.(*ast.CompositeLit)
		if !ok {
			continue
		}
		for _, kv := range lit.Elts {
			if kv, ok := kv.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == "name" {
				name, _ := constant(kv.Value, consts)
				s.steps = append(s.steps, name)
			}
		}
	}
}

// constant is the text of an expression, or how it begins.
func constant(e ast.Expr, consts map[string]string) (text string, whole bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.Ident:
		text, ok := consts[e.Name]
		return text, ok
	case *ast.BinaryExpr:
		left, ok := constant(e.X, consts)
		if !ok || e.Op != token.ADD {
			return left, false
		}
		right, ok := constant(e.Y, consts)
		return left + right, ok
	}
	return "", false
}

// wants are the points that the sources promise.
func (s source) wants() []string {
	var list []string
	for _, p := range s.points {
		list = append(list, p)
	}
	for _, name := range s.steps {
		for _, what := range []string{"do", "done", "undo", "undone"} {
			list = append(list, "before "+what+" "+name, "after "+what+" "+name)
		}
	}
	for _, what := range []string{"op", "end", "failed", "down", "phase ready", "phase boot", "phase halt"} {
		list = append(list, "before "+what, "after "+what)
	}
	return list
}

// missing are those that were not passed.
func (s source) missing(passed map[string]bool) (list []string) {
	for _, want := range s.wants() {
		start, open := strings.CutSuffix(want, "*")
		there := slices.ContainsFunc(slices.Collect(maps.Keys(passed)), func(p string) bool {
			return p == want || open && strings.HasPrefix(p, start)
		})
		if !there && elsewhere[want] == "" {
			list = append(list, want)
		}
	}
	return distinct(list)
}

// covers fails for steps and points of the sources that no operation has passed.
func covers(t *testing.T, passed map[string]bool) {
	t.Helper()
	s := readSource(t, filepath.Join(testenv.Root(t), "zoned"))
	if len(s.steps) < 8 || len(s.points) < 10 {
		t.Fatalf("the sources have %d steps and %d points: are they read rightly?", len(s.steps), len(s.points))
	}
	for _, p := range s.missing(passed) {
		t.Errorf("no operation passes the point %q: one is missing here, or a reason", p)
	}
}

// TestKnownPlanted: a step and a point that nobody passes are found.
func TestKnownPlanted(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a.go"), []byte(`package zoned
const stepNew = "new"
var list = []step{{name: stepNew}, {name: "old", title: "x"}}
func f(z *Zone, s string) {
	z.journal.crashpoint("within do " + stepNew)
	z.journal.crashpoint("kept " + s)
	z.journal.crashpoint("login made")
}
`), 0o600))
	s := readSource(t, dir)
	if !slices.Equal(s.steps, []string{"new", "old"}) || !slices.Equal(s.points, []string{"within do new", "kept *", "login made"}) {
		t.Fatalf("steps %q, points %q", s.steps, s.points)
	}
	passed := map[string]bool{}
	for _, w := range s.wants() {
		passed[w] = true
	}
	passed["kept ring"] = true
	delete(passed, "kept *")
	if m := s.missing(passed); len(m) != 0 {
		t.Errorf("nothing is missing, and %q is said to be", m)
	}
	delete(passed, "before undo new")
	delete(passed, "login made")
	delete(passed, "kept ring")
	if m := s.missing(passed); !slices.Equal(m, []string{"kept *", "login made", "before undo new"}) {
		t.Errorf("missing: %q", m)
	}
}

// TestPage: docs/CRASHES.md, which a full run makes, has a row for each step and point of the sources.
func TestPage(t *testing.T) {
	root := testenv.Root(t)
	page, err := os.ReadFile(filepath.Join(root, "docs/CRASHES.md"))
	must(t, err)
	var missing []string
	for _, want := range readSource(t, filepath.Join(root, "zoned")).wants() {
		start, open := strings.CutSuffix(want, "*")
		row := "| `" + start
		if !open {
			row += "` |"
		}
		if elsewhere[want] == "" && !strings.Contains(string(page), row) {
			missing = append(missing, want)
		}
	}
	if len(missing) > 0 {
		t.Errorf("docs/CRASHES.md knows nothing of %q: make crash-matrix FULL=1", missing)
	}
}
