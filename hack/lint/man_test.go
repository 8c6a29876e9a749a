package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const manual = "../../docs/man"

// pages are the manual pages' files: NAME.SECTION.
func pages(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(manual)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) < 14 {
		t.Fatalf("only %q were found", names)
	}
	return names
}

var (
	reference = regexp.MustCompile(`(?m)^\.(?:It )?Xr ([^ \n]+) ([0-9])`)
	heading   = regexp.MustCompile(`(?m)^\.Sh (.*)$`)
)

// TestManualPages: each page is what its file's name says, has the sections that every page has, in
// their order, refers to pages of ours by the section that they are in, and is in the index.
func TestManualPages(t *testing.T) {
	names := pages(t)
	section := map[string]string{}
	for _, file := range names {
		name, number, _ := strings.Cut(file, ".")
		section[name] = number
	}
	index := read(t, "../../docs/README.md") + read(t, "../../Makefile")
	for _, file := range names {
		name, number, _ := strings.Cut(file, ".")
		text := read(t, filepath.Join(manual, file))
		if title := ".Dt " + strings.ToUpper(name) + " " + number + "\n"; !strings.Contains(text, title) {
			t.Errorf("%s: lacks %s", file, title)
		}
		var found []string
		for _, m := range heading.FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		at := -1
		for _, want := range []string{"NAME", "DESCRIPTION", "SEE ALSO"} {
			next := slices.Index(found, want)
			if next <= at {
				t.Errorf("%s: section %s is not there, or out of order: %q", file, want, found)
			}
			at = next
		}
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			if ours := section[m[1]]; ours != "" && ours != m[2] {
				t.Errorf("%s: refers to %s(%s), which is %s(%s)", file, m[1], m[2], m[1], ours)
			}
		}
		if !strings.Contains(index, "](man/"+file+")") {
			t.Errorf("%s is not in docs/README.md", file)
		}
		if !regexp.MustCompile(`for s in [0-9 ]*` + number).MatchString(index) {
			t.Errorf("%s: the Makefile does not install section %s", file, number)
		}
	}
}

// TestManualPagesFormat: the formatter has nothing to say of them. It is not everywhere.
func TestManualPagesFormat(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Log("there is no groff")
		return
	}
	for _, file := range pages(t) {
		out, err := exec.Command(groff, "-mandoc", "-Tutf8", "-ww", "-z", filepath.Join(manual, file)).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v %s", file, err, out)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
