package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// roleVariable makes this binary a launcher or a writer of logs. As a supervisor it is known by
// its name.
const roleVariable = "ZSCHED_TEST_ROLE"

func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "zoned":
		os.Exit(zonedMain())
	case os.Getenv(roleVariable) == "launcher":
		launcherMain()
	case os.Getenv(roleVariable) == "logger":
		loggerMain()
	default:
		testenv.Main(m)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// zonedMain is a supervisor that does what the file "plan" of its instance says, line by line,
// and leaves when there is a file "leave.ZONE".
func zonedMain() int {
	root := os.Getenv(layout.EnvRoot)
	write := func(name, text string) {
		_ = os.WriteFile(filepath.Join(root, name+"."+os.Args[2]), []byte(text), 0o600)
	}
	plan, _ := os.ReadFile(filepath.Join(root, "plan"))
	var c *keeper.Client
	var held *keeper.Held
	for line := range strings.Lines(string(plan)) {
		word, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, _ := strconv.Atoi(arg)
		var err error
		switch word {
		case "say":
			fmt.Println(arg)
		case "exit":
			return number
		case "die":
			_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -" + arg + " $$"}, nil)
		case "place":
			err = place(root)
		case "serve":
			if c, held, err = keeper.Dial(sys.Own(keeper.SocketFD)); err == nil {
				go func() {
					for {
						if _, err := c.Next(); err != nil {
							return
						}
					}
				}()
				err = c.Started()
			}
		case "hold":
			err = c.Hold(true)
		case "append":
			err = c.Append([]byte(arg))
		case "read":
			write("ring", readRing(held))
		case "facts":
			write("facts", facts())
		}
		if err != nil {
			fmt.Println("zoned:", err)
			return 70
		}
	}
	write("pid", strconv.Itoa(os.Getpid()))
	for {
		if _, err := os.Stat(filepath.Join(root, "leave."+os.Args[2])); err == nil {
			_ = c.Hold(false)
			_ = c.Quit()
			return 0
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// place does what the real one does: moves keeper and itself into a leaf of their own.
func place(root string) error {
	mount, err := cgroup2.Mount()
	if err != nil {
		return err
	}
	dir := filepath.Join(mount, "zones"+layout.At(root).Tag(), os.Args[2], "sup")
	if err := cgroup2.Make(dir); err != nil {
		return err
	}
	for _, pid := range []int{os.Getppid(), os.Getpid()} {
		if err := cgroup2.Enter(dir, pid); err != nil {
			return err
		}
	}
	return nil
}

func readRing(h *keeper.Held) string {
	r, err := ring.OpenReader(h.Slots[keeper.SlotRing].Int())
	if err != nil {
		return err.Error()
	}
	buf := make([]byte, 4096)
	n, _, err := r.ReadAt(0, buf)
	return fmt.Sprintf("%q %v", buf[:n], err)
}

// facts is what this process was given by the one that started it.
func facts() string {
	var out strings.Builder
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "SigBlk") || strings.HasPrefix(line, "SigIgn") || strings.HasPrefix(line, "Umask") {
			out.WriteString(line)
		}
	}
	cwd, _ := os.Getwd()
	nice, _ := unix.Getpriority(unix.PRIO_PROCESS, 0)
	keyring, _ := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	oom, _ := os.ReadFile("/proc/self/oom_score_adj")
	var files unix.Rlimit
	// The runtime has raised it for itself; a child is given what this process was.
	soft, _ := exec.Command("/bin/sh", "-c", "ulimit -Sn; ulimit -Sc").Output()
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &files)
	fmt.Fprintf(&out, "cwd %s\nnice %d\nkeyring %d\noom %slimits %s\n", cwd, 20-nice, keyring, oom, strings.Join(strings.Fields(string(soft)), " "))
	for _, v := range os.Environ() { // not all of it: it may hold what is nobody's business
		if strings.HasPrefix(v, "GO") || strings.HasPrefix(v, "LANG") || strings.HasPrefix(v, "ZONES") {
			fmt.Fprintf(&out, "env %s\n", v)
		}
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, f := range fds {
		to, _ := os.Readlink("/proc/self/fd/" + f.Name())
		fmt.Fprintf(&out, "fd %s %s\n", f.Name(), to)
	}
	return out.String()
}

// programs makes a directory with the real zsched and this binary as zoned, once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "programs")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", dir+"/zsched", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	// Written pages of a new file are dirty, and would count as the process's own.
	unix.Sync()
	return dir, os.Symlink(exe, dir+"/zoned")
})

