package hostcheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/linuxzones/zones/internal/idrange"
	"github.com/linuxzones/zones/internal/sys"
	"golang.org/x/sys/unix"
)

// goneMax bounds the wait for a probe's cgroup to be empty after its process ended, which
// the kernel may take a moment to see.
const (
	goneMax  = 2 * time.Second
	gonePoll = 5 * time.Millisecond
)

// idle is a program that ends when its standard input does.
const idle = "/bin/cat"

// startIdle starts it with in as its input. It has an output, since cat without one ends at
// once. It dies with the thread that started it, should this program be killed: a probe
// leaves nothing behind.
func startIdle(in *os.File, attr *syscall.SysProcAttr) (*os.Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	attr.Pdeathsig = syscall.SIGKILL
	return os.StartProcess(idle, []string{idle}, &os.ProcAttr{Env: []string{}, Files: []*os.File{in, null, null}, Sys: attr})
}

// probeIDMap makes a user namespace and, with privilege, an idmapped mount of path that is
// attached nowhere.
func probeIDMap(path string, privileged bool) (userns, idmap Answer) {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: idrange.First, Size: idrange.Count}}
	if !privileged {
		return unknown(""), unknown("")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return unknown(err.Error()), unknown(err.Error())
	}
	defer w.Close()
	p, err := startIdle(r, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids})
	_ = r.Close()
	if err != nil {
		why := fmt.Sprintf("cannot be made: %v", errors.Unwrap(err))
		return no(why), unknown("needs a user namespace")
	}
	defer func() { _ = w.Close(); _, _ = p.Wait() }()
	ns, err := os.Open("/proc/" + strconv.Itoa(p.Pid) + "/ns/user")
	if err != nil {
		return Answer{Is: Yes}, unknown(err.Error())
	}
	defer ns.Close()
	n, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return Answer{Is: Yes}, no(fmt.Sprintf("open_tree %s: %v", path, err))
	}
	tree := sys.Own(n)
	defer tree.Close()
	err = unix.MountSetattr(n, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd())})
	if err != nil {
		return Answer{Is: Yes}, no(fmt.Sprintf("mount_setattr %s: %v", path, err))
	}
	return Answer{Is: Yes}, Answer{Is: Yes}
}

// cgroups finds the layout and tries births and kills in a directory of its own.
func (f *Facts) cgroups() {
	f.Cgroup = CgroupNone
	v1 := false
	for _, m := range mounts() {
		switch m.fstype {
		case "cgroup2":
			if f.CgroupMount == "" {
				f.CgroupMount = m.point
			}
		case "cgroup":
			v1 = true
			for o := range strings.SplitSeq(m.options, ",") {
				if o != "rw" && o != "ro" && !strings.Contains(o, "=") {
					f.Controllers[o] = m.point
				}
			}
		}
	}
	switch {
	case f.CgroupMount != "" && v1:
		f.Cgroup = CgroupHybrid
	case f.CgroupMount != "":
		f.Cgroup = CgroupPure
	case v1:
		f.Cgroup = CgroupLegacy
	}
	if f.CgroupMount == "" {
		return
	}
	for c := range strings.FieldsSeq(text(f.CgroupMount + "/cgroup.controllers")) {
		f.Controllers[c] = "cgroup2"
	}
	if !f.Privileged {
		return
	}
	f.births()
}

// births tries what contracts rest on: a birth in a cgroup, its kill, and a birth after it.
func (f *Facts) births() {
	dir := filepath.Join(f.CgroupMount, fmt.Sprintf("zones-check.%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		f.IntoCgroup = unknown(err.Error())
		f.CgroupKill = unknown(err.Error())
		return
	}
	defer removeCgroup(dir)
	fd, err := sys.OpenDir(dir)
	if err != nil {
		f.IntoCgroup = unknown(err.Error())
		return
	}
	defer fd.Close()
	st, err := birth(fd.Int(), false, dir)
	if err != nil {
		f.IntoCgroup = no(err.Error())
		return
	}
	f.IntoCgroup = is(st.Exited())
	if !exists(dir + "/cgroup.kill") {
		f.CgroupKill = no("needs kernel 5.14")
		return
	}
	st, err = birth(fd.Int(), true, dir)
	f.CgroupKill = is(err == nil && st.Signaled() && st.Signal() == syscall.SIGKILL)
	if f.CgroupKill.Is != Yes {
		return
	}
	st, err = birth(fd.Int(), false, dir)
	f.KillSeqBug = is(err == nil && st.Signaled())
}

// birth starts a process in the cgroup of fd and waits for it to end: at the end of its
// input, or by cgroup.kill.
func birth(fd int, kill bool, dir string) (syscall.WaitStatus, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	p, err := startIdle(r, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd})
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return 0, err
	}
	if kill {
		err = os.WriteFile(dir+"/cgroup.kill", []byte("1"), 0)
	}
	if !kill || err != nil {
		_ = w.Close()
	}
	st, werr := p.Wait()
	_ = w.Close()
	if err = errors.Join(err, werr); err != nil {
		return 0, err
	}
	return st.Sys().(syscall.WaitStatus), nil
}

func removeCgroup(dir string) {
	limit := time.Now().Add(goneMax)
	for unix.Rmdir(dir) == unix.EBUSY && time.Now().Before(limit) {
		<-time.After(gonePoll)
	}
}

func (f *Facts) processes() {
	fd, err := sys.PidfdOpen(os.Getpid())
	f.Pidfd = is(err == nil)
	if err == nil {
		_ = fd.Close()
	}
	a, b, err := sys.Pair(unix.SOCK_STREAM)
	if err != nil {
		f.PeerPidfd = unknown(err.Error())
		return
	}
	defer a.Close()
	defer b.Close()
	peer, err := sys.PeerOf(a.Int())
	if err != nil {
		f.PeerPidfd = unknown(err.Error())
		return
	}
	_ = peer.Pidfd.Close()
	f.PeerPidfd = is(!peer.PidfdByNumber)
}
