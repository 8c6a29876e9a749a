package contract

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// GateWord is the first argument of ctrun as a gate.
const GateWord = "--gate"

// GateProgram is the program that Gate is called in, with GateWord as its first argument;
// empty: ctrun, where it is installed.
var GateProgram string

// A gate is a process that waits until it was moved into its contract and then executes the
// command. It is for who may not be the parent of a process born there: a user who is not the
// zone's root, or who has no cgroup file system. A socket leads to it: we let it go with one
// byte, or close it; it answers with the errno of its execve, or its end closes.
type gate struct {
	program string
	ours    *sys.FD
	theirs  *os.File
	number  int // of theirs in the process
	path    string
}

// gatePlaces are where ctrun is looked for, after the directory of this program.
var gatePlaces = []string{"/lib/svc/bin", "/usr/bin", "/usr/local/bin"}

func findGate() (string, error) {
	if GateProgram != "" {
		return GateProgram, nil
	}
	places := gatePlaces
	if self, err := os.Executable(); err == nil {
		places = append([]string{filepath.Dir(self)}, places...)
	}
	for _, dir := range places {
		p := dir + "/ctrun"
		if unix.Access(p, unix.X_OK) == nil {
			return p, nil
		}
	}
	return "", &sys.Error{Op: "look for ctrun", What: "in " + strings.Join(places, ", "), Errno: ErrNoGate}
}

func newGate() (*gate, error) {
	program, err := findGate()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := sys.Pair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	return &gate{program: program, ours: ours, theirs: os.NewFile(uintptr(theirs.Disown()), "gate"), number: -1}, nil
}

func (g *gate) close() {
	if g == nil {
		return
	}
	g.ours.Close()
	g.theirs.Close()
}

// files puts the gate's end behind the descriptors of the command.
func (g *gate) files(files []*os.File) []*os.File {
	list := append([]*os.File(nil), files...)
	for len(list) < 3 {
		list = append(list, nil)
	}
	g.number = len(list)
	return append(list, g.theirs)
}

func (g *gate) command(path string, argv []string) (string, []string) {
	g.path = path
	return g.program, append([]string{"ctrun", GateWord, strconv.Itoa(g.number), path}, argv...)
}

// started: the process has its end.
func (g *gate) started() {
	if g != nil {
		g.theirs.Close()
	}
}

// open lets the process go and waits until it is the command. The error is its execve's.
func (g *gate) open() error {
	var answer [1]byte
	if err := sys.WriteAll(g.ours.Int(), []byte{1}); err != nil {
		return &os.PathError{Op: "fork/exec", Path: g.path, Err: err}
	}
	var n int
	err := sys.Retry(func() (e error) { n, e = unix.Read(g.ours.Int(), answer[:]); return })
	switch {
	case err != nil:
		return &os.PathError{Op: "fork/exec", Path: g.path, Err: err}
	case n > 0:
		return &os.PathError{Op: "fork/exec", Path: g.path, Err: syscall.Errno(answer[0])}
	}
	return nil
}

// Exit codes of a gate that did not become its command.
const (
	gateUsage  = 125
	gateClosed = 124
	gateFailed = 126
)

// Gate is the process that waits: args is DESCRIPTOR PATH ARGV0 [ARG ...]. It returns when
// the command was not executed, with the exit code.
func Gate(args []string) int {
	if len(args) < 3 {
		return gateUsage
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil || fd < 0 {
		return gateUsage
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return gateUsage
	}
	var b [1]byte
	var n int
	err = sys.Retry(func() (e error) { n, e = unix.Read(fd, b[:]); return })
	if err != nil || n == 0 {
		return gateClosed
	}
	errno, _ := syscall.Exec(args[1], args[2:], os.Environ()).(syscall.Errno)
	// Every errno of Linux fits into a byte (the largest is 133).
	_, _ = unix.Write(fd, []byte{byte(errno)})
	return gateFailed
}
