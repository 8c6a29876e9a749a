package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// leak is one thing that was left, and how to get rid of it, if there is a way.
type leak struct {
	what   string
	remove func()
}

// snapshot is the state of this process and of the host before the tests.
type snapshot struct {
	fds        map[string]string // number to what it is
	goroutines map[string]string // id to its stack
	children   map[process]bool
	mounts     map[string]bool // by id
	netdevs    map[string]bool
}

func takeSnapshot() *snapshot {
	startPoller()
	s := &snapshot{
		fds: openFDs(), goroutines: goroutines(), netdevs: netdevs(),
		children: map[process]bool{}, mounts: map[string]bool{},
	}
	for _, p := range children() {
		s.children[p] = true
	}
	all, _ := mounts()
	for _, m := range all {
		s.mounts[m.id] = true
	}
	return s
}

// startPoller makes the runtime open its epoll and event descriptors now, so that they are
// in the snapshot.
func startPoller() {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	_ = r.SetReadDeadline(time.Now())
	_, _ = r.Read(make([]byte, 1))
	r.Close()
	w.Close()
}

// leaks compares now with then.
func (s *snapshot) leaks() []leak {
	list := s.fdLeaks()
	for id, stack := range goroutines() {
		if _, old := s.goroutines[id]; !old && !ofRuntime(stack) {
			list = append(list, leak{what: stack})
		}
	}
	list = append(list, s.processLeaks()...)
	return append(list, s.hostLeaks()...)
}

// fdLeaks are the descriptors that were not open before. A file that only the garbage
// collector would close is a leak; the pipes that the net package keeps for splice go with
// their pool, so for pipes alone it is run.
func (s *snapshot) fdLeaks() []leak {
	list, pipesOnly := s.newFDs()
	if len(list) > 0 && pipesOnly {
		runtime.GC()
		runtime.GC()
		list, _ = s.newFDs()
	}
	return list
}

func (s *snapshot) newFDs() (list []leak, pipesOnly bool) {
	pipesOnly = true
	for n, what := range openFDs() {
		if s.fds[n] != what {
			list = append(list, leak{what: fmt.Sprintf("descriptor %s: %s", n, what)})
			pipesOnly = pipesOnly && strings.HasPrefix(what, "pipe:")
		}
	}
	return list, pipesOnly
}

// processLeaks are children that nobody waited for, and daemons with our marks.
func (s *snapshot) processLeaks() []leak {
	seen := map[int]bool{}
	var list []leak
	add := func(kind string, p process) {
		if !seen[p.pid] && !s.children[p] {
			seen[p.pid] = true
			list = append(list, leak{what: kind + " " + p.String(), remove: p.kill})
		}
	}
	for _, p := range children() {
		add("child", p)
	}
	for _, p := range processesOf(own.dir, []string{own.dir, own.token}, ownTags()) {
		add("left", p)
	}
	return list
}

// hostLeaks are mounts, cgroups and network devices of ours.
func (s *snapshot) hostLeaks() []leak {
	var list []leak
	all, _ := mounts()
	for i := len(all) - 1; i >= 0; i-- { // the last made is the first to go
		if m := all[i]; ownMount(m) {
			remove := func() { _ = unix.Unmount(m.point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) }
			list = append(list, leak{what: fmt.Sprintf("mount %s (%s)", m.point, m.fstype), remove: remove})
		}
	}
	for _, dir := range taggedCgroups(ownTags()) {
		list = append(list, leak{what: describeCgroup(dir), remove: func() { _ = removeCgroup(dir) }})
	}
	for name := range netdevs() {
		if !s.netdevs[name] && tagged(name) {
			list = append(list, leak{what: "network device " + name})
		}
	}
	return list
}

// strangers are mounts and network devices that are new but carry no mark of ours. They
// are told, not judged: other packages and people use the same host.
func (s *snapshot) strangers() []string {
	var list []string
	all, _ := mounts()
	for _, m := range all {
		if !s.mounts[m.id] && !ownMount(m) && !strings.Contains(m.point, "/"+dirPrefix) {
			list = append(list, fmt.Sprintf("mount %s (%s)", m.point, m.fstype))
		}
	}
	for name := range netdevs() {
		if !s.netdevs[name] && !tagged(name) {
			list = append(list, "network device "+name)
		}
	}
	return list
}

// ownMount says whether a mount is at, shows or comes from a path of ours.
func ownMount(m mount) bool {
	for _, path := range []string{m.point, m.root, m.source} {
		if path == own.dir || strings.HasPrefix(path, own.dir+"/") {
			return true
		}
	}
	return false
}

// tagged says whether the name of a network device carries one of our tags. Such names
// are at most 15 bytes, so six of the tag's eight digits must do.
func tagged(name string) bool {
	for _, tag := range ownTags() {
		digits := strings.TrimPrefix(tag, ".")
		if strings.Contains(name, digits[:min(6, len(digits))]) {
			return true
		}
	}
	return false
}

func openFDs() map[string]string {
	fds := map[string]string{}
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return fds
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, n := range names {
		if n == strconv.Itoa(int(dir.Fd())) {
			continue
		}
		if what, err := os.Readlink(filepath.Join("/proc/self/fd", n)); err == nil {
			fds[n] = what
		}
	}
	return fds
}

func netdevs() map[string]bool {
	list := map[string]bool{}
	entries, _ := os.ReadDir("/sys/class/net")
	for _, e := range entries {
		list[e.Name()] = true
	}
	return list
}

// stackBytesMax bounds the dump of all goroutines.
const stackBytesMax = 8 << 20

// goroutines gives the stacks of all goroutines but the caller's, by id.
func goroutines() map[string]string {
	buf := make([]byte, stackBytesMax)
	buf = buf[:runtime.Stack(buf, true)]
	list := map[string]string{}
	for i, stack := range strings.Split(string(buf), "\n\n") {
		fields := strings.Fields(stack) // goroutine 12 [select]:
		if i == 0 || len(fields) < 2 {
			continue
		}
		list[fields[1]] = stack
	}
	return list
}

// ofRuntime says whether a goroutine is one that the standard library starts once and keeps.
func ofRuntime(stack string) bool {
	for _, keeps := range []string{
		"created by os/signal.", "created by runtime", "created by testing.runTests",
		"created by testing.(*M)", "runtime.ensureSigM", "os/signal.signal_recv",
		"created by runtime/trace.", "created by runtime/pprof.",
	} {
		if strings.Contains(stack, keeps) {
			return true
		}
	}
	return false
}
