package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
)

// patience is for what takes milliseconds on a machine that does nothing else.
var patience = testenv.Deadline(time.Minute)

var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "zonecfg-test")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "zonecfg")
	out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return file, nil
})

// dialogue is zonecfg on a terminal.
type dialogue struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	slave  *os.File
	before unix.Termios
	store  *configs.Store

	mu     sync.Mutex
	screen bytes.Buffer
	read   int
	exited chan error

	stop, watched chan struct{}
	stopOnce      sync.Once
}

func converse(t *testing.T, root string, env ...string) *dialogue {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	d := &dialogue{t: t, master: master, slave: slave, store: configs.Open(layout.At(root)), exited: make(chan error, 1),
		stop: make(chan struct{}), watched: make(chan struct{})}
	d.before = d.mode()
	d.cmd = exec.Command(file, "-z", "web")
	d.cmd.Env = append(os.Environ(), append([]string{"ZONES_ROOT=" + root, "TERM=xterm"}, env...)...)
	d.cmd.Stdin, d.cmd.Stdout, d.cmd.Stderr = slave, slave, slave
	d.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go d.watch()
	go func() { d.exited <- d.cmd.Wait() }()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		d.hangUp()
	})
	return d
}

func (d *dialogue) mode() unix.Termios {
	m, err := unix.IoctlGetTermios(int(d.slave.Fd()), unix.TCGETS)
	if err != nil {
		d.t.Fatal(err)
	}
	return *m
}

// watch reads the screen. It never sits in a read: a close would then wait for it.
func (d *dialogue) watch() {
	defer close(d.watched)
	fd := int(d.master.Fd())
	var b [4096]byte
	for {
		select {
		case <-d.stop:
			return
		default:
		}
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10); n == 0 || err != nil {
			continue
		}
		n, err := unix.Read(fd, b[:])
		if err != nil || n <= 0 {
			return
		}
		d.mu.Lock()
		d.screen.Write(b[:n])
		d.mu.Unlock()
	}
}

// hangUp takes the terminal away.
func (d *dialogue) hangUp() {
	d.stopOnce.Do(func() { close(d.stop) })
	<-d.watched
	_ = d.slave.Close()
	_ = d.master.Close()
}

// expect waits for text behind what was expected before.
func (d *dialogue) expect(text string) {
	d.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		d.mu.Lock()
		rest := d.screen.String()[d.read:]
		at := strings.Index(rest, text)
		if at >= 0 {
			d.read += at + len(text)
		}
		d.mu.Unlock()
		if at >= 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t.Fatalf("%q never came; after what came before there was %q", text, d.screen.String()[d.read:])
}

func (d *dialogue) send(keys string) {
	d.t.Helper()
	if _, err := d.master.WriteString(keys); err != nil {
		d.t.Fatal(err)
	}
}

// end waits for the exit and looks whether the terminal is as it was.
func (d *dialogue) end(code int) {
	d.t.Helper()
	select {
	case <-d.exited:
	case <-time.After(patience):
		d.t.Fatal("zonecfg does not end")
	}
	if got := d.cmd.ProcessState.ExitCode(); got != code {
		d.t.Errorf("exit code %d, want %d; %s", got, code, &d.screen)
	}
	if now := d.mode(); !reflect.DeepEqual(now, d.before) {
		d.t.Errorf("the terminal is left as %+v, it was %+v", now, d.before)
	}
}

const ready = "zonecfg:web> "

