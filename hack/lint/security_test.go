package lint

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// classes are those that have a row in docs/SECURITY.md.
const classes = 30

var (
	classRow  = regexp.MustCompile(`^\| S([0-9]+) \|`)
	roomTests = regexp.MustCompile(`^([a-z]+[0-9]*(?:/[a-z0-9]+)*): (.*)$`)
	testNamed = regexp.MustCompile(`((?:Test|Fuzz)[A-Za-z0-9]+)(?: \(([a-z, ]+)\))?`)
)

// security holds the table of classes: a row for each, a test in each, and each test in its room,
// with the parts of it that stand in brackets. tests are the sources of a room's tests.
func security(text string, tests func(room string) string) (faults []string, named int) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	rows := map[string]int{}
	for line := range strings.Lines(text) {
		m := classRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		rows[m[1]]++
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 6 {
			fault("S%s has %d cells", m[1], len(cells))
			continue
		}
		n := 0
		for part := range strings.SplitSeq(cells[4], "; ") {
			room := roomTests.FindStringSubmatch(part)
			if room == nil {
				fault("S%s: %q names no tests of a room", m[1], part)
				continue
			}
			for _, test := range testNamed.FindAllStringSubmatch(room[2], -1) {
				n++
				if !strings.Contains(tests(room[1]), "func "+test[1]+"(") {
					fault("S%s: there is no %s in %s", m[1], test[1], room[1])
				}
				for sub := range strings.FieldsFuncSeq(test[2], func(r rune) bool { return r == ',' || r == ' ' }) {
					if !regexp.MustCompile(`"` + sub + `"(:|, func)`).MatchString(tests(room[1])) {
						fault("S%s: %s of %s has no part %s", m[1], test[1], room[1], sub)
					}
				}
			}
		}
		if named += n; n == 0 {
			fault("S%s has no test", m[1])
		}
	}
	for i := 1; i <= classes; i++ {
		if n := rows[fmt.Sprint(i)]; n != 1 {
			fault("S%d has %d rows", i, n)
		}
	}
	return faults, named
}

// remembered reads the tests of a room once.
func remembered(t *testing.T) func(room string) string {
	known := map[string]string{}
	return func(room string) string {
		if _, ok := known[room]; !ok {
			known[room] = sources(t, room)
		}
		return known[room]
	}
}

// TestSecurity holds the table of this module's docs/SECURITY.md.
func TestSecurity(t *testing.T) {
	faults, named := security(read(t, "../../docs/SECURITY.md"), remembered(t))
	for _, f := range faults {
		t.Error(f)
	}
	if named < 60 {
		t.Errorf("only %d tests were found", named)
	}
}

// TestSecurityIsHeld: each way in which the table can be wrong is found.
func TestSecurityIsHeld(t *testing.T) {
	tests := func(room string) string {
		return map[string]string{"a/b": `func TestOne(t *testing.T) { t.Run("part", func(`, "c": `func FuzzTwo(`}[room]
	}
	row := func(n int, tests string) string {
		return fmt.Sprintf("| S%d | class | done | where | %s | open |\n", n, tests)
	}
	all := func(second string) string {
		text := ""
		for i := 1; i <= classes; i++ {
			if i == 2 {
				text += second
			} else {
				text += row(i, "a/b: TestOne (part); c: FuzzTwo")
			}
		}
		return text
	}
	if faults, named := security(all(row(2, "c: FuzzTwo")), tests); len(faults) > 0 || named != 2*classes-1 {
		t.Errorf("%d tests, %q", named, faults)
	}
	for name, second := range map[string]string{
		"no row":         "",
		"two rows":       row(2, "c: FuzzTwo") + row(2, "c: FuzzTwo"),
		"no test":        row(2, "-"),
		"no such test":   row(2, "c: TestTwo"),
		"no such room":   row(2, "d: FuzzTwo"),
		"another room":   row(2, "a/b: FuzzTwo"),
		"no such part":   row(2, "a/b: TestOne (whole)"),
		"a cell too few": "| S2 | class | done | c: FuzzTwo | open |\n",
	} {
		if faults, _ := security(all(second), tests); len(faults) == 0 || slices.ContainsFunc(faults, func(f string) bool { return !strings.HasPrefix(f, "S2") }) {
			t.Errorf("%s: %q", name, faults)
		}
	}
}

// TestDecoders: each target that docs/SECURITY.md names is there, has a corpus, and a room whose
// code decodes JSON or XML stands in the table.
func TestDecoders(t *testing.T) {
	_, table, found := strings.Cut(read(t, "../../docs/SECURITY.md"), "| what | written by | room | targets |\n")
	if !found {
		t.Fatal("there is no table of decoders")
	}
	table, after, _ := strings.Cut(table, "\n\n")
	after, _, _ = strings.Cut(after, "\n\n")
	tests := remembered(t)
	var rooms []string
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 4 {
			continue // the line below the heads
		}
		rooms = append(rooms, cells[2])
		for target := range strings.SplitSeq(cells[3], ", ") {
			if !strings.Contains(tests(cells[2]), "func "+target+"(f *testing.F)") {
				t.Errorf("there is no %s in %s", target, cells[2])
			}
			if files, err := filepath.Glob(filepath.Join("../..", cells[2], "testdata/fuzz", target, "*")); err != nil || len(files) == 0 {
				t.Errorf("%s in %s has no corpus", target, cells[2])
			}
		}
	}
	if len(rooms) < 30 {
		t.Errorf("only %d rows were found", len(rooms))
	}
	m, err := load("../..")
	if err != nil {
		t.Fatal(err)
	}
	decodes := regexp.MustCompile(`\b(json|xml)\.(Unmarshal|NewDecoder)\(`)
	for _, f := range m.files {
		if f.test() || within(f.dir(), "hack") || within(f.dir(), "internal/testenv") || f.dir() == "zoned/api/doortest" {
			continue
		}
		if decodes.MatchString(read(t, filepath.Join("../..", f.path))) && !slices.Contains(rooms, f.dir()) && !strings.Contains(after, f.dir()) {
			t.Errorf("%s decodes what others wrote, and %s is not in the table of decoders", f.path, f.dir())
		}
	}
}
