package importer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/repo"
)

// childMain is what a process of the test's own does, by its role: the import of a directory,
// that ends with the step that it is told, or goes on until it is killed.
func childMain(as string) int {
	step, err := strconv.Atoi(os.Getenv("IMPORTER_TEST_STEP"))
	switch {
	case err != nil:
	case as == "import":
		err = bootIn(os.Getenv("IMPORTER_TEST_DIR"), os.Getenv("IMPORTER_TEST_FILES"), &deadly{step: step})
	case as == "record":
		err = recordMain()
	default:
		err = errors.New("no such role: " + as)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

// deadly is a way to a repository on which one dies: a step is whatever comes before or after
// something is read or written.
type deadly struct {
	Store
	step, now int
	after     func() // each batch
}

func (d *deadly) next() {
	if d.now++; d.now == d.step {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

func (d *deadly) View(f func(Reader) error) error {
	d.next()
	defer d.next()
	return d.Store.View(f)
}

func (d *deadly) Apply(b *repo.Batch) (uint64, error) {
	d.next()
	defer d.next()
	generation, err := d.Store.Apply(b)
	if d.after != nil {
		d.after()
	}
	return generation, err
}

// bootIn imports the files of a system into the repository of a directory.
func bootIn(dir, root string, d *deadly) error {
	r, err := repo.Open(config(dir))
	if err != nil {
		return err
	}
	d.Store = Local(r)
	b := &Boot{Store: d, Root: root, Tell: func(File) { d.next() }, Backup: func() error {
		d.next()
		_, _, err := r.Backup(repo.ImportBackup)
		d.next()
		return err
	}}
	return errors.Join(bootAll(b), r.Close())
}

// bootAll imports and cleans up, as the service that does it.
func bootAll(b *Boot) error {
	counts, err := b.Manifests(LateDirs...)
	if err != nil {
		return err
	}
	cleaned, err := b.Cleanup(LateDirs...)
	if n := counts[Failed] + cleaned[Failed]; err == nil && n > 0 {
		err = fmt.Errorf("%d files failed", n)
	}
	return err
}

// twoVersions is a system's files, first and then, and what a repository holds between them.
func twoVersions(t *testing.T) (root, was string, states []string) {
	t.Helper()
	root, was = t.TempDir(), t.TempDir()
	one := func(i int, text string) string {
		return strings.NewReplacer("small", fmt.Sprintf("s%d", i), "80", text).Replace(small)
	}
	for i := range 3 {
		write(t, filepath.Join(root, SystemManifests, "site", fmt.Sprintf("s%d.xml", i)), document("manifest", one(i, "80")))
	}
	write(t, filepath.Join(root, LocalManifests, "gone.xml"), document("manifest", one(8, "80")))
	must(t, bootIn(was, root, &deadly{}))
	for i := range 2 {
		write(t, filepath.Join(root, SystemManifests, "site", fmt.Sprintf("s%d.xml", i)), document("manifest", one(i, "90")+one(i+4, "1")))
	}
	must(t, os.Remove(filepath.Join(root, LocalManifests, "gone.xml")))
	copied := copyDir(t, was)
	states = []string{dumpIn(t, copied)}
	r, err := repo.Open(config(copied))
	must(t, err)
	d := &deadly{Store: Local(r)}
	d.after = func() { states = append(states, dump(t, r)) }
	must(t, errors.Join(bootAll(&Boot{Store: d, Root: root}), r.Close()))
	if len(states) != 4 {
		t.Fatalf("there are %d states", len(states))
	}
	return root, was, states
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

func dumpIn(t *testing.T, dir string) string {
	t.Helper()
	r, err := repo.Open(config(dir))
	must(t, err)
	defer func() { must(t, r.Close()) }()
	return dump(t, r)
}

func child(t *testing.T, dir, root string, step int) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), role+"=import", "IMPORTER_TEST_DIR="+dir, "IMPORTER_TEST_FILES="+root, "IMPORTER_TEST_STEP="+strconv.Itoa(step))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// TestKilledAtEachStep kills the import of a directory at each of its steps: each file is imported
// or not, and the next import does the rest.
func TestKilledAtEachStep(t *testing.T) {
	root, was, states := twoVersions(t)
	steps, seen := 0, map[int]bool{}
	for {
		dir := copyDir(t, was)
		err := child(t, dir, root, steps+1).Run()
		if err == nil {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatal(err)
		}
		steps++
		at := slices.Index(states, dumpIn(t, dir))
		if at < 0 {
			t.Fatalf("killed at step %d: there is\n%s", steps, dumpIn(t, dir))
		}
		seen[at] = true
		must(t, bootIn(dir, root, &deadly{}))
		if got := dumpIn(t, dir); got != states[len(states)-1] {
			t.Fatalf("killed at step %d, and then imported:\n%s", steps, got)
		}
	}
	t.Logf("%d steps, %d states", steps, len(seen))
	if steps < 20 || len(seen) != len(states) {
		t.Errorf("only %d steps, which ended in %d of %d states", steps, len(seen), len(states))
	}
}

// TestKilledAtAnyTime kills it from outside, whatever it is doing.
func TestKilledAtAnyTime(t *testing.T) {
	root, was, states := twoVersions(t)
	random := rand.New(rand.NewPCG(7, 8))
	killed := 0
	for range 30 {
		dir := copyDir(t, was)
		cmd := child(t, dir, root, -1)
		must(t, cmd.Start())
		time.Sleep(time.Duration(random.IntN(15_000)) * time.Microsecond)
		must(t, ignoreDone(cmd.Process.Kill()))
		if cmd.Wait() != nil {
			killed++
		}
		if at := slices.Index(states, dumpIn(t, dir)); at < 0 {
			t.Fatalf("there is\n%s", dumpIn(t, dir))
		}
		must(t, bootIn(dir, root, &deadly{}))
		if got := dumpIn(t, dir); got != states[len(states)-1] {
			t.Fatalf("killed, and then imported:\n%s", got)
		}
	}
	t.Logf("%d of 30 were killed before they were done", killed)
	if killed == 0 {
		t.Error("none was killed in time")
	}
}

func ignoreDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
