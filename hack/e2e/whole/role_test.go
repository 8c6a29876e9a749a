package whole

import (
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// roleVariable makes this program an actor in a zone rather than a test.
const roleVariable = "ZONES_WHOLE_ROLE"

// statusStreams ends the role streams.
const statusStreams = 77

func play(role string, args []string) int {
	var err error
	switch role {
	case "streams":
		if err = mirror(); err == nil {
			return statusStreams
		}
	case "attempts":
		attempt()
	case "inject":
		inject()
	case "writable":
		for _, dir := range args {
			writable(dir)
		}
	case "open":
		for _, name := range args {
			fmt.Println(name, opens(name, unix.O_RDONLY))
		}
	case "loopback":
		err = loopback()
	case "dial":
		err = dial(args[0])
	case "bind":
		err = bind(args[0])
	case "packet":
		_, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	case "restart":
		err = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		return 1
	}
	return 0
}

// What the bytes of the two outputs differ by from those of the input.
const (
	outKey = 0x5a
	errKey = 0xa5
)

// mirror gives its input back twice, each time in a disguise, at the same time.
func mirror() error {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var writers sync.WaitGroup
	failed := make([]error, 2)
	for i, w := range []struct {
		file *os.File
		key  byte
	}{{os.Stdout, outKey}, {os.Stderr, errKey}} {
		writers.Go(func() {
			disguised := make([]byte, len(input))
			for j, b := range input {
				disguised[j] = b ^ w.key
			}
			_, failed[i] = w.file.Write(disguised)
		})
	}
	writers.Wait()
	if failed[0] != nil {
		return failed[0]
	}
	return failed[1]
}

// errnoName is how an outcome is printed: "ok" or the error's name.
func errnoName(e error) string {
	if e == nil {
		return "ok"
	}
	if n, ok := e.(unix.Errno); ok {
		if n == 0 {
			return "ok"
		}
		return unix.ErrnoName(n)
	}
	return e.Error()
}

func call(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	_, _, e := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if e == 0 {
		return nil
	}
	return e
}

func str(s string) uintptr {
	p, err := unix.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	return uintptr(unsafe.Pointer(p))
}

// cloneArgs are those of clone3 up to the first version's end.
type cloneArgs struct{ flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64 }

// attempt makes calls that a zone must not be able to make, and prints what came of each.
func attempt() {
	buf := make([]byte, 4096)
	p := uintptr(unsafe.Pointer(&buf[0]))
	clone := cloneArgs{flags: unix.CLONE_NEWUSER, exitSignal: uint64(unix.SIGCHLD)}
	for _, a := range []struct {
		name string
		nr   uintptr
		args []uintptr
	}{
		{"unshare-user", unix.SYS_UNSHARE, []uintptr{unix.CLONE_NEWUSER}},
		{"unshare-mount", unix.SYS_UNSHARE, []uintptr{unix.CLONE_NEWNS}},
		{"unshare-net", unix.SYS_UNSHARE, []uintptr{unix.CLONE_NEWNET}},
		{"clone3-user", unix.SYS_CLONE3, []uintptr{uintptr(unsafe.Pointer(&clone)), unsafe.Sizeof(clone)}},
		{"setns", unix.SYS_SETNS, []uintptr{0, 0}},
		{"mount-tmpfs", unix.SYS_MOUNT, []uintptr{str("x"), str("/mnt"), str("tmpfs"), 0, 0}},
		{"mount-proc", unix.SYS_MOUNT, []uintptr{str("x"), str("/mnt"), str("proc"), 0, 0}},
		{"remount-root", unix.SYS_MOUNT, []uintptr{0, str("/"), 0, unix.MS_REMOUNT | unix.MS_BIND, 0}},
		{"bind", unix.SYS_MOUNT, []uintptr{str("/proc"), str("/mnt"), 0, unix.MS_BIND, 0}},
		{"umount-mnttab", unix.SYS_UMOUNT2, []uintptr{str("/etc/mnttab"), unix.MNT_DETACH}},
		{"umount-kcore", unix.SYS_UMOUNT2, []uintptr{str("/proc/keys"), unix.MNT_DETACH}},
		{"fsopen", unix.SYS_FSOPEN, []uintptr{str("tmpfs"), 0}},
		{"open-tree", unix.SYS_OPEN_TREE, []uintptr{^uintptr(99), str("/"), 1}},
		{"pivot-root", unix.SYS_PIVOT_ROOT, []uintptr{str("/mnt"), str("/mnt")}},
		{"keyctl", unix.SYS_KEYCTL, []uintptr{unix.KEYCTL_GET_KEYRING_ID, ^uintptr(2), 0}},
		{"add-key", unix.SYS_ADD_KEY, []uintptr{str("user"), str("zone"), p, 4, ^uintptr(2)}},
		{"request-key", unix.SYS_REQUEST_KEY, []uintptr{str("user"), str("zone"), 0, ^uintptr(2)}},
		{"bpf", unix.SYS_BPF, []uintptr{0, p, 128}},
		{"perf", unix.SYS_PERF_EVENT_OPEN, []uintptr{p, 0, ^uintptr(0), ^uintptr(0), 0}},
		{"userfaultfd", unix.SYS_USERFAULTFD, []uintptr{1}},
		{"io-uring", unix.SYS_IO_URING_SETUP, []uintptr{1, p}},
		{"open-by-handle", unix.SYS_OPEN_BY_HANDLE_AT, []uintptr{0, p, 0}},
		{"kexec", unix.SYS_KEXEC_LOAD, []uintptr{0, 0, 0, 0}},
		{"init-module", unix.SYS_INIT_MODULE, []uintptr{p, 16, str("")}},
		{"delete-module", unix.SYS_DELETE_MODULE, []uintptr{str("nothing"), 0}},
		{"swapoff", unix.SYS_SWAPOFF, []uintptr{str("/nothing")}},
		{"settimeofday", unix.SYS_SETTIMEOFDAY, []uintptr{p, 0}},
		{"clock-settime", unix.SYS_CLOCK_SETTIME, []uintptr{0, p}},
		{"syslog-clear", unix.SYS_SYSLOG, []uintptr{5, 0, 0}},
		{"quotactl", unix.SYS_QUOTACTL, []uintptr{0, 0, 0, 0}},
		{"mknod-mem", unix.SYS_MKNODAT, []uintptr{^uintptr(99), str("/var/tmp/mem"), unix.S_IFCHR | 0o666, 1<<8 | 1}},
		{"mknod-disk", unix.SYS_MKNODAT, []uintptr{^uintptr(99), str("/var/tmp/disk"), unix.S_IFBLK | 0o666, 254 << 8}},
		{"mknod-null", unix.SYS_MKNODAT, []uintptr{^uintptr(99), str("/dev/null2"), unix.S_IFCHR | 0o666, 1<<8 | 3}},
		{"mknod-fifo", unix.SYS_MKNODAT, []uintptr{^uintptr(99), str("/var/tmp/fifo"), unix.S_IFIFO | 0o666, 0}},
		{"getpid", unix.SYS_GETPID, nil},
	} {
		fmt.Println(a.name, errnoName(call(a.nr, a.args...)))
	}
}

// inject tries to put a character into the input of its own terminal, the command written
// in every way that the kernel takes for the same.
func inject() {
	const tiocsti, tioclinux, tiocgwinsz = 0x5412, 0x541c, 0x5413
	var c [8]byte
	p := uintptr(unsafe.Pointer(&c))
	for _, high := range []uintptr{0, 1 << 32, 1 << 63, 0xffffffff << 32, 0xdead << 40} {
		fmt.Printf("sti %x %s\r\n", high, errnoName(call(unix.SYS_IOCTL, 0, tiocsti|high, p)))
		fmt.Printf("linux %x %s\r\n", high, errnoName(call(unix.SYS_IOCTL, 0, tioclinux|high, p)))
		fmt.Printf("winsz %x %s\r\n", high, errnoName(call(unix.SYS_IOCTL, 0, tiocgwinsz|high, p)))
	}
}

func opens(name string, flags int) string {
	fd, err := unix.Open(name, flags|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return errnoName(err)
	}
	defer unix.Close(fd)
	if flags&unix.O_ACCMODE == unix.O_WRONLY {
		// What was masked is /dev/null by now.
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return "not a file"
		}
		return "ok"
	}
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return errnoName(err)
	}
	return fmt.Sprintf("ok %d", n)
}

// writable prints the files below dir that can be opened for writing, and the directories in
// which something can be made. It writes nothing, and leaves out the directories of processes.
func writable(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		name := d.Name()
		if d.IsDir() && filepath.Dir(path) == "/proc" && (name[0] >= '0' && name[0] <= '9') {
			return fs.SkipDir
		}
		switch {
		case d.IsDir():
			probe := filepath.Join(path, "zone-probe")
			if unix.Mkdir(probe, 0o755) == nil {
				fmt.Println(path + "/")
				_ = unix.Rmdir(probe)
				return nil
			}
		case d.Type().IsRegular() && opens(path, unix.O_WRONLY) == "ok":
			fmt.Println(path)
		}
		return nil
	})
}

// loopback sends itself some bytes through a port that only root may have.
func loopback() error {
	listener, err := net.Listen("tcp", "127.0.0.1:22")
	if err != nil {
		return err
	}
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	server, err := listener.Accept()
	if err != nil {
		return err
	}
	if _, err := client.Write([]byte("hello")); err != nil {
		return err
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(server, buf); err != nil || string(buf) != "hello" {
		return fmt.Errorf("%q, %w", buf, err)
	}
	return bind("[::1]:22")
}

func bind(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return listener.Close()
}

func dial(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
