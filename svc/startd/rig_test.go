package startd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/tree"
)

var web = repo.Entity{Service: "network/web", Instance: "default"}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// zone is where a svc.startd works.
type zone struct {
	t   testing.TB
	dir string
	cfg Config
}

func configOf(dir string) Config {
	at := func(name string) string { return filepath.Join(dir, name) }
	return Config{
		Repository: repo.Config{Path: at("etc/repository.db"), VolatilePath: at("volatile/svc_nonpersist.db"), BootID: "this boot"},
		Door:       at("volatile/repository_door"), Volatile: at("volatile"),
		Log: at("log/svc.startd.log"), EarlyLog: at("volatile/svc.startd.log"),
		Console: at("console"), Import: []string{at("import"), "-e"},
	}
}

// newZone is one that was never booted. Its import says what it was called with, and is done.
func newZone(t testing.TB) *zone {
	t.Helper()
	dir := t.TempDir()
	z := &zone{t: t, dir: dir, cfg: configOf(dir)}
	for _, d := range []string{"etc", "volatile"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	z.imports("")
	return z
}

func (z *zone) path(name string) string { return filepath.Join(z.dir, name) }

// imports makes the import what a shell's script does. Each call is noted.
func (z *zone) imports(script string) {
	z.t.Helper()
	text := "#!/bin/sh\ncd '" + z.dir + "'; echo \"import $*\" >>calls\n" + script + "\n"
	must(z.t, os.WriteFile(z.path("import.new"), []byte(text), 0o755))
	must(z.t, os.Rename(z.path("import.new"), z.path("import")))
}

// calls are those of the import so far.
func (z *zone) calls() string { return strings.ReplaceAll(z.read("calls"), "\n", ";") }

// read is what a file has; of one that is not there nothing.
func (z *zone) read(name string) string {
	z.t.Helper()
	b, err := os.ReadFile(z.path(name))
	if err != nil && !os.IsNotExist(err) {
		z.t.Fatal(err)
	}
	return string(b)
}

func (z *zone) log() string { return z.read("log/svc.startd.log") }

// running is a svc.startd in this process.
type running struct {
	z    *zone
	stop context.CancelFunc
	done chan struct{}
	err  error
}

// start starts one, and awaits nothing.
func (z *zone) start() *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{z: z, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = Run(ctx, z.cfg)
	}()
	z.t.Cleanup(func() { stop(); <-r.done })
	return r
}

// end ends it, and says how it ended.
func (r *running) end() error {
	r.z.t.Helper()
	r.stop()
	r.wait()
	return r.err
}

func (r *running) wait() {
	r.z.t.Helper()
	select {
	case <-r.done:
	case <-time.After(testenv.Deadline(30 * time.Second)):
		r.z.t.Fatal("svc.startd does not end")
	}
}

// booted awaits the end of the boot's steps: the marks of all.
func (z *zone) booted() {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool { return z.marks() == doneBackup+" "+doneEarly }, "the steps of the boot")
}

// marks are the steps that are done.
func (z *zone) marks() string {
	var there []string
	for _, mark := range []string{doneBackup, doneEarly} {
		if _, err := os.Lstat(filepath.Join(z.cfg.Volatile, mark)); err == nil {
			there = append(there, mark)
		}
	}
	return strings.Join(there, " ")
}

// logged awaits a text in the log.
func (z *zone) logged(text string) {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool { return strings.Contains(z.log(), text) }, "the log to have "+text)
}

// boot runs one until the steps of the boot are done, and ends it.
func (z *zone) boot() {
	z.t.Helper()
	r := z.start()
	z.booted()
	must(z.t, r.end())
}

func (z *zone) client() *client.Client {
	c := client.New(client.Config{Path: z.cfg.Door, Patience: testenv.Deadline(20 * time.Second)})
	z.t.Cleanup(func() { must(z.t, c.Close()) })
	return c
}

// command is one in a process of its own. Its error output is the tests'.
func (z *zone) command(env ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), role+"=run", "STARTD_TEST_DIR="+z.dir), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return cmd
}

// process starts it.
func (z *zone) process(env ...string) *exec.Cmd {
	z.t.Helper()
	cmd := z.command(env...)
	must(z.t, cmd.Start())
	return cmd
}

func kill(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
}

// put writes a number into the repository.
func put(t testing.TB, s door.Store, n string) {
	t.Helper()
	var b repo.Batch
	b.Ensure(web)
	b.PutGroup(web, &tree.Group{Name: "n", Type: "application", Props: []tree.Property{
		{Name: "n", Type: prop.AString, Values: []string{n}}}})
	_, err := s.Apply(&b)
	must(t, err)
}

// number reads it.
func number(t testing.TB, s door.Store) string {
	t.Helper()
	p, err := s.Property(web, door.Direct, "n", "n")
	must(t, err)
	return p.Values[0]
}

// backups are how many there are of a name.
func (z *zone) backups(name string) int {
	z.t.Helper()
	found, err := filepath.Glob(z.path("etc/repository-" + name + "-*"))
	must(z.t, err)
	return len(found)
}

// shortEnd is for what takes less than a second, where the processor is not others'.
const shortEnd = time.Minute
