package notify

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is a socket as init holds it.
type place struct {
	t    testing.TB
	path string
	fd   int

	mu   sync.Mutex
	said []string
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{t: t, path: filepath.Join(t.TempDir(), "notify")}
	var err error
	p.fd, err = Make(p.path, "")
	must(t, err)
	t.Cleanup(func() { unix.Close(p.fd) })
	return p
}

func (p *place) listen() *Receiver {
	p.t.Helper()
	r, err := Listen(p.fd, func(text string) { p.mu.Lock(); p.said = append(p.said, text); p.mu.Unlock() })
	must(p.t, err)
	return r
}

// told is what was said for svc.startd's log.
func (p *place) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.said...)
}

// send is this process, with descriptors.
func (p *place) send(text string, fds ...int) {
	p.t.Helper()
	must(p.t, p.trySend(text, 0, fds...))
}

func (p *place) trySend(text string, flags int, fds ...int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	return sys.Retry(func() error { return unix.Sendmsg(fd, []byte(text), rights, &unix.SockaddrUnix{Name: p.path}, flags) })
}

// sender is a process that sends and ends; where it is started is with's.
func (p *place) sender(text string, with func(*syscall.SysProcAttr)) *exec.Cmd {
	p.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"TEST_SEND_TO=" + p.path, "TEST_SEND=" + text}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if with != nil {
		with(cmd.SysProcAttr)
	}
	must(p.t, cmd.Start())
	return cmd
}

func next(t testing.TB, r *Receiver) *Message {
	t.Helper()
	select {
	case m := <-r.Messages():
		return m
	case <-time.After(testenv.Deadline(20 * time.Second)):
		t.Fatal("no message")
	}
	return nil
}

// TestKept: a message is there until it is Done, whoever reads it and dies.
func TestKept(t *testing.T) {
	p := newPlace(t)
	p.send("READY=1")
	p.send("STATUS=second")
	for range 3 {
		r := p.listen()
		if m := next(t, r); !m.Ready {
			t.Fatalf("%+v", m)
		}
		select {
		case m := <-r.Messages():
			t.Fatalf("another one before the first was done: %+v", m)
		default:
		}
		r.Close()
	}
	r := p.listen()
	next(t, r)
	r.Done(0)
	if m := next(t, r); m.Ready || m.Status != "second" {
		t.Errorf("%+v", m)
	}
	r.Close()
	r = p.listen()
	defer r.Close()
	if m := next(t, r); m.Status != "second" {
		t.Errorf("%+v", m)
	}
}

// TestSender: of who lives and of who was reaped it is known who and where it was.
func TestSender(t *testing.T) {
	p := newPlace(t)
	r := p.listen()
	self, err := unix.PidfdOpen(os.Getpid(), 0)
	must(t, err)
	defer unix.Close(self)
	p.send("READY=1")
	m := next(t, r)
	if m.Pid != os.Getpid() || !m.Alive() || m.Cgroup != CgroupOf(self) {
		t.Errorf("%+v, this is %d in %d", m.Sender, os.Getpid(), CgroupOf(self))
	}
	r.Done(0)
	r.Close()

	r = p.listen()
	defer r.Close()
	cmd := p.sender("READY=1", nil)
	must(t, cmd.Wait())
	m = next(t, r)
	if m.Pid != cmd.Process.Pid {
		t.Errorf("%+v, it was %d", m.Sender, cmd.Process.Pid)
	}
	r.Done(0)
}

// TestReaped: who has sent was in a cgroup of its own, has ended, and was reaped before anybody looks;
// its cgroup is known all the same.
func TestReaped(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	mount, err := testenv.Cgroup2Mount()
	must(t, err)
	dir := filepath.Join(mount, "notify-test-"+strconv.Itoa(os.Getpid()))
	must(t, os.Mkdir(dir, 0o755))
	defer func() {
		testenv.Eventually(t, func() bool { return os.Remove(dir) == nil }, "the cgroup to be removed")
	}()
	f, err := os.Open(dir)
	must(t, err)
	defer f.Close()
	var st unix.Stat_t
	must(t, unix.Fstat(int(f.Fd()), &st))
	p := newPlace(t)
	cmd := p.sender("READY=1", func(a *syscall.SysProcAttr) { a.UseCgroupFD, a.CgroupFD = true, int(f.Fd()) })
	must(t, cmd.Wait())
	r := p.listen()
	defer r.Close()
	m := next(t, r)
	if m.Alive() {
		t.Errorf("process %d lives after it was reaped", m.Pid)
	}
	want := st.Ino
	if !m.pidfd.Valid() {
		want = 0 // before Linux 6.17 it is a message of nobody
	}
	if m.Cgroup != want {
		t.Errorf("it was in cgroup %d, not %d", m.Cgroup, want)
	}
	t.Logf("the kernel has a pidfd of who was reaped: %t", m.pidfd.Valid())
}

// TestSpokenFor: root can name another process; it is that one's message then, and not root's.
func TestSpokenFor(t *testing.T) {
	p := newPlace(t)
	other := exec.Command("/bin/sleep", "1000")
	must(t, other.Start())
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	cred := unix.UnixCredentials(&unix.Ucred{Pid: int32(other.Process.Pid), Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())})
	if err := unix.Sendmsg(fd, []byte("READY=1"), cred, &unix.SockaddrUnix{Name: p.path}, 0); err == unix.EPERM {
		return // so the kernel has it for all but root
	} else {
		must(t, err)
	}
	r := p.listen()
	defer r.Close()
	m := next(t, r)
	if m.Pid != other.Process.Pid || !m.Alive() {
		t.Errorf("%+v, it was %d that was spoken for", m.Sender, other.Process.Pid)
	}
	must(t, other.Process.Kill())
	_ = other.Wait()
	if m.Alive() {
		t.Error("the pidfd is not that process's")
	}
}

