package contract

import (
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// mountinfoBytesMax bounds /proc/self/mountinfo: the kernel's default limit of mounts of one
// namespace, at 160 bytes each.
const mountinfoBytesMax = 16 << 20

// cgroupMount is one place where the unified hierarchy is mounted, and which of its
// directories is seen there.
type cgroupMount struct{ at, root string }

// cgroupMounts finds them in the text of a mountinfo file (proc(5)).
func cgroupMounts(text string) []cgroupMount {
	var found []cgroupMount
	for line := range strings.Lines(text) {
		fields, tail, ok := strings.Cut(line, " - ")
		if kind, _, _ := strings.Cut(tail, " "); !ok || kind != "cgroup2" {
			continue
		}
		f := strings.Fields(fields)
		if len(f) < 6 {
			continue
		}
		found = append(found, cgroupMount{at: unescapeMount(f[4]), root: unescapeMount(f[3])})
	}
	return found
}

// unescapeMount undoes what the kernel does to blanks and backslashes: three octal digits.
func unescapeMount(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// below is where path, a directory as /proc/PID/cgroup names it, is seen through the mount.
func (m cgroupMount) below(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(m.root, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return m.at + rest, true
}

// cgroupPlace is where directories of the unified hierarchy were found last. A list of mounts is
// long, and the kernel makes it anew for each reader, with the names of all that is mounted.
type cgroupPlace struct {
	mu    sync.Mutex
	mount *cgroupMount // nil: not known
}

// open opens a directory of the unified hierarchy by its path in this process's cgroup namespace,
// through whichever mount shows it. Where it is not found any more is looked for again.
func (p *cgroupPlace) open(path string) (*sys.FD, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mount != nil {
		if fd, ok, err := p.mount.open(path); ok && err == nil {
			return fd, nil
		}
		p.mount = nil
	}
	text, err := sys.ReadFile("/proc/self/mountinfo", mountinfoBytesMax)
	if err != nil {
		return nil, err
	}
	failure := error(&sys.Error{Op: "open cgroup", What: path, Errno: ErrNoCgroup})
	for _, m := range cgroupMounts(string(text)) {
		fd, ok, err := m.open(path)
		if ok && err == nil {
			p.mount = &m
			return fd, nil
		}
		if err != nil {
			failure = err
		}
	}
	return nil, failure
}

// open opens a directory through the mount. false: it is not to be seen there.
func (m cgroupMount) open(path string) (fd *sys.FD, ok bool, err error) {
	name, ok := m.below(path)
	if !ok {
		return nil, false, nil
	}
	n, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, &sys.Error{Op: "open cgroup", What: name, Errno: err}
	}
	// A mount may be hidden beneath another one.
	var st unix.Statfs_t
	if unix.Fstatfs(n, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
		return sys.Own(n), true, nil
	}
	unix.Close(n)
	return nil, false, nil
}
