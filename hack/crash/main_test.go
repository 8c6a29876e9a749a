package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func event(test, action, key, value string) string {
	return `{"Action":"` + action + `","Test":"` + test + `","Key":"` + key + `","Value":"` + value + `"}` + "\n"
}

func TestTables(t *testing.T) {
	stream := event("A/1", "attr", "crash", "zoned|SIGKILL|boot|before do id|completed") +
		event("A/2", "attr", "crash", "zoned|SIGKILL|boot|after do id|completed") +
		event("A/3", "attr", "crash", "zoned|SIGKILL|boot|before end|undone, and told") +
		event("A/4", "attr", "crash", "zoned|SIGKILL|halt|before do id|completed") +
		event("B/1", "attr", "crash", "zlogin|SIGSTOP|login|write pipe #1|waited, and went on") +
		event("B/2", "attr", "crash", "zlogin|SIGSTOP|login|write pipe #2|waited, and went on") +
		event("B/2", "fail", "", "") + event("B/1", "pass", "", "") +
		event("C", "attr", "figure", "stall|3 ms") + event("C", "attr", "cell", "of another|page") +
		`{"Action":"output","Test":"C","Output":"words\n"}` + "\n"
	var f found
	var told strings.Builder
	f.told = &told
	if err := f.read(strings.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	got := f.tables()
	for _, line := range []string{
		"| zoned | SIGKILL | boot | 3 | 2 completed; 1 undone, and told |\n",
		"| zoned | SIGKILL | halt | 1 | 1 completed |\n",
		"| zlogin | SIGSTOP | login | 1 | 1 waited, and went on |\n",
		"\n5 signals sent.\n", "| stall | 3 ms |\n",
		"| `before do id` | boot, halt |\n",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
	if strings.Contains(got, "write pipe #2") || strings.Contains(got, "| `write pipe") {
		t.Errorf("what failed, or is not zoned's, is in\n%s", got)
	}
	if len(f.failed) != 1 || f.failed[0] != "B/2" || told.String() != "words\n" {
		t.Errorf("failed: %q, told %q", f.failed, told.String())
	}
}

// TestNonsense: what is no event, no row and no figure is not passed over.
func TestNonsense(t *testing.T) {
	for _, stream := range []string{
		"panic: no\n", "{\n", event("A", "attr", "crash", "zoned|SIGKILL|boot|point"), event("A", "attr", "crash", "zoned||boot|point|x"),
		event("A", "attr", "crash", ""), event("A", "attr", "figure", "no value"),
	} {
		var f found
		if err := f.read(strings.NewReader(stream)); err == nil {
			t.Errorf("%q: no error", stream)
		}
	}
	var f found
	if err := f.read(strings.NewReader(strings.Repeat("x", lineMax+1))); err == nil {
		t.Error("a line without end: no error")
	}
}

func TestModuleRoot(t *testing.T) {
	if root, err := moduleRoot(); err != nil || !strings.HasPrefix(root, "/") {
		t.Errorf("%q, %v", root, err)
	}
	t.Chdir("/")
	if _, err := moduleRoot(); err == nil {
		t.Error("/ is in no module")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(event("A", "attr", "crash", "a|b|c|d|e"))
	f.Add(event("A", "fail", "", ""))
	f.Fuzz(func(t *testing.T, stream string) {
		var found found
		if found.read(strings.NewReader(stream)) == nil && !strings.Contains(found.tables(), "signals sent") {
			t.Error("no table")
		}
	})
}

// TestWrite: only a whole run in which nothing failed makes the page.
func TestWrite(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, page)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	good := found{rows: []crash{{"zoned", "SIGKILL", "boot", "before end", "completed", "A"}}}
	bad := found{failed: []string{"A"}}
	if err := good.write(root, false, head); err != nil {
		t.Error(err)
	}
	if err := bad.write(root, true, head); err == nil || !strings.Contains(err.Error(), "A") {
		t.Errorf("what failed is not said: %v", err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("a part, or what failed, has made the page")
	}
	if err := good.write(root, true, head); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(text), "# Crashes\n") || !strings.Contains(string(text), "| `before end` | boot |") {
		t.Errorf("%v\n%s", err, text)
	}
	if err := merge([]string{filepath.Join(root, "missing")}); err == nil {
		t.Error("a file that is not there")
	}
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := merge([]string{name}); err == nil {
		t.Error("a file that is no run")
	}
}
