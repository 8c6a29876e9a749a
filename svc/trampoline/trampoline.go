package trampoline

import (
	"encoding/binary"
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/handover"
)

// socket is the descriptor of the supervisor's side.
const socket = 3

// initUmask is what init starts with: the rest of the zone inherits it.
const initUmask = 0o022

// Main waits for the message and becomes the zone's init. It returns an exit status only
// when the zone will not boot.
func Main() int {
	handover.Survive()
	if err := prepare(); err != nil {
		return say("cannot prepare: " + err.Error())
	}
	for {
		boot, err := receive()
		if errors.Is(err, errGone) {
			return 1
		}
		if err == nil {
			err = become(boot)
		}
		if err := reply(errnoOf(err)); err != nil {
			return 1
		}
	}
}

func prepare() error {
	kind, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		return errors.New("descriptor 3 is not the supervisor's socket; this program is started by zoneadm")
	}
	unix.CloseOnExec(socket)
	if err := handover.CloseInherited(socket + 1); err != nil {
		return err
	}
	unix.Umask(initUmask)
	return os.Chdir("/")
}

// errGone means that no message will come.
var errGone = errors.New("the supervisor's side is gone")

// receive blocks until there is a message. Its buffer lives only as long as it needs to.
func receive() (Boot, error) {
	if err := wait(); err != nil {
		return Boot{}, errGone
	}
	buf := make([]byte, MessageBytesMax)
	n, _, flags, _, err := recvmsg(buf)
	switch {
	case err != nil, n == 0:
		return Boot{}, errGone
	case flags&unix.MSG_TRUNC != 0:
		return Boot{}, unix.E2BIG
	}
	return decode(buf[:n])
}

// wait is apart from receive so that a waiting trampoline holds no buffer.
func wait() error {
	fds := []unix.PollFd{{Fd: socket, Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != unix.EINTR {
			return err
		}
	}
}

func recvmsg(buf []byte) (n, oobn, flags int, from unix.Sockaddr, err error) {
	for {
		// No room for control messages: the kernel drops descriptors that come along.
		n, oobn, flags, from, err = unix.Recvmsg(socket, buf, nil, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			return
		}
	}
}

// become returns only the reason why it could not.
func become(b Boot) error {
	if err := check(b); err != nil {
		return err
	}
	if path.Base(b.Args[0]) == "init" && own(b.Path) {
		return handover.ExecBlocked(b.Path, b.Args, b.Env) // or a request that comes at once is lost
	}
	return handover.Exec(b.Path, b.Args, b.Env)
}

// own says whether a program is this one, which by the name init starts as it would start itself
// (svc/initd); by its other names it knows nothing of blocked signals.
func own(program string) bool {
	this, err := os.Stat("/proc/self/exe")
	if err != nil {
		return false
	}
	that, err := os.Stat(program)
	return err == nil && os.SameFile(this, that)
}

// check finds what execve(2) would not say, or not as clearly.
func check(b Boot) error {
	if !strings.HasPrefix(b.Path, "/") || len(b.Args) == 0 {
		return unix.EINVAL
	}
	var st unix.Stat_t
	if err := unix.Stat(b.Path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return unix.EACCES
	}
	return nil
}

// errnoOf is what the supervisor is told. A message that makes no sense is EBADMSG.
func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EBADMSG
}

func reply(errno unix.Errno) error {
	var buf [4]byte
	binary.LittleEndian.PutUint32(buf[:], uint32(errno))
	for {
		_, err := unix.SendmsgN(socket, buf[:], nil, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

func say(message string) int {
	os.Stderr.WriteString("trampoline: " + message + "\n")
	return 1
}
