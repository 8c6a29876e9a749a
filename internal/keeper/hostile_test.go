package keeper

import (
	"encoding/binary"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

func signalIgnoreHangup() { signal.Ignore(syscall.SIGHUP) }

// A supervisor that talks nonsense, and then sense, is served.
func TestNonsense(t *testing.T) {
	r := start(t)
	s := r.serving()
	read, _ := pipe(t)
	fd := int(read.Fd())
	for _, m := range []string{"empty 3", "00", "ff", "70", "78", "66ffff", "6b", "6b02", "7541", "7141", "6161 10", "zero:8193", "zero:60000", "68", "6809"} {
		s.do("raw " + m)
	}
	s.do("raw empty 1", fd)
	s.do("raw 70 1", fd)                                    // put without a name
	s.do("raw 7061 1", fd, fd)                              // put with two descriptors
	s.do("raw 7561 1", fd)                                  // started with a descriptor
	s.do("raw 70"+strings.Repeat("61", NameMax+1)+" 1", fd) // too long a name
	many := make([]int, 40)
	for i := range many {
		many[i] = fd
	}
	s.do("raw 7061 2", many...)
	s.do("put good", fd)
	s.do("append x")
	s.kill(unix.SIGKILL)
	s = r.supervisor()
	if words := s.do("hello"); !strings.Contains(words, "good=") || strings.Count(words, "=") != 6 {
		t.Errorf("after nonsense: %s", words)
	}
	if n := strings.Count(r.log(), "a message of the supervisor"); n != 1 {
		t.Errorf("%d lines of complaint:\n%s", n, r.log())
	}
}

// A hundred thousand messages of all kinds: the keeper lives, and its memory is what it was.
func TestFlood(t *testing.T) {
	const messages = 100_000
	r := start(t, "GOMAXPROCS=1", "GOGC=20")
	s := r.serving()
	before := privateKB(t, r.cmd.Process.Pid)
	began := time.Now()
	s.do("flood 100000")
	took := time.Since(began)
	s.do("append x")
	s.kill(unix.SIGKILL)
	s = r.serving()
	after := privateKB(t, r.cmd.Process.Pid)
	if after > before+1024 {
		t.Errorf("the keeper had %d kB and has %d kB", before, after)
	}
	if len(r.log()) > 4096 {
		t.Errorf("the log has %d bytes", len(r.log()))
	}
	t.Logf("%d messages in %v; private memory of the test's keeper %d kB before, %d kB after", messages, took, before, after)
}

// privateKB is what of a process's memory is nobody else's.
func privateKB(t testing.TB, pid int) int {
	t.Helper()
	kb := 0
	f, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	check(t, err)
	for line := range strings.Lines(string(f)) {
		if f := strings.Fields(line); len(f) == 3 && strings.HasPrefix(f[0], "Private_Dirty") {
			n, _ := strconv.Atoi(f[1])
			kb += n
		}
	}
	return kb
}

// The socket closed, shut down one way or the other, while the supervisor lives on and says
// nothing: it is ended and replaced.
func TestHangsUpAndStays(t *testing.T) {
	r := start(t)
	s := r.serving()
	for _, command := range []string{"shutdown 1", "shutdown 2", "close"} {
		s.tell(command) // it may be killed before it has answered
		s.ended()
		r.awaitLog("pid " + strconv.Itoa(s.pid) + " has hung up and does not end: it is killed")
		s = r.supervisor()
		s.do("raw 75") // started; it has not said hello, so that nothing else has the socket in use
	}
	s.kill(unix.SIGKILL)
	s = r.serving()
	// One that only does not read any more can still be obeyed.
	s.do("shutdown 0")
	read, _ := pipe(t)
	s.do("run /bin/false")
	s.do("put last", int(read.Fd()))
	s.kill(unix.SIGKILL)
	if words := r.supervisor().do("hello"); !strings.Contains(words, "last=") {
		t.Errorf("what was put with a closed ear is not held: %s", words)
	}
}

// A child of the supervisor that has the socket, lives on, and talks: it is not obeyed, and
// its talk does not hold up what follows.
func TestSocketInOtherHands(t *testing.T) {
	r := start(t)
	s := r.serving()
	// A shell that says Quit and Hold(false) for ever.
	pid, _ := strconv.Atoi(s.do(`run with-socket /bin/sh ` + r.script("while printf q >&3 && printf 'k\\0' >&3; do :; done")))
	r.awaitLog("comes from process")
	for range 3 {
		s.kill(unix.SIGKILL)
		s = r.serving()
	}
	if _, err := sys.StartTime(pid); err == nil {
		fd, err := sys.PidfdOpen(pid)
		if err == nil {
			_ = sys.PidfdSignal(fd.Int(), unix.SIGKILL)
			fd.Close()
		}
	}
	r.alive()
}

func (r *rig) script(text string) string {
	r.t.Helper()
	name := r.dir + "/script"
	check(r.t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// FuzzMessages: whatever a supervisor sends, in whatever state, the keeper neither panics nor
// leaks nor stops serving. The input is a sequence of (descriptors, length, bytes).
func FuzzMessages(f *testing.F) {
	seq := func(ms ...string) []byte {
		var b []byte
		for _, m := range ms {
			b = append(b, m[0]-'0')
			b = binary.LittleEndian.AppendUint16(b, uint16(len(m)-1))
			b = append(b, m[1:]...)
		}
		return b
	}
	f.Add(seq("0h\x01", "1pname", "1ppty", "0xname", "0k\x01", "0u", "0atext", "0q"))
	f.Add(seq("0h\x02", "2pname", "0", "1", "0f0123456789ab", "0xpty", "0xdoor", "1pring", "0w", "0A", "0d"))
	f.Fuzz(func(t *testing.T, in []byte) {
		k, theirs := local(t)
		null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		check(t, err)
		defer unix.Close(null)
		for i := 0; len(in) >= 3 && i < 200; i++ {
			fds := make([]int, in[0]&3)
			for j := range fds {
				fds[j] = null
			}
			n := min(int(binary.LittleEndian.Uint16(in[1:])), len(in)-3, 10_000)
			m := in[3 : 3+n]
			in = in[3+n:]
			var oob []byte
			if len(fds) > 0 {
				oob = unix.UnixRights(fds...)
			}
			check(t, unix.Sendmsg(theirs.Int(), m, oob, nil, unix.MSG_NOSIGNAL))
			serve(k)
			// The supervisor reads now and then, so that the answer can go on.
			if i%3 == 0 {
				buf := make([]byte, MessageMax)
				for poll(theirs.Int()) {
					_, fds, err := sys.Recv(theirs.Int(), buf)
					check(t, err)
					sys.CloseAll(fds)
				}
			}
		}
		k.drain()
		if k.slots.fd(SlotDoor) < 0 || k.slots.fd(SlotRing) < 0 || len(k.slots.names) > SlotsMax || len(said) > 200 {
			t.Fatalf("slots %q, said %q", k.slots.names, said)
		}
		k.supervisorDied(9)
		if !k.done && k.startAt == 0 {
			t.Fatal("the keeper neither ends nor starts another one")
		}
	})
}

func poll(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0
}

// FuzzClient: whatever a keeper sends, a supervisor gets an answer or an error.
func FuzzClient(f *testing.F) {
	f.Add(appendWelcome(nil, 3, 1))
	f.Add(append([]byte{byte(opDeath)}, make([]byte, 16)...))
	f.Add([]byte("sname"))
	f.Add([]byte("w\x02"))
	f.Fuzz(func(t *testing.T, m []byte) {
		ours, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
		check(t, err)
		defer theirs.Close()
		if len(m) > 0 {
			check(t, sys.Send(ours.Int(), m[:min(len(m), MessageMax)]))
		}
		ours.Close()
		c, h, err := Dial(theirs)
		if err == nil {
			h.Close()
			if _, err := c.Next(); err == nil {
				t.Fatal("a death after the end")
			}
		}
	})
}

func TestVersions(t *testing.T) {
	ours, theirs, err := sys.Pair(unix.SOCK_SEQPACKET)
	check(t, err)
	defer ours.Close()
	defer theirs.Close()
	m := appendWelcome(nil, 1, 0)
	m[1] = ProtoVersion + 1
	check(t, sys.Send(ours.Int(), append(m, 0)))
	if _, _, err := Dial(theirs); err != ErrVersion {
		t.Errorf("another version's welcome: %v", err)
	}
	k, theirs2 := local(t)
	check(t, sys.Send(theirs2.Int(), []byte{byte(opHello), ProtoVersion + 1}))
	serve(k)
	if !strings.Contains(saidAll(), "speaks version 3") {
		t.Errorf("the keeper says %q", saidAll())
	}
}
