package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPage: docs/CONFORMANCE.md is what the tests say now, and nothing is wrong with that.
func TestPage(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, wrong, err := build(root, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
	is, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	if string(is) == text || len(wrong) > 0 {
		return
	}
	want := strings.Split(text, "\n")
	for i, line := range strings.Split(string(is), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("%s:%d is not what the tests say; run `make conformance`\n%s", file, i+1, line)
		}
	}
	t.Fatalf("%s ends before the tests do; run `make conformance`", file)
}

const planted = `package x

import "testing"

// TestOne is a test.
//
//shows:3.1/a 3.1/b
//shows:3.1/c by sub
func TestOne(t *testing.T) { t.Run("sub", func(*testing.T) {}) }

//shows:3.1/d by TestOne/x/sub
`

// TestClaims: what a source claims, and what it cannot claim.
func TestClaims(t *testing.T) {
	claims, wrong := readClaims([]source{{"svc/x/x_test.go", []byte(planted)}, {"hack/conformance/y_test.go", []byte(planted)}})
	var got []string
	for _, c := range claims {
		got = append(got, c.room+" "+c.test+" "+c.rule+" "+c.function())
	}
	want := []string{"svc/x TestOne 3.1/a TestOne", "svc/x TestOne 3.1/b TestOne", "svc/x TestOne/sub 3.1/c TestOne", "svc/x TestOne/x/sub 3.1/d TestOne"}
	if len(wrong) != 0 || !slices.Equal(got, want) {
		t.Errorf("%q %q", got, wrong)
	}
	for text, want := range map[string]string{
		"package x\n\n//shows:3.1/a\n":                                           "x_test.go:3: it stands above no test",
		"package x\n\n//shows:3.1/a\nfunc helper() {}\n":                         "x_test.go:3: it stands above no test",
		"package x\n\n//shows:3.1/a\nfunc (r rig) TestX(t int) {}\n":             "x_test.go:3: it stands above no test",
		"package x\n\n//shows:3.1/a\nfunc TestMain(m int) {}\n":                  "x_test.go:3: it stands above no test",
		"package x\n\n//shows:3.1/a by sub\n":                                    "x_test.go:3: it stands above no test",
		"package x\n\n//shows: by TestX\n":                                       "x_test.go:3: it names no rule",
		"package x\n\n//shows:\nfunc TestX(t int) {}\n":                          "x_test.go:3: it names no rule",
		"package x\n\n//shows:3.1/a by \nfunc TestX(t int) {}\n":                 "x_test.go:3: it names no subtest",
		"package x\n\n//shows:3.1/a\n\nfunc TestX(t int) {}\n":                   "x_test.go:3: it stands above no test",
		"pack age x\n\n//shows:3.1/a\n":                                          "x_test.go:1:",
		"package x\n\nfunc TestX(t int) {\n\t//shows:3.1/a\n\tpanic(t)\n}\n":     "x_test.go:4: it stands above no test",
		"package x\n\nvar _ = `\n//shows:3.1/a\n`\n\n//shows:3.1/b by TestOne\n": "",
	} {
		_, wrong := readClaims([]source{{"x_test.go", []byte(text)}})
		if want == "" && len(wrong) != 0 || want != "" && (len(wrong) != 1 || !strings.HasPrefix(wrong[0], want)) {
			t.Errorf("%q: %q, not %q", text, wrong, want)
		}
	}
	sources := []source{{"svc/x/x_test.go", []byte(planted)}}
	for test, bad := range map[string]bool{"TestOne": false, "TestOne/sub": false, "TestOne/x/sub": false, "TestTwo": true, "TestOn": true, "TestOne/gone": true, "TestOne/sub/y": true} {
		if got := checkUnrun(sources, claim{room: "svc/x", test: test}); (got != "") != bad {
			t.Errorf("%s: %q", test, got)
		}
	}
	if checkUnrun(sources, claim{room: "svc/y", test: "TestOne"}) == "" {
		t.Error("another room has the test")
	}
}

