package keeper

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestSlotsSurviveSupervisors(t *testing.T) {
	r := start(t)
	s := r.serving()
	read, write := pipe(t)
	s.do("put pipe", int(write.Fd()))
	s.do("put other", int(read.Fd()))
	s.do("put other", int(write.Fd())) // instead of the first
	s.do("put gone", int(read.Fd()))
	s.do("drop gone")
	s.do("drop never")
	want := identity(t, int(write.Fd()))
	for generation := 2; generation < 5; generation++ {
		s.kill(unix.SIGKILL)
		s = r.supervisor()
		words := s.do("hello")
		for _, part := range []string{
			"generation " + strconv.Itoa(generation) + " crashes 0 ", "pipe=" + want, "other=" + want,
			"door=", "console=", "ring=", "kick.data=", "kick.room=",
		} {
			if !strings.Contains(words, part) {
				t.Errorf("generation %d: no %q in %s", generation, part, words)
			}
		}
		if strings.Contains(words, "gone=") || strings.Contains(words, "never=") {
			t.Errorf("what was dropped is there: %s", words)
		}
		s.do("started")
	}
	// The very open file: what is written to it arrives.
	s.do("fd pipe")
	if _, err := unix.Write(s.fds[0].Int(), []byte("hi")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2)
	if _, err := read.Read(buf); err != nil || string(buf) != "hi" {
		t.Fatalf("%q %v", buf, err)
	}
}

// The last thing a supervisor does is to hand something over. It has read nothing of what it
// was sent, so that the socket is reset when it dies.
func TestPutInTheLastMessage(t *testing.T) {
	r := start(t)
	s := r.serving()
	s.do("run /bin/true") // its death is told, and not read in time or at all
	for i := range 20 {
		read, write := pipe(t)
		s.tell("put-and-die slot"+strconv.Itoa(i), int(read.Fd()))
		s.ended()
		s = r.supervisor()
		words := s.do("hello")
		if want := "slot" + strconv.Itoa(i) + "=" + identity(t, int(write.Fd())); !strings.Contains(words, want) {
			t.Fatalf("no %s in %s", want, words)
		}
		s.do("started")
	}
}

// A reset socket gives an error before it gives what was sent: the order of things that loses
// a message, made by hand.
func TestPutBeforeReset(t *testing.T) {
	k, theirs := local(t)
	k.deaths.add(Death{Pid: 1, Start: 1})
	k.link.phase = greeted
	k.flush() // is never read
	read, _ := pipe(t)
	check(t, sys.Send(theirs.Int(), []byte("pkept"), int(read.Fd())))
	theirs.Close()
	k.drain()
	if k.slots.fd("kept") < 0 {
		t.Fatal("the descriptor is lost")
	}
	if k.link.fd.Valid() {
		t.Fatal("the end was not seen")
	}
}

func TestReservedSlots(t *testing.T) {
	r := start(t)
	s := r.serving()
	read, _ := pipe(t)
	for _, name := range []string{SlotDoor, SlotConsole, SlotRing, SlotData, SlotRoom} {
		s.do("put "+name, int(read.Fd()))
		s.do("drop " + name)
	}
	s.kill(unix.SIGKILL)
	s = r.supervisor()
	if words := s.do("hello"); strings.Contains(words, identity(t, int(read.Fd()))) || !strings.Contains(words, "door=") {
		t.Errorf("a reserved slot was changed: %s", words)
	}
	r.awaitLog("is not understood")
}

// More descriptors than the keeper has room for: those beyond are dropped, and nothing else.
func TestTooManySlots(t *testing.T) {
	r := start(t)
	s := r.serving()
	read, _ := pipe(t)
	for i := range SlotsMax + 50 {
		s.do("put s"+strconv.Itoa(i), int(read.Fd()))
	}
	r.awaitLog("more than 900 descriptors")
	s.kill(unix.SIGKILL)
	s = r.supervisor()
	words := s.do("hello")
	if n := strings.Count(words, "="); n != SlotsMax {
		t.Errorf("%d slots are held", n)
	}
	for i := range SlotsMax {
		s.do("drop s" + strconv.Itoa(i))
	}
	s.do("put pipe", int(read.Fd()))
	s.kill(unix.SIGKILL)
	s = r.supervisor()
	if words := s.do("hello"); strings.Count(words, "=") != 6 {
		t.Errorf("after all were dropped: %s", words)
	}
}

// The keeper's own table is full: the message is lost, the connection is not.
func TestTableOfDescriptorsFull(t *testing.T) {
	r := start(t)
	s := r.serving()
	r.awaitLog("READY")
	read, _ := pipe(t)
	before := descriptors(t, r.cmd.Process.Pid)
	// What is allocated below this number is still to be had.
	var old unix.Rlimit
	check(t, unix.Prlimit(r.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &old))
	lim := unix.Rlimit{Cur: uint64(before + 3), Max: old.Max}
	check(t, unix.Prlimit(r.cmd.Process.Pid, unix.RLIMIT_NOFILE, &lim, nil))
	for i := range 20 {
		s.do("put s"+strconv.Itoa(i), int(read.Fd()))
	}
	r.awaitLog("more descriptors than can be held")
	check(t, unix.Prlimit(r.cmd.Process.Pid, unix.RLIMIT_NOFILE, &old, nil))
	s.do("put late", int(read.Fd()))
	s.kill(unix.SIGKILL)
	if words := r.supervisor().do("hello"); !strings.Contains(words, "late=") {
		t.Errorf("nothing is held after the shortage: %s", words)
	}
}

func TestNoDescriptorLeaks(t *testing.T) {
	r := start(t)
	s := r.serving()
	r.awaitLog("READY") // it holds the file of one that serves then
	read, _ := pipe(t)
	count := func() int { return descriptors(t, r.cmd.Process.Pid) }
	before := count()
	for range 5 {
		for _, m := range []string{"p", "pname", "u", "xname", "71", "00"} {
			s.do("raw "+strings.TrimSpace(hexOf(m))+" 3", int(read.Fd()), int(read.Fd()))
		}
		s.do("put s", int(read.Fd()))
		s.do("drop s")
		s.kill(unix.SIGKILL)
		s = r.serving()
	}
	testenv.Eventually(t, func() bool { return count() == before }, "the keeper's descriptors to be as before")
}

func hexOf(s string) string {
	const digits = "0123456789abcdef"
	var out []byte
	for i := range len(s) {
		out = append(out, digits[s[i]>>4], digits[s[i]&15])
	}
	return string(out)
}

func descriptors(t testing.TB, pid int) int {
	t.Helper()
	e, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	check(t, err)
	return len(e)
}
