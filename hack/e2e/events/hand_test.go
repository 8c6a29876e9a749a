package events

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hand is a process that bears victims and kills, as it is told on its standard input. It is
// the same inside of a zone and outside.
type hand struct {
	log   *os.File // what it kills, a line each, written before
	pid   int
	comm  string
	gate  *os.File // closing it lets the victims go
	ready *os.File
	notes *os.File
	tag   uint64
	in    *bufio.Reader
	out   io.Writer
}

// playHand: NOTES KILLS are the names of its logs.
func playHand(args []string) error {
	if len(args) != 2 {
		return errors.New("want the names of two logs")
	}
	return locked(func() error {
		h := &hand{pid: os.Getpid(), in: bufio.NewReaderSize(os.Stdin, 1<<20), out: os.Stdout}
		if err := h.prepare(args[0], args[1]); err != nil {
			return err
		}
		for {
			line, err := h.in.ReadString('\n')
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			answer, err := h.obey(strings.Fields(line))
			if err != nil {
				answer = "failed " + strings.ReplaceAll(err.Error(), "\n", " ")
			}
			if _, err := fmt.Fprintln(h.out, answer); err != nil {
				return err
			}
		}
	})
}

func (h *hand) prepare(notes, kills string) (err error) {
	// No victim of ours leaves a file behind.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return err
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		return err
	}
	h.comm = strings.TrimSpace(string(comm))
	if h.log, err = appendTo(kills); err != nil {
		return err
	}
	if h.notes, err = appendTo(notes); err != nil {
		return err
	}
	return h.newGate()
}

func appendTo(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
}

// newGate has the victims that follow wait at a gate of their own.
func (h *hand) newGate() error {
	gateRead, gateWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	if h.ready != nil {
		h.ready.Close()
		h.gate.Close()
	}
	h.gate, h.ready = gateWrite, readyRead
	defer gateRead.Close()
	defer readyWrite.Close()
	return prepareBare(int(h.notes.Fd()), int(gateRead.Fd()), int(readyWrite.Fd()))
}

// obey does one command and gives the answer:
//
//	who                   am PID COMM
//	spawn N MANNER        born PID ...
//	kill PID:SIG:HOW ...  killed N
//	release               released
//	reap N                reaped PID:STATUS ...
//	fork N SEED           forked N: storms of lives, one after the other
//	quit                  the end, before that of its input
func (h *hand) obey(words []string) (string, error) {
	if len(words) == 0 {
		return "", errors.New("no command")
	}
	args := words[1:]
	switch words[0] {
	case "who":
		return fmt.Sprintf("am %d %s", h.pid, h.comm), nil
	case "spawn":
		return h.spawn(args)
	case "kill":
		for _, a := range args {
			if err := h.kill(a); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("killed %d", len(args)), nil
	case "release":
		return "released", h.newGate()
	case "reap":
		return h.reap(args)
	case "fork":
		return h.storm(args)
	case "quit":
		os.Exit(0)
	}
	return "", errors.New("no command " + words[0])
}

func (h *hand) spawn(args []string) (string, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	m, ok := manners[args[1]]
	if !ok {
		return "", errors.New("no manner " + args[1])
	}
	answer := "born"
	for range n {
		h.tag++
		pid, err := bearVictim(m, h.tag)
		if err != nil {
			return "", err
		}
		answer += " " + strconv.Itoa(pid)
	}
	if m != bombs { // these have no time to say so
		_, err = io.ReadFull(h.ready, make([]byte, n))
	}
	return answer, err
}

// kill writes down whom it will kill, and does. HOW: k by kill(2), t by tgkill(2), q with
// rt_sigqueueinfo(2), f by pidfd_send_signal(2).
func (h *hand) kill(what string) error {
	f := strings.Split(what, ":")
	if len(f) != 3 {
		return errors.New("want PID:SIG:HOW")
	}
	pid, err := strconv.Atoi(f[0])
	if err != nil {
		return err
	}
	sig, err := strconv.Atoi(f[1])
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(h.log, "%d %s %d %d %d\n", h.pid, h.comm, pid, sig, monotonic()); err != nil {
		return err
	}
	return strike(pid, unix.Signal(sig), f[2])
}

func strike(pid int, sig unix.Signal, how string) (err error) {
	switch how {
	case "k":
		err = unix.Kill(pid, sig)
	case "t":
		err = unix.Tgkill(pid, pid, sig)
	case "q":
		// Linux lets a process claim only codes below 0 here; SI_QUEUE is the honest one.
		info := struct {
			signo, errno, code, pad int32
			pid, uid                int32
			rest                    [26]uint32
		}{signo: int32(sig), code: -1, pid: int32(os.Getpid())}
		_, _, errno := unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(sig), uintptr(unsafe.Pointer(&info)))
		runtime.KeepAlive(&info)
		if errno != 0 {
			err = errno
		}
	case "f":
		var fd int
		if fd, err = unix.PidfdOpen(pid, 0); err == nil {
			err = unix.PidfdSendSignal(fd, sig, nil, 0)
			unix.Close(fd)
		}
	default:
		err = errors.New("no way to kill " + how)
	}
	if err != nil {
		return fmt.Errorf("signal %d to %d by %s: %w", sig, pid, how, err)
	}
	return nil
}

func (h *hand) reap(args []string) (string, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	answer := "reaped"
	for range n {
		pid, status, err := reapOne()
		if err != nil {
			return "", err
		}
		answer += fmt.Sprintf(" %d:%d", pid, status)
	}
	return answer, nil
}

func reapOne() (int, unix.WaitStatus, error) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err != unix.EINTR {
			return pid, status, err
		}
	}
}

// storm bears N lives of a storm, each of which may have others below it, reaps its own, and
// waits until no other is left.
func (h *hand) storm(args []string) (string, error) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return "", err
	}
	if storm.seed, err = strconv.ParseUint(args[1], 10, 64); err != nil {
		return "", err
	}
	bare.manner, bare.mask, bare.ignores = waits, 0, 0
	// Every life of the storm has an end of this pipe.
	if err := h.newGate(); err != nil {
		return "", err
	}
	for i := range n {
		h.tag++
		bare.first = note{kind: noteLife, tag: h.tag}
		storm.seed += uint64(i) << 32
		storm.depth = 0
		if _, err := bear(true); err != nil {
			return "", err
		}
		// Some live beside each other.
		if i%4 == 3 || i == n-1 {
			for {
				if _, _, err := reapOne(); err == unix.ECHILD {
					break
				} else if err != nil {
					return "", err
				}
			}
		}
	}
	unix.Close(descKept + descReady)
	if _, err := io.Copy(io.Discard, h.ready); err != nil {
		return "", err
	}
	return fmt.Sprintf("forked %d", n), h.newGate()
}

func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}