// TestCatalogue: what a catalogue must not have.
func TestCatalogue(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "doc.go"), []byte("// Package x is\n//   - a thing that\n//     differs.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]section{
		"":                                       {"3.1", "", []rule{{"3.1/a-1", "text", met}, {"3.1/b", "text", differs("doc.go", "a thing that differs.")}}, []grid{{id: "3.1/b"}}},
		"3.2/a: no name of a rule":               {"3.1", "", []rule{{"3.2/a", "text", met}}, nil},
		"3.1/: no name of a rule":                {"3.1", "", []rule{{"3.1/", "text", met}}, nil},
		"3.1/A b: no name of a rule":             {"3.1", "", []rule{{"3.1/A b", "text", met}}, nil},
		"3.1/a: it is there twice":               {"3.1", "", []rule{{"3.1/a", "text", met}, {"3.1/a", "text", met}}, nil},
		"3.1/a: its text does not fit":           {"3.1", "", []rule{{"3.1/a", "one | two", met}}, nil},
		"3.1/b: its text does not fit":           {"3.1", "", []rule{{"3.1/b", "", met}}, nil},
		`3.1/a: "gone" does not stand in doc.go`: {"3.1", "", []rule{{"3.1/a", "text", differs("doc.go", "gone")}}, nil},
		`3.1/a: "x" does not stand in no.md`:     {"3.1", "", []rule{{"3.1/a", "text", differs("no.md", "x")}}, nil},
		`3.1/a: "" does not stand in doc.go`:     {"3.1", "", []rule{{"3.1/a", "text", differs("doc.go", "")}}, nil},
		"3.1/b: a grid for no rule":              {"3.1", "", []rule{{"3.1/a", "text", met}}, []grid{{id: "3.1/b"}}},
	} {
		wrong := checkCatalogue(root, []section{s})
		if want == "" && len(wrong) != 0 || want != "" && (len(wrong) != 1 || !strings.HasPrefix(wrong[0], want)) {
			t.Errorf("%q, not %q", wrong, want)
		}
	}
}

// TestRows: what stands in a row, and what must not be.
func TestRows(t *testing.T) {
	by := func(rule string) claim { return claim{"svc/x", "TestX", rule, "x_test.go:1"} }
	one := func(is standing) []section { return []section{{"3.1", "States", []rule{{"3.1/a", "text", is}}, nil}} }
	for _, c := range []struct {
		is     standing
		claims []claim
		row    string
		wrong  string
	}{
		{met, []claim{by("3.1/a")}, "| a | text | svc/x: TestX |", ""},
		{met, []claim{by("3.1/a"), by("3.1/a"), {"svc/x", "TestY", "3.1/a", ""}, {"svc/y", "TestX", "3.1/a", ""}}, "| a | text | svc/x: TestX, TestY; svc/y: TestX |", ""},
		{met, nil, "| a | text |  |", "3.1/a: no test shows it"},
		{met, []claim{by("3.1/a"), by("3.1/gone")}, "| a | text | svc/x: TestX |", "x_test.go:1: 3.1/gone is no rule"},
		{differs("f", "w"), []claim{by("3.1/a")}, `| a | text *Differs on purpose: f, "w".* | svc/x: TestX |`, ""},
		{differs("f", "w"), nil, "| a | text |  |", "3.1/a: no test shows it"},
		{notMet("so"), nil, "| a | text | **not met**: so |", ""},
		{notThere("so", "w"), nil, `| a | text | **not met**: so (docs/DIFFERENCES.md, "w") |`, ""},
		{notMet("so"), []claim{by("3.1/a")}, "| a | text | **not met**: so |", "3.1/a is said not to be met, and TestX shows it"},
	} {
		text, wrong := page(one(c.is), c.claims, nil)
		if !strings.Contains(text, c.row+"\n") || (c.wrong == "") != (len(wrong) == 0) || len(wrong) > 1 || len(wrong) == 1 && !strings.HasPrefix(wrong[0], c.wrong) {
			t.Errorf("%+v: %q\n%s", c, wrong, text)
		}
	}
	if _, wrong := page(one(met), []claim{by("3.1/a")}, []cell{{grid: "3.1/a", row: "r", column: "c", word: "w", test: "T"}}); len(wrong) != 1 {
		t.Errorf("a cell of no grid: %q", wrong)
	}
}

