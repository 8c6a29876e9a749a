package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// HolderArg is the first argument that makes zrun the holder.
const HolderArg = "holder"

// namespaces of a zone that are made before libcontainer runs and joined by it by path.
// Descriptors keep them alive: the holder itself is ended before the zone's cgroup gets
// controllers, which a process in it would forbid (no-internal-process rule).
type namespaces struct {
	user, cgroup *os.File
	holder       *exec.Cmd
	conn         *sys.FD // to the holder: requests, and mounts coming back
}

// endHolder ends the holder and waits for it; the namespaces stay.
func (n *namespaces) endHolder() {
	if n.holder == nil {
		return
	}
	n.conn.Close()
	_ = n.holder.Wait()
	n.holder = nil
}

func (n *namespaces) close() {
	n.endHolder()
	n.user.Close()
	n.cgroup.Close()
}

// path is the name under which another process of the host opens f.
func path(f *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()) }

// makeNamespaces starts the holder in the zone's cgroup directory with the ids base...: the
// root of its cgroup namespace is then that directory, so that processes of the zone see the
// contracts beside their own. The user namespace is the zone's root's.
func makeNamespaces(cgroupDir string, base, count uint32) (*namespaces, error) {
	dir, err := os.OpenFile(cgroupDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	ours, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(base), Size: int(count)}}
	cmd := exec.Command("/proc/self/exe", HolderArg)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(theirs.Disown()), "holder")}
	defer cmd.ExtraFiles[0].Close()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 unix.CLONE_NEWUSER,
		UidMappings:                maps,
		GidMappings:                maps,
		GidMappingsEnableSetgroups: true,
		// Root of the new namespace, or exec would take its capabilities away.
		Credential:  &syscall.Credential{},
		UseCgroupFD: true,
		CgroupFD:    int(dir.Fd()),
	}
	if err := asOwner(base, cmd.Start); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start the holder of the zone's namespaces: %w", err)
	}
	cmd.ExtraFiles[0].Close()
	n := &namespaces{holder: cmd, conn: ours}
	if _, fds, err := n.ask(holderRequest{}); err != nil {
		n.endHolder()
		return nil, err
	} else {
		sys.CloseAll(fds)
	}
	if err := n.open(cmd.Process.Pid); err != nil {
		n.endHolder()
		return nil, err
	}
	return n, nil
}

func (n *namespaces) open(pid int) (err error) {
	if n.user, err = os.Open(fmt.Sprintf("/proc/%d/ns/user", pid)); err != nil {
		return err
	}
	if n.cgroup, err = os.Open(fmt.Sprintf("/proc/%d/ns/cgroup", pid)); err != nil {
		n.user.Close()
	}
	return err
}

// holderRequest asks the holder for an overlay, or, empty, whether it is ready.
type holderRequest struct {
	Overlay map[string]string
}

type holderReply struct {
	Error string
}

func (n *namespaces) ask(r holderRequest) (holderReply, []*sys.FD, error) {
	var reply holderReply
	p, err := json.Marshal(r)
	if err != nil {
		return reply, nil, err
	}
	if err := sys.Send(n.conn.Int(), p); err != nil {
		return reply, nil, fmt.Errorf("ask the holder of the zone's namespaces: %w", err)
	}
	buf := make([]byte, 16<<10)
	got, fds, err := sys.Recv(n.conn.Int(), buf)
	if err == nil && got == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = json.Unmarshal(buf[:got], &reply)
	}
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	if err != nil {
		sys.CloseAll(fds)
		return reply, nil, fmt.Errorf("the holder of the zone's namespaces: %w", err)
	}
	return reply, fds, nil
}

// overlay has the holder mount a writable overlay: its mounter must be of the zone's user
// namespace, or the kernel makes it read-only.
func (n *namespaces) overlay(options map[string]string) (*os.File, error) {
	_, fds, err := n.ask(holderRequest{Overlay: options})
	if err != nil {
		return nil, err
	}
	if len(fds) != 1 {
		sys.CloseAll(fds)
		return nil, errors.New("the holder sent no mount")
	}
	return os.NewFile(uintptr(fds[0].Disown()), "overlay"), nil
}

// HolderMain is the holder: it makes the cgroup namespace, then serves requests until the
// other end is closed. It must run on the main thread, whose namespaces /proc/PID/ns shows.
func HolderMain() int {
	const conn = 3
	unix.CloseOnExec(conn)
	setup := unix.Unshare(unix.CLONE_NEWCGROUP)
	buf := make([]byte, 16<<10)
	for {
		n, fds, err := sys.Recv(conn, buf)
		sys.CloseAll(fds)
		if err != nil || n == 0 {
			return 0
		}
		reply, mount := holderServe(buf[:n], setup)
		p, err := json.Marshal(reply)
		if err != nil {
			return 1
		}
		if mount != nil {
			err = sys.Send(conn, p, int(mount.Fd()))
			mount.Close()
		} else {
			err = sys.Send(conn, p)
		}
		if err != nil {
			return 1
		}
	}
}

func holderServe(p []byte, setup error) (holderReply, *os.File) {
	if setup != nil {
		return holderReply{Error: "make a cgroup namespace: " + setup.Error()}, nil
	}
	var r holderRequest
	if err := json.Unmarshal(p, &r); err != nil {
		return holderReply{Error: err.Error()}, nil
	}
	if r.Overlay == nil {
		return holderReply{}, nil
	}
	// A mount namespace of its own, copied now that the layers are attached: fsopen wants
	// CAP_SYS_ADMIN over the caller's mount namespace.
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return holderReply{Error: "make a mount namespace: " + err.Error()}, nil
	}
	m, err := openOverlay(r.Overlay, true)
	if err != nil {
		return holderReply{Error: err.Error()}, nil
	}
	return holderReply{}, m
}