func TestDialogue(t *testing.T) {
	d := converse(t, t.TempDir())
	d.expect("web: No such zone configured")
	d.expect("Use 'create' to begin configuring a new zone.")
	d.expect(ready)
	if d.mode() == d.before {
		t.Error("no line editing")
	}
	d.send("create\r")
	d.expect(ready)

	// Completion: a unique word, a common beginning, then the list.
	d.send("set autob\t")
	d.expect("set autoboot=")
	d.send("t\t\r")
	d.expect(ready)
	d.send("set zo\t")
	d.expect("zone")
	d.send("\t")
	d.expect("zonename=")
	d.expect("zonepath=")
	d.expect(ready + "set zone")
	d.send("path=/zones/x\r")
	d.expect(ready)

	// Editing: home, insert; a deleted character; a word deleted.
	d.send("nfo zonepathX\x7f\x01i\r")
	d.expect("zonepath: /zones/x")
	d.expect(ready)

	// History: the last line again, and the one before it changed.
	d.send("\x1b[A\r")
	d.expect("zonepath: /zones/x")
	d.expect(ready)
	d.send("\x1b[A\x1b[A\x7fy\r\x1b[A\x1b[B") // up twice is the set line; then up and down leaves an empty line
	d.expect(ready)
	d.send("\x15info zonepath\r")
	d.expect("zonepath: /zones/y")
	d.expect(ready)

	// ^C gives a line up, also one that waits for an answer.
	d.send("set autoboot=false\x03")
	d.expect(ready)
	d.send("info autoboot\r")
	d.expect("autoboot: true")
	d.expect(ready)
	d.send("delete\r")
	d.expect("(y/[n])? ")
	d.send("\x03")
	d.expect(ready)

	// A resource scope, and answers that do not come back as history.
	d.send("add fs\r")
	d.expect("zonecfg:web:fs> ")
	d.send("exit\r")
	d.expect("Resource incomplete; really quit (y/[n])? ")
	d.send("n\r")
	d.expect("zonecfg:web:fs> ")
	d.send("\x1b[A")
	d.expect("exit")
	d.send("\x15cancel\r")
	d.expect(ready)
	d.send("\x04")
	d.end(0)
	z, _, err := d.store.Load("web")
	if err != nil || !z.Autoboot || z.Path != "/zones/y" {
		t.Errorf("%+v, %v", z, err)
	}
}

func TestPastedLines(t *testing.T) {
	d := converse(t, t.TempDir())
	d.expect(ready)
	d.send("create\radd attr\rset name=a\rset type=string\rset value=\"" + strings.Repeat("long ", 300) + "\"\rend\rcommit\rexit\r")
	d.end(0)
	z, _, err := d.store.Load("web")
	if err != nil || len(z.Attrs) != 1 || len(z.Attrs[0].Value) != 1500 {
		t.Errorf("%v, %v", z, err)
	}
}

func TestErrorsGoOn(t *testing.T) {
	d := converse(t, t.TempDir())
	d.expect(ready)
	d.send("bogus\r")
	d.expect("unknown subcommand 'bogus'")
	d.expect(ready)
	d.send("create\r")
	d.expect(ready)
	d.send("exit\r")
	d.end(1) // as in the original: an error was seen
	if _, err := d.store.Lookup("web"); err != nil {
		t.Error(err)
	}
}

// The signals that end a program end it, with the terminal restored and nothing written.
func TestSignals(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT} {
		d := converse(t, t.TempDir())
		d.expect(ready)
		d.send("create\r")
		d.expect(ready)
		d.send("set auto")
		d.expect("set auto")
		if d.mode() == d.before {
			t.Fatal("not raw")
		}
		if err := d.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		d.end(-1)
		want := sig
		if sig == unix.SIGQUIT {
			want = unix.SIGTERM
		}
		if st := d.cmd.ProcessState.Sys().(syscall.WaitStatus); st.Signal() != want {
			t.Errorf("%v: ended by %v", sig, st.Signal())
		}
		if _, err := d.store.Lookup("web"); err == nil {
			t.Errorf("%v: committed", sig)
		}
	}
}

// A terminal that vanishes is no ^D: nothing is committed.
func TestHangup(t *testing.T) {
	d := converse(t, t.TempDir())
	d.expect(ready)
	d.send("create\r")
	d.expect(ready)
	d.hangUp()
	select {
	case <-d.exited:
	case <-time.After(patience):
		t.Fatal("zonecfg does not end")
	}
	if d.cmd.ProcessState.Success() {
		t.Error("it was content")
	}
	if _, err := d.store.Lookup("web"); err == nil {
		t.Error("committed")
	}
}

