package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// modulePath is what the imports of the module's own packages begin with.
const modulePath = "github.com/linuxzones/zones"

// module is the parsed source of a module.
type module struct {
	files []*file
	// deps gives all packages that a program links, by its directory; nil when there is
	// nothing to ask.
	deps func(program string) ([]string, error)
}

// file is one parsed file.
type file struct {
	path  string // slash-separated, below the module's root
	text  []byte
	lines int
	ast   *ast.File
	fset  *token.FileSet
	allow map[int]string // line to the rule that need not hold there
	bare  []int          // lines of exceptions without a reason
}

// dir is the file's package directory below the root, "." for the root itself.
func (f *file) dir() string { return path.Dir(f.path) }

func (f *file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *file) line(p token.Pos) int { return f.fset.Position(p).Line }

// finding is one breach of one rule.
type finding struct {
	rule, path string
	line       int
	what       string
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)", f.path, f.line, f.what, f.rule)
}

// load parses every Go file below root. Hidden directories, testdata and bin are not source.
func load(root string) (*module, error) {
	sources := map[string][]byte{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		sources[filepath.ToSlash(rel)], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return parse(sources)
}

// parse makes a module of sources by path.
func parse(sources map[string][]byte) (*module, error) {
	m := &module{}
	for p, text := range sources {
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if ast.IsGenerated(tree) {
			continue
		}
		f := &file{path: p, text: text, ast: tree, fset: fset, lines: strings.Count(string(text), "\n")}
		f.readExceptions()
		m.files = append(m.files, f)
	}
	sort.Slice(m.files, func(i, j int) bool { return m.files[i].path < m.files[j].path })
	return m, nil
}

var exception = regexp.MustCompile(`^//lint:allow (\S+)(.*)$`)

// readExceptions notes the lines on which a rule need not hold: the comment's own and the next.
func (f *file) readExceptions() {
	f.allow = map[int]string{}
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			match := exception.FindStringSubmatch(c.Text)
			if match == nil {
				continue
			}
			line := f.line(c.Pos())
			if strings.TrimSpace(match[2]) == "" {
				f.bare = append(f.bare, line)
				continue
			}
			f.allow[line], f.allow[line+1] = match[1], match[1]
		}
	}
}

// rule is one house rule.
type rule struct {
	name  string
	check func(*module) ([]finding, error)
}

var rules = []rule{
	{"arrows", checkArrows},
	{"outside", checkOutside},
	{"links", checkLinks},
	{"calls", checkCalls},
	{"format", checkFormat},
	{"size", checkSize},
	{"doc", checkDoc},
	{"name", checkNames},
	{"todo", checkTodo},
	{"main", checkMain},
	{"exception", checkExceptions},
}

// check holds the module against all rules.
func (m *module) check() ([]finding, error) {
	var found []finding
	for _, r := range rules {
		list, err := r.check(m)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.name, err)
		}
		for _, f := range list {
			f.rule = r.name
			if !m.allowed(f) {
				found = append(found, f)
			}
		}
	}
	return found, nil
}

func (m *module) allowed(f finding) bool {
	for _, file := range m.files {
		if file.path == f.path {
			return file.allow[f.line] == f.rule
		}
	}
	return false
}

func checkExceptions(m *module) ([]finding, error) {
	var found []finding
	for _, f := range m.files {
		for _, line := range f.bare {
			found = append(found, finding{path: f.path, line: line, what: "an exception without a reason"})
		}
	}
	return found, nil
}
