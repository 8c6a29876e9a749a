package importer

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The import of a directory is recorded: its process filters its own system calls, and the kernel
// asks the test before each that changes a file. What is on the disk after a kill is what was
// written until then; after a power cut, of what was not flushed any part.

var recordedCalls = []uint32{unix.SYS_PWRITE64, unix.SYS_FDATASYNC, unix.SYS_FSYNC, unix.SYS_FTRUNCATE}

// askBefore makes the calls of all threads ask, and gives the descriptor that is asked on.
func askBefore() (int, error) {
	n := len(recordedCalls)
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}
	for i, nr := range recordedCalls {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: uint8(n - i)})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&f)))
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// recordMain is the process that is recorded.
func recordMain() error {
	fd, err := askBefore()
	if err != nil {
		return err
	}
	fmt.Println(fd)
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	return bootIn(os.Getenv("IMPORTER_TEST_DIR"), os.Getenv("IMPORTER_TEST_FILES"), &deadly{})
}

// asking and answered are struct seccomp_notif and struct seccomp_notif_resp.
type asking struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answered struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

const (
	notifReceive  = 0xc0502100
	notifSend     = 0xc0182101
	notifContinue = 1
)

// fileCall is one call that changes a file: a write, a new size, or a flush of what was before it.
type fileCall struct {
	nr   int32
	at   int64
	data []byte
}

// do makes the change to an image of the file.
func (c *fileCall) do(image []byte) []byte {
	end := int(c.at) + len(c.data)
	if c.nr == unix.SYS_FTRUNCATE && len(image) > end {
		return image[:end]
	}
	if len(image) < end {
		image = append(image, make([]byte, end-len(image))...)
	}
	copy(image[c.at:], c.data)
	return image
}

// record imports in a process of its own, and gives what it did to the repository's file.
func record(t *testing.T, dir, root string) (calls []fileCall) {
	t.Helper()
	cmd := child(t, dir, root, 0)
	cmd.Env = append(cmd.Env, role+"=record")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	pidfd := -1
	cmd.SysProcAttr.PidFD = &pidfd
	must(t, cmd.Start())
	defer unix.Close(pidfd)
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	number, err := strconv.Atoi(strings.TrimSpace(line))
	must(t, err)
	notify, err := unix.PidfdGetfd(pidfd, number, 0)
	must(t, err)
	defer unix.Close(notify)
	_, err = in.Write([]byte{1})
	must(t, err)
	for {
		poll := []unix.PollFd{{Fd: int32(notify), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err == unix.EINTR {
			continue
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			break
		}
		var n asking
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(notify), notifReceive, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue
		}
		if c, ours := callOf(t, cmd, dir, &n); ours {
			calls = append(calls, c)
		}
		a := answered{id: n.id, flags: notifContinue}
		unix.Syscall(unix.SYS_IOCTL, uintptr(notify), notifSend, uintptr(unsafe.Pointer(&a)))
	}
	must(t, cmd.Wait())
	return calls
}

func callOf(t *testing.T, cmd *exec.Cmd, dir string, n *asking) (c fileCall, ours bool) {
	t.Helper()
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", cmd.Process.Pid, n.args[0]))
	if err != nil || path != config(dir).Path {
		return c, false
	}
	c.nr = n.nr
	switch n.nr {
	case unix.SYS_FTRUNCATE:
		c.at = int64(n.args[1])
	case unix.SYS_PWRITE64:
		c.at, c.data = int64(n.args[3]), make([]byte, n.args[2])
		local := []unix.Iovec{{Base: &c.data[0], Len: n.args[2]}}
		got, err := unix.ProcessVMReadv(int(n.pid), local, []unix.RemoteIovec{{Base: uintptr(n.args[1]), Len: int(n.args[2])}}, 0)
		if err != nil || got != len(c.data) {
			t.Errorf("read what is written: %d of %d, %v", got, len(c.data), err)
		}
	}
	return c, true
}

// parts are what may be on the disk of changes that were not flushed: none, the first ones in
// their order, each one lost or alone, and any.
func parts(pending []fileCall, random *rand.Rand) (choices [][]bool) {
	choose := func(f func(i int) bool) {
		var c []bool
		for i := range pending {
			c = append(c, f(i))
		}
		choices = append(choices, c)
	}
	for k := range len(pending) + 1 {
		choose(func(i int) bool { return i < k })
		choose(func(i int) bool { return i != k })
		choose(func(i int) bool { return i == k })
	}
	for range 4 {
		choose(func(int) bool { return random.IntN(2) == 0 })
	}
	return choices
}

// TestAnyWrite tries what the disk holds when the import of a directory is killed after any of its
// writes, or the power goes: each file is imported or not.
func TestAnyWrite(t *testing.T) {
	root, was, states := twoVersions(t)
	dir := copyDir(t, was)
	image, err := os.ReadFile(config(dir).Path)
	must(t, err)
	calls := record(t, dir, root)
	try := t.TempDir()
	known := map[string]int{}
	state := func(image []byte) int {
		t.Helper()
		if at, ok := known[string(image)]; ok {
			return at
		}
		must(t, os.RemoveAll(try))
		write(t, filepath.Join(try, filepath.Base(config(dir).Path)), string(image))
		at := slices.Index(states, dumpIn(t, try))
		known[string(image)] = at
		return at
	}
	random := rand.New(rand.NewPCG(9, 10))
	before, seen := state(image), []int{state(image)}
	var pending []fileCall
	for _, c := range calls {
		if c.nr != unix.SYS_FDATASYNC && c.nr != unix.SYS_FSYNC {
			pending = append(pending, c)
			continue
		}
		whole := bytes.Clone(image)
		for i := range pending {
			whole = pending[i].do(whole)
		}
		after := state(whole)
		if after != before && after != before+1 {
			t.Fatalf("from state %d to %d with one flush", before, after)
		}
		for _, chosen := range parts(pending, random) {
			some := bytes.Clone(image)
			for i, is := range chosen {
				if is {
					some = pending[i].do(some)
				}
			}
			if got := state(some); got != before && got != after {
				t.Fatalf("between states %d and %d there is %d", before, after, got)
			}
		}
		if after != before {
			seen = append(seen, after)
		}
		image, before, pending = whole, after, nil
	}
	real, err := os.ReadFile(config(dir).Path)
	must(t, err)
	if len(seen) != len(states) || len(pending) != 0 || !bytes.Equal(real, image) {
		t.Errorf("states %v of %d; %d calls are left", seen, len(states), len(pending))
	}
	t.Logf("%d calls, %d images of the disk", len(calls), len(known))
	if len(known) < 40 {
		t.Error("that is not all")
	}
}
