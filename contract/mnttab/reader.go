package mnttab

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// reader is who opened the table, and which table that is: that of a mount namespace, as far
// as a root directory reaches.
type reader struct {
	start uint64 // of the thread, in ticks since boot: with pid, its identity
	ns    uint64
	root  uint64 // hash of the root's path
	pid   int32
	_     int32
}

// table names the reader's table.
func (r *reader) table() uint64 {
	h := uint64(fnvOffset)
	for _, n := range []uint64{r.ns, r.root} {
		h = hash(h, strconv.AppendUint(nil, n, 16))
		h = (h ^ '/') * fnvPrime
	}
	return h | 1 // 0 stands for nothing
}

func procPath(pid int32, name string) string {
	return "/proc/" + strconv.Itoa(int(pid)) + "/" + name
}

// statBytesMax is more than a line of /proc/PID/stat.
const statBytesMax = 4096

// identify says who a thread is. A thread whose request is being answered waits for that, so
// that its number means the same all the time.
func identify(pid int) (reader, error) {
	r := reader{pid: int32(pid)}
	if pid <= 0 {
		return r, unix.ESRCH
	}
	stat, err := sys.ReadFile(procPath(r.pid, "stat"), statBytesMax)
	if err != nil {
		return r, err
	}
	if r.start = startTime(stat); r.start == 0 {
		return r, unix.ESRCH
	}
	if r.ns, err = mountNamespace(r.pid); err != nil {
		return r, err
	}
	// The path is what the kernel remembers; no file system is asked.
	var buf [2 * unix.PathMax]byte
	n, err := unix.Readlink(procPath(r.pid, "root"), buf[:])
	if err != nil {
		return r, err
	}
	r.root = hash(fnvOffset, buf[:n])
	return r, nil
}

// mountNamespace is the number of a thread's mount namespace.
func mountNamespace(pid int32) (uint64, error) {
	var buf [64]byte
	n, err := unix.Readlink(procPath(pid, "ns/mnt"), buf[:])
	if err != nil {
		return 0, err
	}
	inner, found := bytes.CutPrefix(buf[:n], []byte("mnt:["))
	ns, ok := number(bytes.TrimSuffix(inner, []byte("]")))
	if !found || !ok {
		return 0, unix.EPROTO
	}
	return ns, nil
}

// startTime is field 22 of /proc/PID/stat, 0 when it is not there. The name, in parentheses,
// may itself hold blanks and parentheses.
func startTime(stat []byte) uint64 {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const afterName = 22 - 3
	if len(fields) <= afterName {
		return 0
	}
	n, _ := number(fields[afterName])
	return n
}

// same says whether pid is still the reader and still sees the reader's table.
func (r *reader) same(now reader) bool {
	return r.ns == now.ns && r.root == now.root && (r.pid != now.pid || r.start == now.start)
}