// instance is a directory of its own with one plan for its supervisors.
type instance struct {
	t    testing.TB
	root string
	lay  layout.Layout
}

func newInstance(t testing.TB, plan ...string) *instance {
	t.Helper()
	i := &instance{t: t, root: t.TempDir()}
	i.lay = layout.At(i.root)
	check(t, os.Chmod(i.root, 0o755))
	i.plan(plan...)
	return i
}

func (i *instance) plan(lines ...string) {
	i.t.Helper()
	check(i.t, os.WriteFile(filepath.Join(i.root, "plan"), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// zsched is one run of the program.
type zsched struct {
	t    testing.TB
	i    *instance
	zone string
	cmd  *exec.Cmd
	mu   sync.Mutex // guards said
	said bytes.Buffer
	done chan struct{}
}

func (z *zsched) Write(p []byte) (int, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.said.Write(p)
}

func (z *zsched) words() string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.said.String()
}

// command is a zsched for the zone, not started yet.
func (i *instance) command(zone string) *zsched {
	i.t.Helper()
	dir, err := programs()
	check(i.t, err)
	z := &zsched{t: i.t, i: i, zone: zone, done: make(chan struct{})}
	z.cmd = exec.Command(dir+"/zsched", "-z", zone)
	z.cmd.Env = append(os.Environ(), layout.EnvRoot+"="+i.root, "GOMAXPROCS=1", "GOGC=20")
	z.cmd.Stdout, z.cmd.Stderr = z, z
	return z
}

func (z *zsched) start() *zsched {
	z.t.Helper()
	check(z.t, z.cmd.Start())
	go func() { _ = z.cmd.Wait(); close(z.done) }()
	z.t.Cleanup(func() {
		_ = os.WriteFile(filepath.Join(z.i.root, "leave."+z.zone), nil, 0o600)
		select {
		case <-z.done:
		case <-time.After(testenv.Deadline(time.Minute)):
			_ = z.cmd.Process.Kill()
			<-z.done
			z.t.Error("zsched did not leave with its supervisor")
		}
		_ = os.Remove(filepath.Join(z.i.root, "leave."+z.zone))
	})
	return z
}

// serving starts it and waits until it serves.
func (i *instance) serving(zone string) *zsched {
	i.t.Helper()
	z := i.command(zone).start()
	z.awaitReady()
	return z
}

func (z *zsched) awaitReady() {
	z.t.Helper()
	testenv.Eventually(z.t, func() bool { return strings.HasSuffix(z.words(), "\x01ready\n") }, "the word that it serves")
	testenv.Eventually(z.t, func() bool { return z.zoned() != 0 }, "the supervisor's number")
}

// zoned is the supervisor's number.
func (z *zsched) zoned() int {
	b, _ := os.ReadFile(filepath.Join(z.i.root, "pid."+z.zone))
	n, _ := strconv.Atoi(string(b))
	return n
}

// wait gives the exit code.
func (z *zsched) wait() int {
	z.t.Helper()
	select {
	case <-z.done:
	case <-time.After(testenv.Deadline(time.Minute)):
		z.t.Fatal("zsched does not end")
	}
	return z.cmd.ProcessState.ExitCode()
}

// leave has the supervisor leave and gives zsched's exit code.
func (z *zsched) leave() int {
	z.t.Helper()
	name := filepath.Join(z.i.root, "leave."+z.zone)
	check(z.t, os.WriteFile(name, nil, 0o600))
	defer os.Remove(name)
	return z.wait()
}

func (i *instance) file(name string) string {
	b, _ := os.ReadFile(filepath.Join(i.root, name))
	return string(b)
}
