package importer

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/repo"
)

// Whatever stands in a directory of manifests: what is no file is told and not opened, what is
// outside is not read, and the others are imported.
func TestHostileTree(t *testing.T) {
	s := newSystem(t)
	dir := filepath.Join(s.root, SystemManifests)
	s.write("/lib/svc/manifest/good.xml", named("good", "1"))
	s.write("/etc/secret.xml", named("secret", "1"))
	s.write("/lib/svc/manifest/with space \"'\n.xml", named("space", "1"))
	s.write("/lib/svc/manifest/\xff\xfe.xml", named("bytes", "1"))
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo.xml"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "dir.xml"), 0o755))
	l, err := net.Listen("unix", filepath.Join(dir, "s.xml"))
	must(t, err)
	defer l.Close()
	for name, to := range map[string]string{
		"inside": "good.xml", "absolute": filepath.Join(s.root, "etc/secret.xml"), "up": "../../../etc/secret.xml", "device": "/dev/zero", "fifo-link": "fifo.xml",
		"nothing": "none.xml", "self": "self.xml", "loop1": "loop2.xml", "loop2": "loop1.xml", "directory": "dir.xml", "around": "../manifest/good.xml", "proc": "/proc/self/fd/0",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, name+".xml")))
	}
	// A directory that is a link is not walked, so that none is walked for ever.
	must(t, os.Symlink(".", filepath.Join(dir, "here")))
	must(t, os.Symlink("..", filepath.Join(dir, "above")))
	file, err := os.Create(filepath.Join(dir, "large.xml"))
	must(t, err)
	must(t, errors.Join(file.Truncate(fileBytesMax+1), file.Close()))
	if os.Getuid() == 0 {
		must(t, unix.Mknod(filepath.Join(dir, "null.xml"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	}

	want := map[error]int{ErrNotFile: 0, ErrLimit: 0}
	b := &Boot{Store: Local(s.r), Root: s.root}
	var done []string
	b.Tell = func(f File) {
		switch {
		case errors.Is(f.Err, ErrNotFile):
			want[ErrNotFile]++
		case errors.Is(f.Err, ErrLimit):
			want[ErrLimit]++
		case f.Err == nil:
			done = append(done, filepath.Base(f.Path))
		default:
			t.Errorf("%q: %v", f.Path, f.Err)
		}
	}
	_, err = b.Manifests(LateDirs...)
	must(t, err)
	if !slices.Equal(done, []string{"good.xml", "inside.xml", "with space \"'\n.xml", "\xff\xfe.xml"}) {
		t.Errorf("imported %q", done)
	}
	strange := 13 // fifo, socket and eleven links
	if os.Getuid() == 0 {
		strange++
	}
	// "around" leaves the directory on its way back into it, which os.Root does not allow.
	if want[ErrNotFile] != strange || want[ErrLimit] != 1 {
		t.Errorf("told %v", want)
	}
	if service(t, s.r, "site/secret") != nil {
		t.Error("a file outside was read")
	}
	for _, name := range []string{"good", "space", "bytes"} {
		if got := value(t, s.r, repo.Entity{Service: "site/" + name}, "config/port"); got != "count 1" {
			t.Errorf("%s: the port is %q", name, got)
		}
	}
	before := dump(t, s.r)
	_, err = b.Cleanup(LateDirs...)
	must(t, err)
	if dump(t, s.r) != before {
		t.Error("cleanup took something away")
	}
}

// links makes a file of many names, or several: a file has a limit of names too.
func links(t *testing.T, dir string, n int, suffix string) {
	t.Helper()
	var at string
	for i := range n {
		name := filepath.Join(dir, fmt.Sprintf("l%d%s", i, suffix))
		if i%30_000 == 0 {
			at = name
			must(t, os.WriteFile(at, nil, 0o600))
			continue
		}
		must(t, os.Link(at, name))
	}
}

// Too many files, names or levels are an error with a name, and nothing of the directory is
// imported; the other directory is.
func TestTooMuch(t *testing.T) {
	for what, fill := range map[string]func(dir string){
		"files": func(dir string) { links(t, dir, filesMax, ".xml") },
		"names": func(dir string) { links(t, dir, 100_000, "") },
		"directories below each other": func(dir string) {
			must(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", depthMax+1)), 0o755))
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := newSystem(t)
			s.write("/lib/svc/manifest/good.xml", named("good", "1"))
			s.write("/var/svc/manifest/other.xml", named("other", "1"))
			fill(filepath.Join(s.root, SystemManifests))
			var failed []error
			b := &Boot{Store: Local(s.r), Root: s.root, Tell: func(f File) {
				if f.Err != nil {
					failed = append(failed, f.Err)
				}
			}}
			_, err := b.Manifests(LateDirs...)
			must(t, err)
			var limit *LimitError
			if len(failed) != 1 || !errors.As(failed[0], &limit) || !errors.Is(failed[0], ErrLimit) || limit.What != what || !strings.Contains(limit.Error(), what) {
				t.Fatalf("told %v", failed)
			}
			if service(t, s.r, "site/good") != nil || service(t, s.r, "site/other") == nil {
				t.Error("the wrong directory was imported")
			}
		})
	}
}

// As many levels as there may be are walked.
func TestDeep(t *testing.T) {
	s := newSystem(t)
	deep := SystemManifests + "/" + strings.Repeat("d/", depthMax) + "a.xml"
	s.write(deep, named("deep", "1"))
	wantTold(t, "deep", s.late(), deep+" done")
}

// A directory that another one takes the place of while it is walked is still itself.
func TestSwapped(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", named("a", "1"))
	s.write("/etc/b.xml", named("b", "1"))
	d, err := OpenDir(s.root, SystemManifests)
	must(t, err)
	defer d.Close()
	dir := filepath.Join(s.root, SystemManifests)
	must(t, os.Rename(dir, dir+".old"))
	must(t, os.Symlink(filepath.Join(s.root, "etc"), dir))
	files, strange, err := d.Walk()
	if err != nil || !slices.Equal(files, []string{"a.xml"}) || strange != nil {
		t.Errorf("%q, %v, %v", files, strange, err)
	}
	// Of another's root no link leads out, on the way to the directory either.
	if _, err := OpenDir(s.root, SystemManifests); err == nil {
		t.Error("a link out of the root was followed")
	}
	own, err := OpenDir("", dir)
	must(t, err)
	must(t, own.Close())
}

// A file may become something else between two looks at it.
func TestBecomesStrange(t *testing.T) {
	s := newSystem(t)
	s.write("/lib/svc/manifest/a.xml", named("a", "1"))
	d, err := OpenDir(s.root, SystemManifests)
	must(t, err)
	defer d.Close()
	s.remove("/lib/svc/manifest/a.xml")
	must(t, unix.Mkfifo(filepath.Join(s.root, SystemManifests, "a.xml"), 0o600))
	if _, err := d.read("a.xml"); !errors.Is(err, ErrNotFile) {
		t.Errorf("read: %v", err)
	}
	if _, err := readNamed(filepath.Join(s.root, SystemManifests, "a.xml")); !errors.Is(err, ErrNotFile) {
		t.Errorf("named: %v", err)
	}
}
