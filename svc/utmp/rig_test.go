package utmp

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/account"
)

// Roles of the test binary as another process.
const (
	role       = "UTMP_TEST_ROLE"
	roleBegin  = "begin"  // DIR PREFIX: makes its record, says so, and waits
	roleLocker = "locker" // FILE: takes the lock as glibc does, says so, and waits
)

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case roleBegin:
		os.Exit(begin(os.Args[1], os.Args[2]))
	case roleLocker:
		os.Exit(locker(os.Args[1]))
	}
	testenv.Main(m)
}

func begin(dir, prefix string) int {
	processWait = time.Minute // it is not the limit that is looked at
	if err := in(dir).Begin(prefix); err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return 1
	}
	os.Stdout.WriteString("made\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 0
}

// locker takes a lock of its process, which is what glibc has.
func locker(path string) int {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return 1
	}
	os.Stdout.WriteString("locked\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 0
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func in(dir string) Files {
	return At(filepath.Join(dir, "utmp"), filepath.Join(dir, "wtmp"), account.Files{Passwd: dir + "/passwd", Group: dir + "/group"})
}

// files are empty ones.
func files(t testing.TB) Files {
	t.Helper()
	f := in(t.TempDir())
	must(t, os.WriteFile(f.Table, nil, 0o644))
	must(t, os.WriteFile(f.Log, nil, 0o644))
	return f
}

// helper is another process, until stop.
type helper struct {
	pid  int
	said string
	stop func()
}

func start(t testing.TB, what string, args ...string) *helper {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), role+"="+what)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	stopped := false
	h := &helper{pid: cmd.Process.Pid}
	h.stop = func() {
		if !stopped {
			stopped = true
			in.Close()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(h.stop)
	buf := make([]byte, 1024)
	n, _ := out.Read(buf)
	h.said = strings.TrimSpace(string(buf[:n]))
	return h
}

// record is one as a test compares it.
type record struct {
	kind       Kind
	pid        int
	line, id   string
	user, host string
	signal     int
	exit       int
	when       time.Time
}

// read reads a file on its own, with the offsets of <bits/utmp.h> of x86-64 written down once more.
func read(t testing.TB, path string) (list []record) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	size := Here().Size
	if len(b)%size != 0 {
		t.Errorf("%s has %d bytes, of records of %d", path, len(b), size)
	}
	str := func(b []byte) string { s, _, _ := strings.Cut(string(b), "\x00"); return s }
	ne := binary.NativeEndian
	for ; len(b) >= size; b = b[size:] {
		r := record{
			kind: Kind(ne.Uint16(b)), pid: int(int32(ne.Uint32(b[4:]))), line: str(b[8:40]), id: str(b[40:44]), user: str(b[44:76]),
			host: str(b[76:332]), signal: int(ne.Uint16(b[332:])), exit: int(ne.Uint16(b[334:])),
		}
		if size == 384 {
			r.when = time.Unix(int64(int32(ne.Uint32(b[340:]))), 1000*int64(ne.Uint32(b[344:])))
		} else {
			r.when = time.Unix(int64(ne.Uint64(b[344:])), 1000*int64(ne.Uint64(b[352:])))
		}
		list = append(list, r)
	}
	return list
}

// plain leaves out what differs in each run.
func plain(list []record) []record {
	for i := range list {
		list[i].when = time.Time{}
		if list[i].kind == BootTime || list[i].kind == RunLevel {
			list[i].host = ""
		}
	}
	return list
}

// add writes a record of somebody else's.
func add(t testing.TB, path string, k Kind, pid int, id, user string) {
	t.Helper()
	e := make(entry, Here().Size)
	e.setKind(k)
	e.setPid(pid)
	var four [4]byte
	copy(four[:], id)
	e.setID(four)
	e.setUser(user)
	e.setLine("pts/" + id)
	Here().setTime(e, time.Now())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	must(t, err)
	defer f.Close()
	_, err = f.Write(e)
	must(t, err)
}

// shorter has limits of waits be shorter.
func shorter(t *testing.T) {
	a, b := processWait, recorderWait
	processWait, recorderWait = 50*time.Millisecond, 50*time.Millisecond
	t.Cleanup(func() { processWait, recorderWait = a, b })
}
