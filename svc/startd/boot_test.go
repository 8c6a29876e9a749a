package startd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/repo"
)

// TestBoot: the first boot makes a repository, serves it, keeps a backup, and imports. What was written is there at the next start, and no step is done twice in a boot.
func TestBoot(t *testing.T) {
	z := newZone(t)
	r := z.start()
	z.booted()
	if got := z.calls(); got != "import -e;" {
		t.Errorf("imports: %s", got)
	}
	put(t, z.client(), "1")
	must(t, r.end())
	if n := z.backups(repo.BootBackup); n != 1 {
		t.Errorf("%d backups", n)
	}
	log := z.log()
	for _, want := range []string{"the repository is served", "backup " + z.path("etc/repository-boot-"), "ended"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("%q is not once in the log:\n%s", want, log)
		}
	}
	r = z.start()
	if got := number(t, z.client()); got != "1" {
		t.Errorf("number %s", got)
	}
	must(t, r.end())
	if got := z.calls(); got != "import -e;" || z.backups(repo.BootBackup) != 1 {
		t.Errorf("again: imports %s, %d backups", got, z.backups(repo.BootBackup))
	}
	must(t, os.RemoveAll(z.cfg.Volatile))
	must(t, os.Mkdir(z.cfg.Volatile, 0o755))
	z.boot()
	if got := z.calls(); got != "import -e;import -e;" || z.backups(repo.BootBackup) != 2 {
		t.Errorf("the next boot: imports %s, %d backups", got, z.backups(repo.BootBackup))
	}
}

// TestServedWhileImported: who is started early does not wait for the import, and the import
// itself needs the door.
func TestServedWhileImported(t *testing.T) {
	z := newZone(t)
	z.imports("while [ ! -e go ]; do sleep 0.01; done")
	r := z.start()
	c := z.client()
	put(t, c, "1")
	testenv.Eventually(t, func() bool { return z.calls() == "import -e;" }, "the early import")
	if z.marks() != doneBackup {
		t.Errorf("marks %s while the early import runs", z.marks())
	}
	must(t, os.WriteFile(z.path("go"), nil, 0o644))
	z.booted()
	put(t, c, "2")
	must(t, r.end())
}

// TestImportResults: what is done again by the next svc.startd of the boot, and what is said.
func TestImportResults(t *testing.T) {
	was := outputMax
	defer func() { outputMax = was }()
	for name, c := range map[string]struct {
		script string
		done   bool
		said   string // on the log; "": nothing
	}{
		"well":               {"exit 0", true, ""},
		"faults":             {"echo x.xml: bad >&2; exit 95", true, "x.xml: bad"},
		"failed":             {"exit 1", false, "import -e: exit status 1"},
		"usage":              {"exit 2", false, "import -e: exit status 2"},
		"killed":             {"kill -9 $$", false, "import -e: signal: killed"},
		"killed otherwise":   {"kill -TERM $$", false, "import -e: signal: terminated"},
		"leaves its output":  {"(while [ -d volatile ] && [ ! -e go ]; do sleep 0.01; done) & exit 0", true, ""},
		"leaves, and faults": {"(while [ -d volatile ] && [ ! -e go ]; do sleep 0.01; done) & exit 95", true, ""},
		"closes its output":  {"exec >&- 2>&-; exit 0", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			outputMax = was
			if strings.HasPrefix(name, "leaves") {
				outputMax = 300 * time.Millisecond
			}
			z := newZone(t)
			z.imports(c.script)
			r := z.start()
			testenv.Eventually(t, func() bool { return z.calls() == "import -e;" }, "the import")
			if c.done {
				z.booted()
			} else {
				z.logged("import -e: ")
				if z.marks() != doneBackup {
					t.Errorf("marks %s", z.marks())
				}
			}
			must(t, os.WriteFile(z.path("go"), nil, 0o644))
			must(t, r.end())
			if log := z.log(); c.said == "" && strings.Contains(log, "import") || !strings.Contains(log, c.said) {
				t.Errorf("the log has not %q, or more:\n%s", c.said, log)
			}
			z.imports("exit 0")
			z.boot()
			want := "import -e;"
			if !c.done {
				want += want
			}
			if got := z.calls(); got != want {
				t.Errorf("imports %s", got)
			}
		})
	}
}

