package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// mark begins the line above a test that says what it shows.
const mark = "//shows:"

// claim is that a test shows a rule.
type claim struct {
	room string // the package's directory
	test string // TestX, or TestX/subtest
	rule string
	at   string // file:line
}

// function is the test without its subtest.
func (c claim) function() string { name, _, _ := strings.Cut(c.test, "/"); return name }

// source is one file of tests.
type source struct {
	path string // below the root
	text []byte
}

// readSources reads all tests below root.
func readSources(root string) (list []source, err error) {
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		list = append(list, source{filepath.ToSlash(rel), text})
		return err
	})
	return list, err
}

// readClaims finds the claims of sources, in the order of rooms, and what is wrong with them.
func readClaims(sources []source) (claims []claim, wrong []string) {
	for _, s := range sources {
		if path.Dir(s.path) == "hack/conformance" || !bytes.Contains(s.text, []byte(mark)) {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, s.path, s.text, parser.ParseComments)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		ofTests := map[*ast.Comment]string{}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Doc != nil && isTest(fn) {
				for _, c := range fn.Doc.List {
					ofTests[c] = fn.Name.Name
				}
			}
		}
		for _, group := range f.Comments {
			for _, c := range group.List {
				line, ok := strings.CutPrefix(c.Text, mark)
				if !ok {
					continue
				}
				at := fmt.Sprintf("%s:%d", s.path, fset.Position(c.Pos()).Line)
				list, bad := readClaim(claim{room: path.Dir(s.path), test: ofTests[c], at: at}, line)
				claims = append(claims, list...)
				if bad != "" {
					wrong = append(wrong, at+": "+bad)
				}
			}
		}
	}
	sort.SliceStable(claims, func(i, j int) bool { return rank(claims[i].room) < rank(claims[j].room) })
	return claims, wrong
}

// rank has tests of the rooms before those of whole zones.
func rank(room string) string { return strconv.Itoa(strings.Count(room, "e2e")) + room }

// readClaim takes a line apart: rules, and by which test.
func readClaim(c claim, line string) (list []claim, bad string) {
	ids, by, found := strings.Cut(line, " by ")
	by = strings.TrimSpace(by)
	switch {
	case found && strings.HasPrefix(by, "Test"):
		c.test = by
	case c.test == "":
		return nil, "it stands above no test, and names none"
	case found && by != "":
		c.test += "/" + by
	case found:
		return nil, "it names no subtest"
	}
	for _, id := range strings.Fields(ids) {
		c.rule = id
		list = append(list, c)
	}
	if len(list) == 0 {
		bad = "it names no rule"
	}
	return list, bad
}

// isTest: func TestX(t *testing.T).
func isTest(fn *ast.FuncDecl) bool {
	return fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" && fn.Type.Params.NumFields() == 1
}

// checkUnrun looks whether a test that is not run can be there at all: its function stands in its
// room's tests, and so does the last part of a subtest's name.
func checkUnrun(sources []source, c claim) string {
	function, last := false, !strings.Contains(c.test, "/")
	name := []byte(strconv.Quote(c.test[strings.LastIndexByte(c.test, '/')+1:]))
	for _, s := range sources {
		if path.Dir(s.path) == c.room {
			function = function || bytes.Contains(s.text, []byte("\nfunc "+c.function()+"(t *testing.T)"))
			last = last || bytes.Contains(s.text, name)
		}
	}
	switch {
	case !function:
		return fmt.Sprintf("%s: there is no %s in %s", c.at, c.function(), c.room)
	case !last:
		return fmt.Sprintf("%s: no test of %s has a subtest %s", c.at, c.room, name)
	}
	return ""
}
