package launch

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/method"
)

// full is an order in which nothing is as in an empty one.
func full() *Order {
	return &Order{
		Shell: "/sbin/sh", Command: "run \x00 \xff", Env: []string{"A=1", "", "B=" + strings.Repeat("x", 1000)}, Session: true,
		RuntimeDirectories: []string{"/run/a"}, UtmpxPrefix: "co",
		Context: method.Context{
			UID: 1, GID: 1<<32 - 1, SetGroups: true, Groups: []uint32{0, 70000}, Dir: "/dir",
			Privileges: &method.Privileges{All: true, Caps: 1 << 63, Without: 5}, Limit: &method.Privileges{Caps: 7},
			NoASLR: true, ASLR: true, NoExecStack: true, Core: method.CoreMade,
			Limits: []method.Limit{{Resource: 255, SetSoft: true, Soft: 1<<64 - 1}, {SetHard: true, Hard: 1<<64 - 1}, {}},
		},
	}
}

// TestOrder: what is written is what is read, and every field is among it.
func TestOrder(t *testing.T) {
	for _, o := range []*Order{full(), {}, {Context: method.Context{Limit: &method.Privileges{}}}} {
		got, err := parse(o.append(nil))
		if err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("%+v, %v, not %+v", got, err, o)
		}
	}
	// The environment of a context is in that of the order, its notices are for the log, and what its
	// contract counts in is said when that is made.
	left := []string{"Environment", "Notices", "Within"}
	o := reflect.ValueOf(full()).Elem()
	for _, v := range []reflect.Value{o, o.FieldByName("Context"), o.FieldByName("Context").FieldByName("Privileges").Elem()} {
		for n := range v.NumField() {
			if name := v.Type().Field(n).Name; v.Field(n).IsZero() != slices.Contains(left, name) {
				t.Errorf("the test's order has no %s: is it written and read?", name)
			}
		}
	}
}

// TestBadOrders: what is cut off, longer, of another version or no order at all.
func TestBadOrders(t *testing.T) {
	text := full().append(nil)
	for n := range text {
		if _, err := parse(text[:n]); !errors.Is(err, ErrOrder) {
			t.Fatalf("%d bytes of it: %v", n, err)
		}
	}
	for _, bad := range [][]byte{append(slices.Clone(text), 0), append([]byte{orderVersion + 1}, text[1:]...), {1, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
		if _, err := parse(bad); !errors.Is(err, ErrOrder) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(orderBytesMax+1))
	dup := func(fd int) string {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 100)
		must(t, err)
		return strconv.Itoa(n)
	}
	null, err := os.Open(os.DevNull)
	must(t, err)
	defer null.Close()
	pipe := dup(int(null.Fd()))
	large := dup(int(f.Fd()))
	for _, args := range [][]string{nil, {"3", "4"}, {"x"}, {"-1"}, {"2"}, {"9999"}, {pipe}, {large}} {
		if o, err := receive(args); err == nil || o != nil {
			t.Errorf("%q is taken: %+v", args, o)
		}
	}
	for _, n := range []string{pipe, large} {
		fd, _ := strconv.Atoi(n)
		unix.Close(fd)
	}
}

// FuzzOrder: whatever is read is written as the same, or is no order.
func FuzzOrder(f *testing.F) {
	f.Add(full().append(nil))
	f.Add((&Order{}).append(nil))
	f.Add([]byte{1, 3, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := parse(text)
		if err != nil {
			if !errors.Is(err, ErrOrder) || o != nil {
				t.Fatalf("%+v, %v", o, err)
			}
			return
		}
		again, err := parse(o.append(nil))
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Fatalf("%+v became %+v, %v", o, again, err)
		}
	})
}

// TestRuntimeNames: no name leads elsewhere.
func TestRuntimeNames(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{"", "/", "/run", "/run/", "/run/..", "/run/a/../b", "/run//a", "/run/./a", "/etc/a", "run/a", "/run/a/", "/run/a\x00b"} {
		if err := makeRuntime(root, []string{path}, 0, 0); err == nil {
			t.Errorf("%q was made", path)
		}
	}
	made, err := os.ReadDir(root)
	if err != nil || len(made) > 1 || len(made) == 1 && made[0].Name() != "a" {
		t.Errorf("%v, %v", made, err)
	}
	if err := makeRuntime(root+"/none", []string{"/run/a"}, 0, 0); !errors.Is(err, unix.ENOENT) {
		t.Errorf("without a root: %v", err)
	}
}

// TestExitCodes: the original's.
func TestExitCodes(t *testing.T) {
	for n, want := range map[unix.Errno]int{
		unix.EINVAL: 96, unix.EPERM: 96, unix.ENOENT: 96, unix.ENAMETOOLONG: 96, unix.ERANGE: 96, unix.ESRCH: 96,
		unix.EACCES: 1, unix.ENOMEM: 1, unix.EIO: 1, unix.ELOOP: 1, unix.ENOTDIR: 1, 0: 1,
	} {
		if got := exitOf(n); got != want {
			t.Errorf("%v: %d", n, got)
		}
	}
	for err, again := range map[error]bool{unix.EAGAIN: true, unix.ENOMEM: true, unix.EMFILE: true, unix.ENFILE: true, unix.ENOTEMPTY: false, ErrOrder: false} {
		if got := failure("x", &os.PathError{Op: "fork/exec", Path: "/p", Err: err}); errors.Is(got, ErrAgain) != again || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