func TestDumbTerminal(t *testing.T) {
	d := converse(t, t.TempDir(), "TERM=dumb")
	d.expect(ready)
	if d.mode() != d.before {
		t.Error("a dumb terminal was made raw")
	}
	d.send("create\n")
	d.expect(ready)
	d.send("delete\n")
	d.expect("(y/[n])? ")
	d.send("n\n")
	d.expect(ready)
	d.send("\x04")
	d.end(0)
	if _, err := d.store.Lookup("web"); err != nil {
		t.Error(err)
	}
}

// Two people on two terminals: the second is told, keeps his work, and can have it.
func TestTwoTerminals(t *testing.T) {
	root := t.TempDir()
	if _, err := configs.Open(layout.At(root)).Create(func() *configs.Zone { z := configs.New("web"); z.Path = "/zones/web"; return z }()); err != nil {
		t.Fatal(err)
	}
	first, second := converse(t, root), converse(t, root)
	first.expect(ready)
	second.expect(ready)
	second.send("set bootargs=mine\r")
	second.expect(ready)
	first.send("set autoboot=true\r")
	first.expect(ready)
	first.send("exit\r")
	first.end(0)
	second.send("exit\r")
	second.expect("changed by someone else since it was read")
	second.expect("Configuration not saved; really quit (y/[n])? ")
	second.send("n\r")
	second.expect(ready)
	saved := filepath.Join(root, "mine.cfg")
	second.send("export -f " + saved + "\r")
	second.expect(ready)
	second.send("revert\ry\rset bootargs=both\rexit\r")
	second.end(1)
	data, err := os.ReadFile(saved)
	if err != nil || !strings.Contains(string(data), "set bootargs=mine") {
		t.Errorf("%s, %v", data, err)
	}
	z, _, err := second.store.Load("web")
	if err != nil || !z.Autoboot || z.Bootargs != "both" {
		t.Errorf("%+v, %v", z, err)
	}
}

func TestExitCodes(t *testing.T) {
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		code int
	}{
		{"help", 0}, {"-?", 0}, {"", 2}, {"-z", 2}, {"-q", 2}, {"info", 2}, {"-z -x info", 2}, {"-z SUNWx create", 2}, {"-R rel -z a info", 2},
		{"-z a -f b info", 2}, {"-z a info", 1}, {"-z a bogus", 1}, {"-z a -f /nonexistent", 1}, {"-z a create", 0}, {"-z a create", 1},
		{"-z a set autoboot=x", 1}, {"-z a -- info", 0}, {"-z global info", 0},
	} {
		cmd := exec.Command(file, strings.Fields(tc.args)...)
		cmd.Env = append(os.Environ(), "ZONES_ROOT="+filepath.Join(t.TempDir(), "..", "instance"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		_ = cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != tc.code || (got != 0) != (strings.Count(stderr.String(), "\n") == 1) {
			t.Errorf("%q: exit code %d, want %d; %q", tc.args, got, tc.code, &stderr)
		}
	}
}

// A user without privilege reads, and is told why he cannot write.
func TestWithoutPrivilege(t *testing.T) {
	testenv.NeedRoot(t)
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.MkdirTemp("", "zonecfg-test")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root)
	for _, dir := range []string{root, filepath.Dir(file)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	as := func(uid uint32, args ...string) (string, int) {
		cmd := exec.Command(file, args...)
		cmd.Env = append(os.Environ(), "ZONES_ROOT="+root)
		cmd.SysProcAttr = &unix.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := as(0, "-z", "web", "create"); code != 0 {
		t.Fatal(out)
	}
	for _, tc := range []struct {
		command, want string
		code          int
	}{
		{"info zonename", "zonename: web\n", 0},
		{"verify", "", 0},
		{"export", "create -b\n", 0},
		{"set autoboot=true", "web: cannot set in read-only mode: only a privileged user may change a zone's configuration\n", 1},
		{"delete -F", "only a privileged user", 1},
		{"create -F", "only a privileged user", 1},
		{"commit", "only a privileged user", 1},
	} {
		out, code := as(65534, "-z", "web", tc.command)
		if code != tc.code || !strings.HasPrefix(out, tc.want) && !strings.Contains(out, tc.want) {
			t.Errorf("%s: %d %q", tc.command, code, out)
		}
	}
}