// TestNoImport: a program that is not there, or is none, is told; the repository is served.
func TestNoImport(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"missing":        os.Remove,
		"not executable": func(path string) error { return os.Chmod(path, 0o644) },
		"a directory":    func(path string) error { return os.Rename(filepath.Dir(path)+"/etc", path) },
		"junk":           func(path string) error { return os.WriteFile(path, []byte("\x7fELF junk"), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			z := newZone(t)
			if name == "a directory" {
				must(t, os.Remove(z.path("import")))
				must(t, os.Mkdir(z.path("import"), 0o755))
			} else {
				must(t, spoil(z.path("import")))
			}
			r := z.start()
			z.logged("import -e: ")
			put(t, z.client(), "1")
			if z.marks() != doneBackup {
				t.Errorf("marks %s", z.marks())
			}
			must(t, r.end())
		})
	}
}

// TestImportHangs: it is killed at the limit, told, and done again the next time; also when it
// pays no attention to signals and has closed its output.
func TestImportHangs(t *testing.T) {
	defer func(was time.Duration) { importMax = was }(importMax)
	importMax = 300 * time.Millisecond
	z := newZone(t)
	z.imports("trap '' TERM INT HUP; exec >&- 2>&-; exec sleep 1000")
	r := z.start()
	z.logged("import -e: it took longer than 300ms")
	if z.marks() != doneBackup {
		t.Errorf("marks %s, log:\n%s", z.marks(), z.log())
	}
	put(t, z.client(), "1")
	must(t, r.end())
}

// TestEndedWhileImported: the end of the zone ends an import, which is not told as a failure, and
// is done by the next one.
func TestEndedWhileImported(t *testing.T) {
	for name, script := range map[string]string{
		"hangs":       "trap '' TERM; exec sleep 1000",
		"writes much": "exec yes",
		"is stopped":  "kill -STOP $$",
	} {
		t.Run(name, func(t *testing.T) {
			z := newZone(t)
			z.imports(script)
			r := z.start()
			testenv.Eventually(t, func() bool { return z.calls() == "import -e;" }, "the early import")
			must(t, r.end())
			if z.marks() != doneBackup || strings.Contains(z.log(), "import") || z.calls() != "import -e;" {
				t.Errorf("marks %s, imports %s, log:\n%s", z.marks(), z.calls(), z.log())
			}
			z.imports("")
			z.boot()
		})
	}
}

// TestMarks: a mark that cannot be made is told; whatever has its name stands for it.
func TestMarks(t *testing.T) {
	z := newZone(t)
	must(t, os.Symlink("nowhere", z.path("volatile/"+doneEarly)))
	must(t, os.Mkdir(z.path("volatile/"+doneBackup), 0o755))
	z.boot()
	if z.calls() != "" {
		t.Errorf("imports %s", z.calls())
	}
	if _, err := os.Lstat(z.path("volatile/nowhere")); !os.IsNotExist(err) {
		t.Errorf("a mark was made through a link: %v", err)
	}
}

// TestBackupFails: it is told on the console, nothing else stops, and the next one tries again.
func TestBackupFails(t *testing.T) {
	z := newZone(t)
	z.cfg.Repository.Now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	must(t, os.WriteFile(z.path("console"), nil, 0o644))
	taken := z.path("etc/repository-boot-20260102_030405")
	must(t, os.Mkdir(taken, 0o755))
	r := z.start()
	z.logged("keep a backup of the repository: ")
	testenv.Eventually(t, func() bool { return z.marks() == doneEarly }, "the import")
	must(t, r.end())
	if !strings.Contains(z.read("console"), "svc.startd: keep a backup of the repository: "+taken) {
		t.Errorf("console: %s", z.read("console"))
	}
	must(t, os.Remove(taken))
	z.boot()
}
