package attack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// watches takes instances of inotify until there are no more, and keeps them until its input ends.
// It lives on if there are so many that the limit is that of its descriptors.
func watches() error {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 4096, Max: 4096}); err != nil {
		return err
	}
	taken := 0
	for ; ; taken++ {
		if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); errors.Is(err, unix.EMFILE) {
			break
		} else if err != nil {
			return err
		}
	}
	fmt.Println(there)
	fmt.Println(taken)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// watched: what the kernel counts of who made a user namespace is counted for the zone's root, not for
// the host's. A zone that has taken all instances of inotify that it can get leaves the host's root
// and other zones theirs.
func watched(t *testing.T) {
	z := testenv.Instance(t)
	booted(t, z, "a")
	booted(t, z, "b")
	for _, zone := range []string{"a", "b"} {
		owner, root := namespaceOwner(t, z.Status(zone).Init.Pid)
		if owner != root || owner == 0 {
			t.Errorf("zone %s: its user namespace is %d's, its root is %d", zone, owner, root)
		}
	}
	attack := start(t, z, "a", as("watches"))
	testenv.Eventually(t, func() bool { return len(attack.said()) > 1 }, "how many were taken")
	t.Logf("the zone took %s", attack.said()[1])
	if s := zlogin(t, z, "a", as("watches")+" </dev/null"); s.out != there+"\n0\n" {
		t.Fatalf("the zone can have more: the attack was not made: %v", s)
	}
	if s := zlogin(t, z, "b", as("watches")+" </dev/null"); s.exit != 0 || s.out == there+"\n0\n" {
		t.Errorf("another zone has none: %v", s)
	}
	n, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Errorf("the host's root has none: %v", err)
	} else {
		unix.Close(n)
	}
	managed(t, z, "a")
	halted(t, z, "b")
}

// nsGetOwnerUID is NS_GET_OWNER_UID of ioctl_ns(2).
const nsGetOwnerUID = 0xb704

// namespaceOwner is who owns a process's user namespace, and who its root is, as the host counts.
func namespaceOwner(t *testing.T, pid int) (owner, root uint32) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
	must(t, err)
	defer f.Close()
	owner, err = unix.IoctlGetUint32(int(f.Fd()), nsGetOwnerUID)
	must(t, err)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", pid))
	must(t, err)
	var first, count uint32
	if _, err := fmt.Sscan(string(text), &first, &root, &count); err != nil || first != 0 {
		t.Fatalf("the ids of process %d: %q, %v", pid, text, err)
	}
	return owner, root
}
