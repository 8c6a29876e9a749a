package collector

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Attributes have pointers where the kernel has numbers of 64 bits: what they point to may be on a
// stack, which moves when it grows, and only a pointer moves with it.
var _ [8]byte = [unsafe.Sizeof(uintptr(0))]byte{}

// bpf is the system call; attr points to the attributes of the command, size bytes long.
func bpf(op string, cmd int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(attr), size)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR, unix.EAGAIN: // the kernel asks for another try while a signal is pending
		default:
			return -1, &sys.Error{Op: "bpf " + op, Errno: errno}
		}
	}
}

// objGet opens what is pinned at path.
func objGet(path string) (*sys.FD, error) {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return nil, err
	}
	attr := struct {
		path  *byte
		fd    uint32
		flags uint32
	}{path: name}
	n, err := bpf("open "+path, unix.BPF_OBJ_GET, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(name)
	if err != nil {
		return nil, err
	}
	// Descriptors of bpf(2) are close-on-exec.
	return sys.Own(n), nil
}

// mapCreate makes a map without a name.
func mapCreate(typ, keyBytes, valueBytes, entries, flags uint32) (*sys.FD, error) {
	attr := struct{ typ, keyBytes, valueBytes, entries, flags uint32 }{typ, keyBytes, valueBytes, entries, flags}
	n, err := bpf("map create", unix.BPF_MAP_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return nil, err
	}
	return sys.Own(n), nil
}

// element is what the commands on one element of a map take.
type element struct {
	fd    uint32
	_     uint32
	key   *uint64
	value unsafe.Pointer
	flags uint64
}

// onElement does cmd with a key of eight bytes, which all maps here have.
func onElement(op string, cmd int, m *sys.FD, key *uint64, value unsafe.Pointer, flags uint64) error {
	attr := element{fd: uint32(m.Int()), key: key, value: value, flags: flags}
	_, err := bpf(op, cmd, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(key)
	runtime.KeepAlive(value)
	return err
}

func lookup(m *sys.FD, key uint64, value unsafe.Pointer) error {
	return onElement("lookup", unix.BPF_MAP_LOOKUP_ELEM, m, &key, value, 0)
}

func update(m *sys.FD, key uint64, value unsafe.Pointer, flags uint64) error {
	return onElement("update", unix.BPF_MAP_UPDATE_ELEM, m, &key, value, flags)
}

func remove(m *sys.FD, key uint64) error {
	return onElement("delete", unix.BPF_MAP_DELETE_ELEM, m, &key, nil, 0)
}

// keysMax bounds a walk through a map that changes meanwhile: the kernel starts again at the
// first key when the last one was deleted.
const keysMax = 1 << 20

// keys lists the keys of a map. Of one that changes meanwhile it may miss those that came.
func keys(m *sys.FD) ([]uint64, error) {
	var list []uint64
	var next uint64
	var last *uint64
	seen := map[uint64]bool{}
	for range keysMax {
		attr := element{fd: uint32(m.Int()), key: last, value: unsafe.Pointer(&next)}
		_, err := bpf("next key", unix.BPF_MAP_GET_NEXT_KEY, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		if is(err, unix.ENOENT) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		if !seen[next] {
			seen[next] = true
			list = append(list, next)
		}
		here := next
		last = &here
	}
	return list, &sys.Error{Op: "bpf next key", Errno: unix.ELOOP}
}

// testRun runs a raw tracepoint program once, here and now, in the caller's context.
func testRun(prog *sys.FD, args []uint64) (uint32, error) {
	attr := struct {
		fd, retval               uint32
		dataIn, dataOut          uint32
		data, out                uint64
		repeat, duration         uint32
		ctxInBytes, ctxOutBytes  uint32
		ctxIn                    *uint64
		ctxOut                   uint64
		flags, cpu, batch, spare uint32
	}{fd: uint32(prog.Int()), ctxInBytes: uint32(8 * len(args)), ctxIn: unsafe.SliceData(args)}
	_, err := bpf("test run", unix.BPF_PROG_TEST_RUN, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(args)
	return attr.retval, err
}

// is says whether err is that errno.
func is(err error, errno unix.Errno) bool {
	e, ok := err.(*sys.Error)
	return ok && e.Errno == errno
}

// lockFile opens a file and waits until it has it locked for this descriptor alone.
func lockFile(name string) (*sys.FD, error) {
	var n int
	err := sys.Retry(func() (e error) {
		n, e = unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		return
	})
	if err != nil {
		return nil, &sys.Error{Op: "open", What: name, Errno: err}
	}
	fd := sys.Own(n)
	lk := unix.Flock_t{Type: unix.F_WRLCK}
	err = sys.Retry(func() error { return unix.FcntlFlock(uintptr(n), unix.F_OFD_SETLKW, &lk) })
	if err != nil {
		fd.Close()
		return nil, &sys.Error{Op: "lock", What: name, Errno: err}
	}
	return fd, nil
}

func watch() (*sys.FD, error) {
	n, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, &sys.Error{Op: "epoll_create", Errno: err}
	}
	return sys.Own(n), nil
}

func timer() (*sys.FD, error) {
	n, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, &sys.Error{Op: "timerfd_create", Errno: err}
	}
	return sys.Own(n), nil
}

// batch is what the commands on many elements of a map take.
type batch struct {
	in, out    *uint64
	keys       *uint64
	values     *byte
	count      uint32
	fd         uint32
	elemFlags  uint64
	batchFlags uint64
}

// batchFirst and batchMax are how many elements are asked for at once. The kernel gives the whole of a
// bucket or nothing of it, and says so when there is no place.
const (
	batchFirst = 512
	batchMax   = 64 << 10
)

// each calls f with the key and the value of each element of a hash, of which a value has size bytes.
// Of one that changes meanwhile it may miss those that came. Kernels before 5.6 do not have it.
func each(m *sys.FD, size int, f func(key uint64, value []byte)) error {
	var cursor, next uint64
	var in *uint64 // from the beginning
	n := batchFirst
	for range keysMax {
		keys, values := make([]uint64, n), make([]byte, n*size)
		attr := batch{in: in, out: &next, keys: &keys[0], values: &values[0], count: uint32(n), fd: uint32(m.Int())}
		_, err := bpf("lookup batch", unix.BPF_MAP_LOOKUP_BATCH, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		runtime.KeepAlive(keys)
		runtime.KeepAlive(values)
		if is(err, unix.ENOSPC) && n < batchMax {
			n *= 2
			continue
		}
		if err != nil && !is(err, unix.ENOENT) {
			return err
		}
		for i := range min(int(attr.count), n) {
			f(keys[i], values[i*size:(i+1)*size])
		}
		if err != nil {
			return nil // that was the last
		}
		cursor, in = next, &cursor
	}
	return &sys.Error{Op: "bpf lookup batch", Errno: unix.ELOOP}
}
