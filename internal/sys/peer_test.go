package sys

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// dialerMain calls the door in a directory, says a word, and stays until the other side hangs up
// or, when told "and-leave", does not stay.
func dialerMain(arg string) int {
	path, leave := strings.CutSuffix(arg, " and-leave")
	dir, err := OpenDir(path)
	if err != nil {
		return 1
	}
	c, err := DialUnix(dir, "door")
	if err != nil {
		return 2
	}
	if Send(c.Int(), []byte("x")) != nil {
		return 3
	}
	if !leave {
		_, _, _ = Recv(c.Int(), make([]byte, 1))
	}
	return 0
}

// call has a dialer call this process and gives the connection.
func call(t *testing.T, role string, attr *syscall.SysProcAttr) (conn *FD, cmd *exec.Cmd) {
	t.Helper()
	path := t.TempDir()
	dir := openDir(t, path)
	l, err := ListenUnix(dir, "door", 0o600, 4)
	check(t, err)
	defer l.Close()
	cmd = player(t, "dialer "+path+role)
	cmd.SysProcAttr = attr
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	testenv.Eventually(t, func() bool { conn, err = Accept(l.Int()); return err == nil }, "the call")
	t.Cleanup(func() { conn.Close() })
	check(t, unix.SetNonblock(conn.Int(), false))
	_, _, err = Recv(conn.Int(), make([]byte, 1))
	check(t, err)
	return conn, cmd
}

func TestPeer(t *testing.T) {
	interrupt(t)
	conn, cmd := call(t, "", nil)
	p, err := PeerOf(conn.Int())
	check(t, err)
	defer p.Pidfd.Close()
	if p.Pid != cmd.Process.Pid || int(p.UID) != os.Getuid() || int(p.GID) != os.Getgid() || p.PidfdByNumber != !testenv.Has(testenv.PeerPidfd) {
		t.Errorf("%+v, want %d", p, cmd.Process.Pid)
	}
	if !cloexec(t, p.Pidfd.Int()) || PidfdExited(p.Pidfd.Int()) {
		t.Error("the pidfd is handed on, or of a dead process")
	}
	if same, err := p.SameNamespaces(); err != nil || !same {
		t.Errorf("a process of the host: %v %v", same, err)
	}
	// Dead, and then reaped: no answer, rather than a wrong one.
	check(t, cmd.Process.Kill())
	PidfdWait(p.Pidfd.Int(), -1)
	if same, err := p.SameNamespaces(); same || !errors.Is(err, unix.ESRCH) {
		t.Errorf("of a zombie: %v %v", same, err)
	}
	_ = cmd.Wait()
	if same, err := p.SameNamespaces(); same || !errors.Is(err, unix.ESRCH) {
		t.Errorf("of the dead: %v %v", same, err)
	}
	// Another process has its number now, and is on the host.
	p.Pid = os.Getpid()
	if same, err := p.SameNamespaces(); same || !errors.Is(err, unix.ESRCH) {
		t.Errorf("another answers for the dead: %v %v", same, err)
	}
}

func TestPeerThatIsGone(t *testing.T) {
	conn, cmd := call(t, " and-leave", nil)
	_ = cmd.Wait()
	p, err := PeerOf(conn.Int())
	defer p.Pidfd.Close()
	switch {
	case errors.Is(err, unix.ESRCH):
	case err != nil || !PidfdExited(p.Pidfd.Int()):
		t.Errorf("a living process: %v", err)
	default:
		if same, err := p.SameNamespaces(); same || !errors.Is(err, unix.ESRCH) {
			t.Errorf("%v %v", same, err)
		}
	}
	if _, err := PeerOf(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("%v", err)
	}
	var none Peer
	if same, err := none.SameNamespaces(); same || err == nil {
		t.Error("nobody is on the host")
	}
}

// Root of a zone is root by its number only.
func TestPeerInAZone(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.UserNS)
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	for name, attr := range map[string]*syscall.SysProcAttr{
		"user namespace":          {Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids},
		"pid namespace":           {Cloneflags: syscall.CLONE_NEWPID},
		"both":                    {Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID, UidMappings: ids, GidMappings: ids},
		"another mount namespace": {Cloneflags: syscall.CLONE_NEWNS},
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := call(t, "", attr)
			p, err := PeerOf(conn.Int())
			check(t, err)
			defer p.Pidfd.Close()
			if p.UID != 0 {
				t.Errorf("user %d", p.UID)
			}
			want := name == "another mount namespace"
			if same, err := p.SameNamespaces(); err != nil || same != want {
				t.Errorf("on the host: %v %v", same, err)
			}
		})
	}
}
