package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDifferences: each test that docs/DIFFERENCES.md names is there.
func TestDifferences(t *testing.T) {
	text := read(t, "../../docs/DIFFERENCES.md")
	word := regexp.MustCompile(`([a-z]+(?:/[a-z0-9]+)*): (Test[A-Za-z]+)|, (Test[A-Za-z]+)`)
	tests := map[string]string{} // sources of a room's tests
	named := 0
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimRight(line, " |\n"), "|")
		room := ""
		for _, m := range word.FindAllStringSubmatch(cells[len(cells)-1], -1) {
			name := m[2]
			if m[1] != "" {
				room = m[1]
			} else {
				name = m[3]
			}
			if _, known := tests[room]; !known {
				tests[room] = sources(t, room)
			}
			named++
			if !strings.Contains(tests[room], "func "+name+"(") {
				t.Errorf("%s: there is no %s, which is said to show:\n%s", room, name, line)
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests were found", named)
	}
}

// sources are the tests of a room.
func sources(t *testing.T, room string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", room, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	return b.String()
}
