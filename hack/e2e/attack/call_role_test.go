package attack

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

func raw(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	r, _, e := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if e != 0 {
		return e
	}
	if nr == unix.SYS_SOCKET || nr == unix.SYS_PIDFD_OPEN {
		_ = unix.Close(int(r))
	}
	return nil
}

// calls makes system calls that reach beyond a zone, and prints what came of each.
func calls() {
	for _, high := range []uintptr{0, 1 << 32, 1 << 63, 0xffffffff << 32} {
		fmt.Println("vsock", name(raw(unix.SYS_SOCKET, unix.AF_VSOCK|high, unix.SOCK_STREAM, 0)))
		fmt.Println("alg", name(raw(unix.SYS_SOCKET, unix.AF_ALG|high, unix.SOCK_SEQPACKET, 0)))
		fmt.Println("connector", name(raw(unix.SYS_SOCKET, unix.AF_NETLINK|high, unix.SOCK_RAW, unix.NETLINK_CONNECTOR|high)))
		fmt.Println("connector", name(raw(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_DGRAM, unix.NETLINK_CONNECTOR|high)))
		fmt.Println("nested", name(raw(unix.SYS_UNSHARE, unix.CLONE_NEWUSER|high)))
	}
	fmt.Println("unix", name(raw(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0)))
	fmt.Println("inet", name(raw(unix.SYS_SOCKET, unix.AF_INET6, unix.SOCK_DGRAM, 0)))
	fmt.Println("route", name(raw(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)))
	fmt.Println("audit", name(auditRules()))
	fmt.Println("uevent", name(uevent()))
	var p [8]byte
	at := uintptr(unsafe.Pointer(&p))
	// Init's console, taken for the host's; its line discipline, with a module to load for it.
	if console, err := unix.Open("/dev/console", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err == nil {
		*(*int32)(unsafe.Pointer(&p)) = 21 // N_GSM0710, of which kernels have been taken over
		fmt.Println("console-tioccons", name(raw(unix.SYS_IOCTL, uintptr(console), unix.TIOCCONS, 0)))
		fmt.Println("console-discipline", name(raw(unix.SYS_IOCTL, uintptr(console), unix.TIOCSETD, at)))
		_ = unix.Close(console)
	}
	// Above all limits, as the host's root would be.
	fmt.Println("realtime", name(realtime()))
	fmt.Println("nice", name(unix.Setpriority(unix.PRIO_PROCESS, 0, -10)))
	fmt.Println("oom", name(os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)))
	fmt.Println("files", name(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 30, Max: 1 << 30})))
	fmt.Println("lock", name(lockMemory()))
	for _, place := range []string{"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/fs/file-max", "/proc/sys/vm/panic_on_oom", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/sys/power/state"} {
		fd, err := unix.Open(place, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte("|/tmp/x\n"))
			_ = unix.Close(fd)
		}
		fmt.Println("setting "+place, name(err))
	}
	// In a process of its own, which a kernel without programs of 32 bits kills.
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=ia32")
	if out, err := cmd.Output(); err == nil {
		fmt.Print(string(out))
	}
}

// auditRules asks to change the host's rules of audit; uevent says that a device has come.
func auditRules() error { return netlink(unix.NETLINK_AUDIT, 1001) }

func uevent() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 2}); err != nil {
		return err
	}
	return unix.Sendto(fd, []byte("add@/devices/zone\x00ACTION=add\x00DEVPATH=/devices/zone\x00SUBSYSTEM=mem\x00"), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1})
}

func netlink(protocol int, kind uint16) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const head = 16
	m := make([]byte, head+32)
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2})
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n >= head+4 && binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		if e := int32(binary.NativeEndian.Uint32(answer[head:])); e != 0 {
			return unix.Errno(-e)
		}
	}
	return nil
}

func realtime() error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 50}
	return unix.SchedSetAttr(0, &attr, 0)
}

func lockMemory() error {
	b, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(b) }()
	return unix.Mlock(b)
}

// ia32 makes sockets by the system calls that programs of 32 bits have: socket, and socketcall,
// whose arguments no filter can see.
func ia32() {
	if runtime.GOARCH != "amd64" {
		return
	}
	page, err := unix.Mmap(-1, 0, 8192, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_32BIT)
	if err != nil {
		fmt.Println("ia32", name(err))
		return
	}
	at := uint64(uintptr(unsafe.Pointer(&page[0])))
	call := func(nr, b, c, d uint32) error {
		// mov eax, nr; mov ebx, b; mov ecx, c; mov edx, d; int 0x80; mov [result], rax; ret
		code := []byte{0xb8, 0, 0, 0, 0, 0xbb, 0, 0, 0, 0, 0xb9, 0, 0, 0, 0, 0xba, 0, 0, 0, 0, 0xcd, 0x80, 0x48, 0xa3, 0, 0, 0, 0, 0, 0, 0, 0, 0xc3}
		for i, v := range []uint32{nr, b, c, d} {
			binary.LittleEndian.PutUint32(code[1+5*i:], v)
		}
		binary.LittleEndian.PutUint64(code[24:], at+4096)
		copy(page, code)
		entry := uintptr(at)
		pointer := unsafe.Pointer(&entry)
		(*(*func())(unsafe.Pointer(&pointer)))()
		if r := int32(binary.LittleEndian.Uint32(page[4096:])); r < 0 {
			return unix.Errno(-r)
		}
		return nil
	}
	const getpid, socketcall, socket = 20, 102, 359
	fmt.Println("ia32-getpid", name(call(getpid, 0, 0, 0)))
	for what, s := range map[string][3]uint32{"vsock": {unix.AF_VSOCK, unix.SOCK_STREAM}, "alg": {unix.AF_ALG, unix.SOCK_SEQPACKET}, "connector": {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_CONNECTOR}, "unix": {unix.AF_UNIX, unix.SOCK_STREAM}} {
		fmt.Println("ia32-"+what, name(call(socket, s[0], s[1], s[2])))
		for i, v := range s {
			binary.LittleEndian.PutUint32(page[4200+4*i:], v)
		}
		fmt.Println("ia32-socketcall-"+what, name(call(socketcall, 1, uint32(at)+4200, 0)))
	}
}

// sockets looks for others' sockets: those named, and whatever the network stack lists.
func sockets(names []string) error {
	for _, n := range names {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: n})
		fmt.Println("connect", n, name(err))
		_ = unix.Close(fd)
	}
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 8 {
			fmt.Println("listed", f[7])
		}
	}
	// Processes that are not in the zone, by every number that could be one's.
	found := 0
	for pid := 1; pid < 40000; pid++ {
		if raw(unix.SYS_PIDFD_OPEN, uintptr(pid), 0) == nil {
			if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
				found++
			}
		}
	}
	fmt.Println("processes", found)
	// All of them: those of the zone, this one excepted, and no others.
	fmt.Println("kill", name(unix.Kill(-1, 0)))
	return nil
}
