package remains

import (
	"os"
	"strings"
	"testing"
)

// TestTable holds the table of docs/ARCHITECTURE.md against this package: each kind and each
// file that is looked for is in it, and it has no kind that is not.
func TestTable(t *testing.T) {
	b, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	check(t, err)
	_, text, ok := strings.Cut(string(b), "\n## What a zone makes on the host\n")
	text, _, end := strings.Cut(text, "\nWithin a zone:\n")
	if !ok || !end {
		t.Fatal("there is no such table")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || strings.HasPrefix(cells[1], "-") || strings.Contains(line, "| kind |") {
			continue
		}
		kind := strings.TrimSpace(cells[2])
		seen[kind] = true
		if strings.TrimSpace(cells[1]) == "" || strings.TrimSpace(cells[3]) == "" || strings.TrimSpace(cells[4]) == "" {
			t.Errorf("a cell is empty: %s", line)
		}
	}
	for k := range kinds {
		if !seen[k.String()] {
			t.Errorf("the table has no %s", k)
		}
		delete(seen, k.String())
	}
	delete(seen, "-")
	if len(seen) > 0 {
		t.Errorf("kinds that nobody looks for: %v", seen)
	}
	for name := range known {
		name = strings.TrimSuffix(name, ".0") // an older log
		if !strings.Contains(text, name) && name != "generation" && name != "contractd.pid" {
			t.Errorf("the table does not speak of %s", name)
		}
	}
}
