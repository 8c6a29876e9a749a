package zoned

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/build"
)

// TestFormatsTable holds the table of docs/ARCHITECTURE.md against the programs: what carries a
// version is in it, in the version that there is.
func TestFormatsTable(t *testing.T) {
	b, err := os.ReadFile("../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "\n## What carries a version\n")
	text, _, end := strings.Cut(text, "\n## ")
	if !ok || !end {
		t.Fatal("there is no such table")
	}
	told := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z-]+) \| [^|]+ \| ([0-9]+) \| [^|]+ \|$`).FindAllStringSubmatch(text, -1) {
		told[m[1]] = m[2]
	}
	for _, f := range formats {
		if told[f.name] != strconv.Itoa(f.version) {
			t.Errorf("%s is told to be of version %q, it is of %d", f.name, told[f.name], f.version)
		}
		delete(told, f.name)
	}
	if len(told) > 0 {
		t.Errorf("nobody has these: %v", told)
	}
}

// TestFits: who may take over from this program.
func TestFits(t *testing.T) {
	own := Describe()
	if v, err := fits(own); err != nil || v != build.Version {
		t.Errorf("this program itself: %q %v", v, err)
	}
	newer := strings.Replace(own, build.Version, "99.1.2", 1)
	for line, want := range map[string]string{
		newer: "",
		strings.ReplaceAll(newer, "journal=1", "journal=17"): "",
		newer + " something=1 else":                          "",
		strings.ReplaceAll(newer, "journal=1", "journal=0"):  "does not know journal in version 1",
		strings.ReplaceAll(newer, "journal=1", "journal=x"):  "does not know journal in version 1",
		strings.ReplaceAll(newer, "journal=1", ""):           "does not know journal in version 1",
		strings.Replace(own, build.Version, "0.0.1", 1):      "programs do not go back",
		strings.Replace(own, build.Version, "new", 1):        `to be of build "new"`,
		"":                         "tells no build",
		"zoned":                    "tells no build",
		"zlogin 99.1.2 journal=1":  "tells no build",
		"Usage: zoned -z zonename": "tells no build",
		"\x1b]0;evil\x07" + strings.Repeat("x", 1<<16): "tells no build",
		"zoned \x1b[31m": "to be of build",
	} {
		_, err := fits(line)
		switch {
		case want == "" && err != nil:
			t.Errorf("%.60q: %v", line, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 512 || strings.Contains(err.Error(), "\x1b")):
			t.Errorf("%.60q: %.200v, want %s", line, err, want)
		}
	}
}

func FuzzFits(f *testing.F) {
	f.Add(Describe())
	f.Add("zoned 1.2.3 a=b = =1 c=")
	f.Fuzz(func(t *testing.T, line string) {
		if v, err := fits(line); err == nil && build.Older(v, build.Version) {
			t.Errorf("%q is let in", line)
		}
	})
}
