package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

const (
	// lineBytesMax bounds one line of a command's output: a test may print a whole tree.
	lineBytesMax = 16 << 20
	// keptBytesMax bounds what is kept of one test's output until its result is known.
	keptBytesMax = 1 << 20
)

// event is a line of `go test -json`; see cmd/test2json and `go help buildjson`.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// pkg is what is known of a package whose tests are running.
type pkg struct {
	output map[string]*kept  // test name to its output, "" for the package's own
	parent map[string]bool   // tests that have subtests
	result map[string]string // test name to pass, fail or skip
	order  []string          // names in the order of their results
}

func newPkg() *pkg {
	return &pkg{output: map[string]*kept{}, parent: map[string]bool{}, result: map[string]string{}}
}

// readEvents reads test2json events up to the end.
func readEvents(t *tally, r io.Reader, _ string) error {
	pkgs := map[string]*pkg{}
	builds := map[string]*kept{}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, lineBytesMax)
	for scanner.Scan() {
		var e event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			// The go command itself may speak plainly, of a bad flag for example.
			fmt.Fprintln(t.out, scanner.Text())
			continue
		}
		if e.Action == "build-output" {
			add(builds, e.ImportPath, e.Output)
			continue
		}
		if e.Package == "" {
			continue
		}
		if pkgs[e.Package] == nil {
			pkgs[e.Package] = newPkg()
		}
		if pkgs[e.Package].take(t, e, builds) {
			delete(pkgs, e.Package)
		}
	}
	for name, p := range pkgs {
		t.fail(name, "no result: the run was cut short\n"+p.text(""))
	}
	return scanner.Err()
}

// take notes one event; it says whether the package is finished.
func (p *pkg) take(t *tally, e event, builds map[string]*kept) bool {
	switch e.Action {
	case "run":
		for name := e.Test; strings.Contains(name, "/"); {
			name = name[:strings.LastIndex(name, "/")]
			p.parent[name] = true
		}
	case "output":
		add(p.output, e.Test, e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			p.result[e.Test] = e.Action
			p.order = append(p.order, e.Test)
			return false
		}
		p.finish(t, e, builds)
		return true
	}
	return false
}

// finish counts a package's tests and prints its line.
func (p *pkg) finish(t *tally, e event, builds map[string]*kept) {
	passed, blamed := 0, false
	for _, name := range p.order {
		full := e.Package + "." + name
		switch result := p.result[name]; {
		case result == "fail" && (!p.parent[name] || !p.childFailed(name)):
			t.fail(full, p.text(name))
			blamed = true
		case p.parent[name]: // its subtests are counted
		case result == "skip":
			t.skip(full, p.text(name))
		default:
			passed++
			t.pass()
		}
	}
	switch {
	case e.Action == "skip": // no test files
	case e.Action == "pass":
		fmt.Fprintf(t.out, "ok  \t%s\t%.1fs\t%d tests\n", e.Package, e.Elapsed, passed)
	case e.FailedBuild != "":
		text := ""
		if b := builds[e.FailedBuild]; b != nil {
			text = b.String()
		}
		t.fail(e.Package, "does not build\n"+text)
	case !blamed:
		// No test is to blame: TestMain found a leak, a panic, the time limit.
		t.fail(e.Package, p.text(p.unfinished()))
	default:
		// The package's own words too: its tests may have leaked besides.
		fmt.Fprintf(t.out, "%sFAIL\t%s\t%.1fs\n", p.text(""), e.Package, e.Elapsed)
	}
}

// childFailed says whether a failed subtest explains the failure of name.
func (p *pkg) childFailed(name string) bool {
	for other, result := range p.result {
		if result == "fail" && strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// unfinished names a test that ran when the package ended, "" for none.
func (p *pkg) unfinished() string {
	for name := range p.output {
		if name != "" && p.result[name] == "" {
			return name
		}
	}
	return ""
}

// text is what a test printed, and for a test that never ended the package's words too.
func (p *pkg) text(name string) string {
	var b strings.Builder
	if o := p.output[name]; o != nil {
		b.WriteString(o.String())
	}
	if o := p.output[""]; o != nil && name != "" && p.result[name] == "" {
		b.WriteString(o.String())
	}
	return b.String()
}

// kept is output up to keptBytesMax; what is cut is said.
type kept struct {
	strings.Builder
	cut bool
}

func add(to map[string]*kept, name, text string) {
	if to[name] == nil {
		to[name] = &kept{}
	}
	k := to[name]
	switch {
	case k.cut:
	case k.Len()+len(text) > keptBytesMax:
		k.cut = true
		k.WriteString("... the rest of the output is cut\n")
	default:
		k.WriteString(text)
	}
}

// scriptResult is the line with which a script reports a test, as go test -v does.
var scriptResult = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)

// scriptTurn is the line with which a script, or what it shows of another's behind a bar, comes
// to a test.
var scriptTurn = regexp.MustCompile(`^\s*=== (?:RUN|CONT|NAME|PAUSE)\s+(\S+)`)

// readScript passes a script's output through and counts the results in it. What it said of a
// test that failed is shown once more at the end, where it is looked for: of a machine's long
// output few read the middle.
func readScript(t *tally, r io.Reader, stage string) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, lineBytesMax)
	said, current := map[string]*kept{}, ""
	for scanner.Scan() {
		line := scanner.Text()
		fmt.Fprintln(t.out, line)
		m := scriptResult.FindStringSubmatch(line)
		if m == nil {
			plain := strings.TrimPrefix(line, "| ")
			if turn := scriptTurn.FindStringSubmatch(plain); turn != nil {
				current = turn[1]
			} else if strings.HasPrefix(line, "=== ") { // another package
				said, current = map[string]*kept{}, ""
			} else {
				add(said, current, plain+"\n")
			}
			continue
		}
		name := stage + "/" + m[2]
		switch m[1] {
		case "PASS":
			t.pass()
		case "FAIL":
			t.countFail(name, saidOf(said, m[2]))
		case "SKIP":
			t.skipped++
			t.skippedNames = append(t.skippedNames, name)
		}
	}
	return scanner.Err()
}

// saidOf is what was said of a test, whose name may have its package before it. Of none, it is
// what was said of no test.
func saidOf(said map[string]*kept, name string) string {
	_, bare, _ := strings.Cut(name, ".")
	for _, n := range []string{name, bare, ""} {
		if k := said[n]; k != nil {
			return k.String()
		}
	}
	return ""
}
