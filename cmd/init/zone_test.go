package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/trampoline"
)

// Options change how a zone is made.
type Options struct {
	// Root is the zone's root file system, testenv.BusyboxRoot by default.
	Root string
	// User gives the zone a user namespace of its own, root being UserBase outside.
	User bool
	// Pid1 is what becomes pid 1 instead of the trampoline.
	Pid1 []string
	// Bin is what the zone has at /lib/svc/bin, Bin(t) by default.
	Bin string
	// Wrap is a command of the host that starts pid 1 as its own image.
	Wrap []string
	// Script is run by the maker before it becomes pid 1; $ROOT is the zone's root.
	Script string
}

// UserBase is the first uid outside of a zone that has a user namespace.
const UserBase = 2_000_000

// Zone is a made zone.
type Zone struct {
	*Console
	t    testing.TB
	cmd  *exec.Cmd
	sock int // to the trampoline, -1 when it was used up
	done chan struct{}
}

// maker puts a root file system together in fresh namespaces, and becomes pid 1 in it.
const maker = `set -e
/bin/mount --make-rprivate /
/bin/mount --bind "$ROOT" "$ROOT"
/bin/mount -t proc proc "$ROOT/proc"
/bin/mount -t tmpfs tmpfs "$ROOT/run"
/bin/mount -t tmpfs tmpfs "$ROOT/dev"
: > "$ROOT/dev/console"
for d in null zero tty; do : > "$ROOT/dev/$d"; /bin/mount --bind "/dev/$d" "$ROOT/dev/$d"; done
mkdir "$ROOT/dev/pts"
/bin/mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
/bin/mount --bind "$CONSOLE" "$ROOT/dev/console"
mkdir -p "$ROOT/lib/svc/bin" "$ROOT/etc/svc/volatile"
/bin/mount -t tmpfs tmpfs "$ROOT/etc/svc/volatile"
/bin/mount --bind "$BIN" "$ROOT/lib/svc/bin"
/bin/mount -o remount,bind,ro "$ROOT/lib/svc/bin"
eval "$SCRIPT"
cd "$ROOT"
exec $WRAP /usr/sbin/chroot . "$@"
`

// Make brings a zone to the state ready.
func Make(t testing.TB, o Options) *Zone {
	t.Helper()
	testenv.NeedRoot(t)
	if o.Root == "" {
		o.Root = testenv.BusyboxRoot(t)
	}
	if o.Pid1 == nil {
		o.Pid1 = []string{"/lib/svc/bin/trampoline"}
	}
	if o.Bin == "" {
		o.Bin = Bin(t)
	}
	z := &Zone{t: t, Console: newConsole(t), done: make(chan struct{})}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	z.sock = pair[0]
	theirs := os.NewFile(uintptr(pair[1]), "trampoline")
	defer theirs.Close()
	slave := z.Slave()
	defer slave.Close()
	z.cmd = exec.Command("/bin/sh", append([]string{"-c", maker, "maker"}, o.Pid1...)...)
	z.cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "ROOT=" + o.Root, "BIN=" + o.Bin, "WRAP=" + strings.Join(o.Wrap, " "), "CONSOLE=" + z.path, "SCRIPT=" + o.Script, "LEAK=host"}
	z.cmd.Stdin, z.cmd.Stdout, z.cmd.Stderr = slave, slave, slave
	z.cmd.ExtraFiles = []*os.File{theirs}
	z.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Setctty: true,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
	}
	if o.User {
		own(t, o.Root, slave)
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: UserBase, Size: 65536}}
		z.cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		z.cmd.SysProcAttr.UidMappings, z.cmd.SysProcAttr.GidMappings = ids, ids
		z.cmd.SysProcAttr.GidMappingsEnableSetgroups = true
		z.cmd.SysProcAttr.Credential = &syscall.Credential{}
	}
	must(t, z.cmd.Start())
	go func() { z.cmd.Wait(); close(z.done) }()
	t.Cleanup(z.end)
	return z
}

