package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// ErrDied: zrun ended without an answer.
var ErrDied = errors.New("zrun ended without an answer")

// Run starts zrun (program) in the cgroup directory dir, in a mount namespace of its own,
// sends it the request with descriptors attached, and waits for its answer and its end. When the
// context ends first zrun is killed; what it had started is the caller's to kill.
//
// The descriptors of the answer are the caller's. err is about zrun itself; what zrun could
// not do is Reply.Error.
func Run(ctx context.Context, program, dir string, r *Request, attached []int) (*Reply, []*sys.FD, error) {
	ours, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, nil, err
	}
	// What waits here waits without a thread: a supervisor may have hundreds of helpers at once, and
	// keeps for life what threads it ever needed.
	err = unix.SetNonblock(ours.Int(), true)
	conn := os.NewFile(uintptr(ours.Disown()), "zrun's socket")
	defer conn.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	p, err := start(program, dir, theirs)
	theirs.Close()
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = p.Kill() })
	defer stop()
	reply, fds, err := converse(conn, r, attached)
	state, werr := p.Wait()
	if err == nil && werr != nil {
		err = werr
	}
	if err != nil {
		sys.CloseAll(fds)
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("zrun %s: %w", r.Op, context.Cause(ctx))
		}
		if errors.Is(err, ErrDied) && state != nil {
			err = fmt.Errorf("%w (%s)", ErrDied, state)
		}
		return nil, nil, err
	}
	return reply, fds, nil
}

// environment of zrun: nothing of the caller's but what says which instance this is.
func environment() []string {
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GOMAXPROCS=2"}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "ZONES_") {
			env = append(env, e)
		}
	}
	return env
}

func start(program, dir string, theirs *sys.FD) (*os.Process, error) {
	cg, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer cg.Close()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	dup, err := theirs.Dup()
	if err != nil {
		return nil, err
	}
	sock := os.NewFile(uintptr(dup.Disown()), "zrun")
	defer sock.Close()
	return os.StartProcess(program, []string{program, "serve"}, &os.ProcAttr{
		Dir: "/", Env: environment(), Files: []*os.File{null, os.Stderr, os.Stderr, sock},
		Sys: &syscall.SysProcAttr{Setsid: true, Unshareflags: unix.CLONE_NEWNS, UseCgroupFD: true, CgroupFD: int(cg.Fd())},
	})
}

func converse(conn *os.File, r *Request, attached []int) (*Reply, []*sys.FD, error) {
	p, err := json.Marshal(r)
	if err != nil {
		return nil, nil, err
	}
	if len(p) > MessageBytesMax {
		return nil, nil, fmt.Errorf("the request is longer than %d bytes", MessageBytesMax)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		serr = sys.Send(int(fd), p, attached...)
		return !errors.Is(serr, unix.EAGAIN)
	})
	if err = errors.Join(err, serr); err != nil {
		return nil, nil, died(err)
	}
	buf := make([]byte, ReplyBytesMax)
	n, fds, err := receive(raw, buf)
	if err != nil {
		return nil, nil, died(err)
	}
	if n == 0 {
		return nil, nil, ErrDied
	}
	var reply Reply
	if err := json.Unmarshal(buf[:n], &reply); err != nil {
		sys.CloseAll(fds)
		return nil, nil, fmt.Errorf("zrun's answer: %w", err)
	}
	return &reply, fds, nil
}

func receive(raw syscall.RawConn, buf []byte) (n int, fds []*sys.FD, err error) {
	var rerr error
	err = raw.Read(func(fd uintptr) bool {
		n, fds, rerr = sys.Recv(int(fd), buf)
		return !errors.Is(rerr, unix.EAGAIN)
	})
	return n, fds, errors.Join(err, rerr)
}

// died is the error of who ended before it had read its request: the socket of one that is killed
// so early is broken, or reset, rather than at its end.
func died(err error) error {
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return ErrDied
	}
	return err
}