// TestGrids: a grid as a person reads it, and what must not be in one.
func TestGrids(t *testing.T) {
	g := grid{id: "3.1/a", title: "What", words: [][2]string{{"yes", "it is"}, {"no", "it is not"}}}
	at := func(row, column, word string) cell { return cell{"3.1/a", row, column, word, "svc/x TestX"} }
	whole := []cell{at("one", "start/first", "yes"), at("one", "start/second", "no"), at("one", "stop/first", "no"), at("longer", "start/first", "no"),
		at("longer", "start/second", "no"), at("longer", "stop/first", "yes"), {"3.1/b", "one", "start/first", "yes", ""}}
	text, wrong := g.draw(whole)
	const want = "\n**What** (a)\n\n```\n" +
		"        start          stop\n" +
		"        first  second  first\n" +
		"one     yes    no      no\n" +
		"longer  no     no      yes\n" +
		"```\n\n- `yes`: it is\n- `no`: it is not\n"
	if len(wrong) != 0 || text != want {
		t.Errorf("%q\n%s", wrong, text)
	}
	for want, cells := range map[string][]cell{
		"3.1/a: no test fills the grid":              nil,
		"3.1/a: nothing shows longer, start/second":  append(slices.Clip(whole[:4]), whole[5]),
		"3.1/a: one|start/first is there twice":      append(slices.Clip(whole), whole[0]),
		`3.1/a: nothing explains "perhaps"`:          append(slices.Clip(whole[:5]), at("longer", "stop/first", "perhaps")),
		`3.1/a: no cell has "yes"`:                   {at("one", "c", "no")},
		"3.1/a: nothing shows other, start/first":    append(slices.Clip(whole[:3]), at("other", "stop/first", "yes"), at("other", "start/second", "yes")),
		"3.1/a: nothing shows one, stop/new":         append(slices.Clip(whole), at("longer", "stop/new", "yes")),
		`3.1/a: nothing explains "yes or something"`: append(slices.Clip(whole[:5]), at("longer", "stop/first", "yes or something")),
	} {
		_, wrong := g.draw(cells)
		if !slices.Contains(wrong, want) {
			t.Errorf("%q lacks %q", wrong, want)
		}
	}
	g.words = nil
	if _, wrong := g.draw(whole); len(wrong) != 0 {
		t.Errorf("words that the title explains: %q", wrong)
	}
}

// TestRuns: what a run of tests says, and what does not hold then.
func TestRuns(t *testing.T) {
	line := func(action, test, more string) string {
		return fmt.Sprintf(`{"Action":%q,"Package":"%s/svc/x","Test":%q%s}`+"\n", action, modulePath, test, more)
	}
	r := &results{ended: map[string]string{}}
	err := r.read(strings.NewReader(line("pass", "TestGood", "") + line("pass", "TestGood/a_b", "") + line("skip", "TestSkipped", "") +
		line("attr", "TestGood/a_b", `,"Key":"cell","Value":"3.1/a|row one|start/x|yes"`) + line("attr", "TestBad", `,"Key":"cell","Value":"3.1/a|row two|start/x|yes"`) +
		line("attr", "TestGood", `,"Key":"other","Value":"x"`) + line("output", "TestBad", `,"Output":"    x_test.go:7: why\n"`) +
		line("output", "TestGood", `,"Output":"    y_test.go:7: fine\n"`) + line("pass", "TestGood", "") + line("output", "TestBad", `,"Output":"=== RUN\n"`) +
		line("fail", "TestBad", "") + "plain words\n" + `{"Action":"build-output","Output":"x.go:1: no\n"}`))
	if err != nil || len(r.cells) != 2 || r.cells[0] != (cell{"3.1/a", "row one", "start/x", "yes", "svc/x TestGood/a_b"}) {
		t.Errorf("%v %+v", err, r.cells)
	}
	if got := r.said.String(); got != "svc/x: x_test.go:7: why\nplain words\nx.go:1: no\n" {
		t.Errorf("%q", got)
	}
	for test, want := range map[string]string{
		"TestGood": "", "TestGood/a b": "", "TestBad": "at: TestBad: fail", "TestSkipped": "at: TestSkipped: skip",
		"TestGone": "at: TestGone is not there, or did not run", "TestGood/gone": "at: TestGood/gone is not there, or did not run",
	} {
		wrong := r.checkRun([]claim{{"svc/x", test, "3.1/a", "at"}})
		cells := slices.IndexFunc(wrong, func(w string) bool { return w == "svc/x TestBad: the cell row two, start/x is not right" })
		if cells < 0 || want == "" && len(wrong) != 1 || want != "" && (len(wrong) != 2 || wrong[0] != want) {
			t.Errorf("%s: %q", test, wrong)
		}
	}
	for _, value := range []string{"", "3.1/a|row|column", "3.1/a|row|column|word|more"} {
		if r.read(strings.NewReader(line("attr", "TestX", fmt.Sprintf(`,"Key":"cell","Value":%q`, value)))) == nil {
			t.Errorf("%q is a cell", value)
		}
	}
	if r.read(strings.NewReader(strings.Repeat("x", outputMax+1))) == nil {
		t.Error("a line without end is read")
	}
}