// TestGarbage: what is no message is passed over, told once and then ever more rarely; messages
// between it are read.
func TestGarbage(t *testing.T) {
	p := newPlace(t)
	r := p.listen()
	defer r.Close()
	garbage := []string{"", "x", "READY=1\x00", strings.Repeat("x", BytesMax+1), "READY=1\n" + strings.Repeat("A", 100<<10), "STATUS=" + strings.Repeat("x", BytesMax)}
	const rounds = 20
	for range rounds {
		for _, text := range garbage {
			p.send(text)
		}
		p.send("STATUS=plain")
		if m := next(t, r); m.Status != "plain" || m.Ready {
			t.Fatalf("%+v", m)
		}
		r.Done(0)
	}
	said := p.told()
	if len(said) != 3 || !strings.Contains(said[0], ": 1 so far, the last one of process "+strconv.Itoa(os.Getpid())) || !strings.Contains(said[2], ": 100 so far") {
		t.Errorf("%q", said)
	}
}

// descriptors is how many descriptors this process has.
func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}

// TestDescriptors: those that come along are closed when the message is done, which is what a barrier
// waits for; none stays, however often the message is looked at.
func TestDescriptors(t *testing.T) {
	p := newPlace(t)
	before := descriptors(t)
	read, write, err := os.Pipe()
	must(t, err)
	defer read.Close()
	p.send("BARRIER=1", int(write.Fd()))
	must(t, write.Close())
	eof := make(chan error, 1)
	go func() { _, err := read.Read(make([]byte, 1)); eof <- err }()
	for range 5 {
		r := p.listen()
		next(t, r)
		r.Close()
	}
	select {
	case err := <-eof:
		t.Fatalf("the barrier is over before its message was done: %v", err)
	default:
	}
	r := p.listen()
	defer r.Close()
	next(t, r)
	r.Done(0)
	select {
	case <-eof:
	case <-time.After(testenv.Deadline(20 * time.Second)):
		t.Fatal("the barrier is not over")
	}
	null, err := os.Open(os.DevNull)
	must(t, err)
	defer null.Close()
	many := make([]int, 253)
	for i := range many {
		many[i] = int(null.Fd())
	}
	for i := range 200 {
		p.send("STATUS="+strconv.Itoa(i), many...)
		if m := next(t, r); m.Status != strconv.Itoa(i) || m.Pid != os.Getpid() || !m.Alive() {
			t.Fatalf("message %d: %+v", i, m)
		}
		r.Done(0)
		p.send("no message", many...)
	}
	testenv.Eventually(t, func() bool { return descriptors(t) <= before+8 }, "the descriptors to be closed")
}

// TestFlood: who writes all the time does not keep others from being heard.
func TestFlood(t *testing.T) {
	p := newPlace(t)
	r := p.listen()
	stop := make(chan struct{})
	var flood sync.WaitGroup
	for range 4 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = p.trySend("STATUS=flood", unix.MSG_DONTWAIT)
				}
			}
		})
	}
	read := 0
	for ; read < 200; read++ {
		next(t, r)
		r.Done(0)
	}
	cmd := p.sender("READY=1", nil)
	for {
		m := next(t, r)
		r.Done(1)
		if read++; m.Ready {
			if m.Pid != cmd.Process.Pid {
				t.Errorf("%+v", m.Sender)
			}
			break
		}
	}
	close(stop)
	flood.Wait()
	must(t, cmd.Wait())
	t.Logf("%d messages were read before it", read)
	r.Close()
}

// TestFull: who finds no room while nobody listens waits, and is heard.
func TestFull(t *testing.T) {
	p := newPlace(t)
	sent := 0
	for ; p.trySend("STATUS="+strconv.Itoa(sent), unix.MSG_DONTWAIT) == nil; sent++ {
	}
	cmd := p.sender("READY=1", nil)
	time.Sleep(100 * time.Millisecond) // mostly enough for it to come to wait
	r := p.listen()
	defer r.Close()
	for i := range sent {
		if m := next(t, r); m.Status != strconv.Itoa(i) {
			t.Fatalf("message %d is %+v", i, m)
		}
		r.Done(0)
	}
	if m := next(t, r); !m.Ready || m.Pid != cmd.Process.Pid {
		t.Errorf("%+v", m)
	}
	r.Done(0)
	must(t, cmd.Wait())
	if sent == 0 {
		t.Error("there is no room at all")
	}
	t.Logf("%d messages had room", sent)
}

// TestShort: a message that comes when descriptors are short is read when they are not.
func TestShort(t *testing.T) {
	p := newPlace(t)
	r := p.listen()
	defer r.Close()
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.Connect(fd, &unix.SockaddrUnix{Name: p.path}))
	less := limit
	less.Cur = 3
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &less))
	_, err = unix.Write(fd, []byte("READY=1"))
	var early *Message
	select {
	case early = <-r.Messages():
	case <-time.After(2 * shortPause):
	}
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	must(t, err)
	if early != nil {
		t.Fatalf("it was read without a pidfd: %+v", early)
	}
	if m := next(t, r); !m.Ready || !m.Alive() {
		t.Errorf("%+v", m)
	}
	r.Done(0)
}

func TestCount(t *testing.T) {
	var c Count
	var told []string
	for range 2500 {
		if c.Add() {
			told = append(told, c.String())
		}
	}
	if got := strings.Join(told, " "); got != "1 10 100 1000" {
		t.Error(got)
	}
}