// own gives the root file system and the console to the zone's root.
func own(t testing.TB, root string, slave *os.File) {
	t.Helper()
	// The tests' directories are root's alone.
	for dir := root; dir != "/tmp" && dir != "/"; dir = parent(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	if out, err := exec.Command("chown", "-hR", strconv.Itoa(UserBase)+":"+strconv.Itoa(UserBase), root).CombinedOutput(); err != nil {
		t.Fatalf("chown: %v\n%s", err, out)
	}
	must(t, slave.Chown(UserBase, UserBase))
}

func (z *Zone) end() {
	z.cmd.Process.Kill()
	<-z.done
	if z.sock >= 0 {
		unix.Close(z.sock)
	}
	z.close()
}

// PID is pid 1's number outside.
func (z *Zone) PID() int { return z.cmd.Process.Pid }

// Send gives the trampoline a message as it is.
func (z *Zone) Send(message []byte) {
	z.t.Helper()
	must(z.t, unix.Send(z.sock, message, 0))
}

// Reply waits for the trampoline's answer: an errno, or 0 when it is no more.
func (z *Zone) Reply() unix.Errno {
	z.t.Helper()
	limit := unix.NsecToTimeval(testenv.Deadline(time.Minute).Nanoseconds())
	must(z.t, unix.SetsockoptTimeval(z.sock, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
	var buf [8]byte
	n, err := 0, error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(z.sock, buf[:])
	}
	switch {
	case err != nil:
		z.t.Fatalf("no answer of the trampoline: %v\n%s", err, z.Output())
	case n == 0:
		z.HangUp()
		return 0
	case n != 4:
		z.t.Fatalf("an answer of %d bytes", n)
	}
	return unix.Errno(binary.LittleEndian.Uint32(buf[:]))
}

// HangUp closes the socket to the trampoline.
func (z *Zone) HangUp() {
	unix.Close(z.sock)
	z.sock = -1
}

// Try asks the trampoline to become something.
func (z *Zone) Try(b trampoline.Boot) unix.Errno {
	z.t.Helper()
	message, err := json.Marshal(map[string]any{"path": b.Path, "args": b.Args, "env": b.Env})
	must(z.t, err)
	z.Send(message)
	return z.Reply()
}

// Boot boots the zone with our init.
func (z *Zone) Boot(args ...string) {
	z.t.Helper()
	errno := z.Try(trampoline.Boot{Path: "/lib/svc/bin/init", Args: append([]string{"init"}, args...), Env: []string{"ZONENAME=testzone"}})
	if errno != 0 {
		z.t.Fatalf("boot: %v", errno)
	}
}

// Booted gives a zone whose shell waits for a command.
func Booted(t testing.TB, o Options, args ...string) *Zone {
	t.Helper()
	z := Make(t, o)
	z.Boot(args...)
	z.Expect(prompt)
	return z
}

// Enter gives a command that runs in the zone as root, from outside, as a zlogin's does.
func (z *Zone) Enter(argv ...string) *exec.Cmd {
	args := []string{"-t", strconv.Itoa(z.PID()), "-m", "-u", "-i", "-p", "-r", "-w"}
	if z.cmd.SysProcAttr.Cloneflags&unix.CLONE_NEWUSER != 0 {
		args = append(args, "-U", "-S", "0", "-G", "0")
	}
	cmd := exec.Command("nsenter", append(append(args, "--"), argv...)...)
	cmd.Env = []string{"PATH=/lib/svc/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	return cmd
}

// Run runs a command in the zone and gives its output.
func (z *Zone) Run(argv ...string) string {
	z.t.Helper()
	out, err := z.Enter(argv...).CombinedOutput()
	if err != nil {
		z.t.Fatalf("%q in the zone: %v\n%s", argv, err, out)
	}
	return string(out)
}

// Wait waits for the zone's end and gives how pid 1 ended.
func (z *Zone) Wait() syscall.WaitStatus {
	z.t.Helper()
	limit := time.NewTimer(testenv.Deadline(2 * time.Minute))
	defer limit.Stop()
	select {
	case <-z.done:
	case <-limit.C:
		z.t.Fatalf("the zone does not end; its console said:\n%s", z.Output())
	}
	z.settle()
	return z.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// Running says whether pid 1 is there.
func (z *Zone) Running() bool {
	select {
	case <-z.done:
		return false
	default:
		return true
	}
}

// prompt is busybox's, with its question for the cursor's position.
const prompt = `[#$] (\x1b\[6n)?$`

var shellPrompt = regexp.MustCompile(prompt)