// TestGoTest: real tests of a module of our own: one that holds, one that does not, one that cannot be
// built.
func TestGoTest(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("go.mod", "module "+modulePath+"\n\ngo 1.26.0\n")
	put("svc/x/x_test.go", "package x\n\nimport \"testing\"\n\nfunc TestGood(t *testing.T) {\n\tt.Run(\"a b\", func(t *testing.T) { t.Attr(\"cell\", \"3.1/a|r|c|w\") })\n}\n\n"+
		"func TestBad(t *testing.T) { t.Error(\"why\") }\n\nfunc TestUnclaimed(t *testing.T) { t.Attr(\"cell\", \"3.1/a|r|c|w\") }\n")
	put("svc/y/y_test.go", "package y\n\nnonsense\n")
	claims := []claim{{"svc/x", "TestGood/a b", "3.1/a", "at"}, {"svc/x", "TestBad", "3.1/a", "at"}, {"svc/y", "TestY", "3.1/a", "at"}, {"svc/z", "TestZ", "3.1/a", "at"}}
	r, err := runTests(root, claims, []string{"svc/x", "svc/y", "svc/none"}, runLimit)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.cells) != 1 {
		t.Errorf("%+v", r.cells)
	}
	want := []string{"at: TestBad: fail", "at: TestY is not there, or did not run", "at: TestZ is not there, or did not run"}
	if wrong := r.checkRun(claims); !slices.Equal(wrong, want) {
		t.Errorf("%q", wrong)
	}
	if said := r.said.String(); !strings.Contains(said, "x_test.go:9: why") || !strings.Contains(said, "y_test.go:3") {
		t.Errorf("%s", said)
	}
	if _, err := runTests(root, claims, []string{"svc/x"}, 1); err == nil {
		t.Errorf("without time: %v", err)
	}
}

// FuzzClaims: whatever stands in a source, claims are of tests and have rules.
func FuzzClaims(f *testing.F) {
	f.Add(planted)
	f.Add("package x\n//shows: by Test/\n")
	f.Fuzz(func(t *testing.T, text string) {
		claims, _ := readClaims([]source{{"svc/x/x_test.go", []byte(text)}})
		for _, c := range claims {
			if c.room != "svc/x" || !strings.HasPrefix(c.test, "Test") || c.rule == "" || strings.ContainsAny(c.rule, " \n\t") {
				t.Fatalf("%+v", c)
			}
		}
	})
}

// FuzzEvents: whatever go test says, a cell has four parts, and one line is one line.
func FuzzEvents(f *testing.F) {
	f.Add(`{"Action":"attr","Package":"x","Test":"TestX","Key":"cell","Value":"a|b|c|d"}` + "\n" + `{"Action":"pass","Test":"TestX"}`)
	f.Add("{}\nplain\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := &results{ended: map[string]string{}}
		if r.read(strings.NewReader(text)) != nil {
			return
		}
		for _, c := range r.cells {
			if strings.Contains(c.grid+c.row+c.column+c.word, "|") {
				t.Fatalf("%+v", c)
			}
		}
		for test, ended := range r.ended {
			if ended != "pass" && ended != "fail" && ended != "skip" {
				t.Fatalf("%s %s", test, ended)
			}
		}
	})
}
