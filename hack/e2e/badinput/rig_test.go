package badinput

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bad is a case: a program, its input and arguments, and how it must end.
type bad struct {
	name    string
	program string
	args    []string
	input   string
	exit    int
	want    string // in the line
}

// lineBytesMax is what a person reads as one line.
const lineBytesMax = 600

// check runs a case and judges it.
func check(t *testing.T, z *testenv.Zones, c bad) {
	t.Helper()
	before := picture(t, z)
	out, errs, exit := z.RunInput(c.input, c.program, c.args...)
	if exit != c.exit || out != "" {
		t.Errorf("%s: %s %q: exit %d, want %d\nstdout: %s\nstderr: %s", c.name, c.program, c.args, exit, c.exit, out, errs)
		return
	}
	line, rest, _ := strings.Cut(errs, "\n")
	if rest != "" || !strings.HasSuffix(errs, "\n") || len(line) > lineBytesMax || !strings.Contains(line, c.want) || !clean(line) {
		t.Errorf("%s: %s %q says\n%s\nwant one clear line with %q", c.name, c.program, c.args, errs, c.want)
	}
	t.Logf("%s: %.300s", c.name, line)
	for _, difference := range compare(before, picture(t, z)) {
		t.Errorf("%s: %s %q changed %s", c.name, c.program, c.args, difference)
	}
}

// clean says whether a line can be shown: no control characters, no broken runes, and none of
// the marks of a message that was not meant for a person.
func clean(line string) bool {
	if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) {
		return false
	}
	for _, mark := range []string{"panic", "goroutine", "%!", "<nil>", "0xc0", ".go:"} {
		if strings.Contains(line, mark) {
			return false
		}
	}
	return true
}

// picture is what must not change: every file of the configuration, which zones there are and
// in what state, and what lies in the zones' directory.
func picture(t *testing.T, z *testenv.Zones) map[string]string {
	t.Helper()
	seen := map[string]string{"list": z.Must("zoneadm", "list", "-cp")}
	must(t, filepath.WalkDir(z.Etc, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := info.Mode().String()
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", sha256.Sum256(b))
		}
		seen[path] = line
		return nil
	}))
	zones, err := os.ReadDir(z.Lib)
	must(t, err)
	for _, zone := range zones {
		below, err := os.ReadDir(filepath.Join(z.Lib, zone.Name()))
		must(t, err)
		seen[filepath.Join(z.Lib, zone.Name())] = fmt.Sprint(below)
	}
	return seen
}

func compare(before, after map[string]string) []string {
	var list []string
	for k, was := range before {
		if is, found := after[k]; !found {
			list = append(list, k+": gone")
		} else if is != was {
			list = append(list, fmt.Sprintf("%s: was %s, is %s", k, was, is))
		}
	}
	for k := range after {
		if _, found := before[k]; !found {
			list = append(list, k+": new")
		}
	}
	return list
}

// zones makes one of each state: new, half, old, up, and big, a whole one that waits for its
// archive.
func zones(t *testing.T) *testenv.Zones {
	t.Helper()
	z := testenv.Instance(t)
	for _, zone := range []string{"half", "old", "up"} {
		z.Sparse(zone)
	}
	z.Must("zoneadm", "-z", "half", "mark", "incomplete")
	z.Must("zoneadm", "-z", "up", "boot")
	z.Must("zonecfg", "-z", "new", "create; set zonepath="+z.ZonePath("new"))
	z.Must("zonecfg", "-z", "big", "create; set brand=whole; set zonepath="+z.ZonePath("big"))
	return z
}
