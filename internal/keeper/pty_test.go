package keeper

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// pattern is what a writer writes at a position: any gap, shift or repetition shows.
func pattern(p []byte, pos uint64) {
	for i := range p {
		x := (pos + uint64(i)) / 8 * 0x9e3779b97f4a7c15
		p[i] = byte(x >> (8 * ((pos + uint64(i)) % 8)))
	}
}

// writerMain plays the zone: it writes the pattern to descriptor 3, as many bytes as argument 1
// says or until it is sent SIGTERM, and prints its longest write in microseconds and how much it
// wrote.
func writerMain() int {
	limit, _ := strconv.ParseUint(os.Args[1], 10, 64)
	enough := make(chan os.Signal, 1)
	signal.Notify(enough, syscall.SIGTERM)
	tty := os.NewFile(3, "tty")
	buf := make([]byte, 4<<10)
	longest, pos := time.Duration(0), uint64(0)
	for pos < limit && len(enough) == 0 {
		p := buf[:min(uint64(len(buf)), limit-pos)]
		pattern(p, pos)
		began := time.Now()
		n, err := tty.Write(p)
		if err != nil {
			fmt.Println("writer:", err)
			return 1
		}
		longest = max(longest, time.Since(began))
		pos += uint64(n)
	}
	fmt.Println(longest.Microseconds(), pos)
	return 0
}

// revokerMain makes descriptor 3 its controlling terminal and hangs it up for everybody.
func revokerMain() int {
	if _, err := unix.Setsid(); err != nil {
		return 1
	}
	if err := unix.IoctlSetInt(3, unix.TIOCSCTTY, 1); err != nil {
		return 2
	}
	signalIgnoreHangup()
	if _, _, errno := unix.Syscall(unix.SYS_VHANGUP, 0, 0, 0); errno != 0 {
		return 3
	}
	return 0
}

// console is a terminal whose master a keeper has.
func console(t testing.TB, s *supervisor) (master, slave *os.File) {
	t.Helper()
	master, slave, err := pty.Open()
	check(t, err)
	t.Cleanup(func() { master.Close(); slave.Close() })
	_, err = term.MakeRaw(int(slave.Fd()))
	check(t, err)
	s.do("put "+SlotPty, int(master.Fd()))
	return master, slave
}

// write starts a writer of n bytes; done gives its longest write.
func write(t testing.TB, slave *os.File, n uint64) (done func() time.Duration) {
	t.Helper()
	_, end := writer(t, slave, n)
	return func() time.Duration { longest, _ := end(); return longest }
}

// endless is as many bytes as are never written.
const endless = 1 << 62

// writer starts a writer; stop has it end before it wrote n bytes; done gives its longest write, and
// how much it wrote.
func writer(t testing.TB, slave *os.File, n uint64) (stop func(), done func() (time.Duration, uint64)) {
	t.Helper()
	exe, err := os.Executable()
	check(t, err)
	cmd := exec.Command(exe, strconv.FormatUint(n, 10))
	cmd.Env = append(os.Environ(), roleVariable+"=writer")
	cmd.ExtraFiles = []*os.File{slave}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	check(t, cmd.Start())
	var longest time.Duration
	var wrote uint64
	ended := false
	done = func() (time.Duration, uint64) {
		t.Helper()
		if ended {
			return longest, wrote
		}
		ended = true
		timer := time.AfterFunc(testenv.Deadline(5*time.Minute), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		var us int64
		_, perr := fmt.Sscan(out.String(), &us, &wrote)
		if err != nil || perr != nil {
			t.Fatalf("the writer: %v %q", err, out.String())
		}
		longest = time.Duration(us) * time.Microsecond
		return longest, wrote
	}
	stop = func() { check(t, cmd.Process.Signal(syscall.SIGTERM)) }
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return stop, done
}

// reader opens the ring that a supervisor was handed.
func reader(t testing.TB, s *supervisor) *ring.Reader {
	t.Helper()
	s.do("fd " + SlotRing)
	r, err := ring.OpenReader(s.fds[0].Int())
	check(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// follow has a supervisor read and compare the ring from the cursor on, as its console does.
func (p *player) follow() error {
	r, err := ring.OpenReader(p.held.Slots[SlotRing].Int())
	if err != nil {
		return err
	}
	room, data := p.held.Slots[SlotRoom].Int(), p.held.Slots[SlotData].Int()
	pos := r.Cursor()
	if pos == ring.NoHold {
		pos = 0
		r.SetCursor(0)
	}
	go func() {
		buf, want := make([]byte, 64<<10), make([]byte, 64<<10)
		for {
			n, lost, err := r.ReadAt(pos, buf)
			pattern(want[:n], pos)
			if err != nil || lost != 0 || !bytes.Equal(buf[:n], want[:n]) {
				fmt.Printf("MISMATCH at %d: %d bytes, %d lost, %v\n", pos, n, lost, err)
				os.Exit(77)
			}
			pos += uint64(n)
			if r.SetCursor(pos) {
				ring.Kick(room)
			}
			if n == 0 && r.Sleep(pos) {
				_, _ = unix.Poll([]unix.PollFd{{Fd: int32(data), Events: unix.POLLIN}}, -1)
				ring.Clear(data)
			}
		}
	}()
	return nil
}

// A zone saturates its console while its supervisors are killed fifty times: each byte is
// compared by whichever supervisor comes to read it.
func TestConsoleSurvivesSupervisors(t *testing.T) {
	const kills = 50
	r := start(t, heldVariable+"=1")
	s := r.serving()
	s.do("follow")
	_, slave := console(t, s)
	look := reader(t, s)
	stop, done := writer(t, slave, endless) // it must not end before the killing does
	testenv.Eventually(t, func() bool { return look.Head() > 0 }, "the writer to begin")
	var away, longestAway time.Duration
	for range kills {
		time.Sleep(time.Duration(1+rand.Intn(20)) * time.Millisecond)
		began := time.Now()
		s.kill(unix.SIGKILL)
		s = r.serving()
		s.do("follow")
		away = time.Since(began)
		longestAway = max(longestAway, away)
	}
	stop()
	longest, size := done()
	testenv.Eventually(t, func() bool { return look.Cursor() == size }, "the last supervisor to read to the end")
	st := look.Stats()
	if strings.Contains(r.log(), "MISMATCH") || st.Lost != 0 || st.Written != size {
		t.Errorf("%+v\n%s", st, r.log())
	}
	if st.LongestStall > int64(rigHold) {
		t.Errorf("the keeper left the console unread for %v", time.Duration(st.LongestStall))
	}
	t.Logf("%d MB, %d kills: longest write %v, %d stalls, longest %v; longest absence %v",
		size>>20, kills, longest, st.Stalls, time.Duration(st.LongestStall), longestAway)
}

// A supervisor that hangs holds the zone's writers up for StallLimit, once.
func TestConsoleOfAStoppedSupervisor(t *testing.T) {
	r := start(t)
	s := r.serving()
	s.do("follow")
	_, slave := console(t, s)
	look := reader(t, s)
	testenv.Eventually(t, func() bool { return look.Cursor() == 0 }, "the reader to take hold")
	s.kill(unix.SIGSTOP)
	const size = 8 << 20
	longest := write(t, slave, size)()
	testenv.Eventually(t, func() bool { return look.Stats().Written == size }, "all output to be in the ring")
	st := look.Stats()
	if st.Lost == 0 || st.Stalls != 1 || st.LongestStall < ring.StallLimit || longest < time.Duration(ring.StallLimit)/2 {
		t.Errorf("%+v, longest write %v", st, longest)
	}
	if most := testenv.Deadline(time.Duration(ring.StallLimit) + 30*time.Second); longest > most {
		t.Errorf("a write took %v", longest)
	}
	t.Logf("longest write %v", longest)
	s.kill(unix.SIGKILL)
}

// One that has said hello and reads nothing of a long answer keeps nobody waiting: the console
// is read, the dead are reaped, and killing it brings another.
func TestSupervisorThatDoesNotRead(t *testing.T) {
	r := start(t)
	s := r.serving()
	read, _ := pipe(t)
	for i := range SlotsMax - 10 {
		s.do("put s"+strconv.Itoa(i), int(read.Fd()))
	}
	_, slave := console(t, s)
	look := reader(t, s)
	for _, silence := range []string{"raw 6801", "raw 6801 1000", "raw 61 100000"} { // hello, hellos, appends
		s.kill(unix.SIGKILL)
		s = r.supervisor()
		s.do("limit 0")
		s.tell(silence)
		before := look.Stats()
		longest := write(t, slave, 64<<20)()
		testenv.Eventually(t, func() bool { return look.Stats().Written-before.Written >= 64<<20 }, "all output to be in the ring")
		if after := look.Stats(); after.Stalls != before.Stalls || longest > testenv.Deadline(30*time.Second) {
			t.Errorf("%s: the console was left unread %d times, a write took %v", silence, after.Stalls-before.Stalls, longest)
		}
	}
	s.kill(unix.SIGKILL)
	s = r.supervisor()
	if words := s.do("hello"); strings.Count(words, "=") != SlotsMax-4 {
		t.Errorf("%d slots are left: %s", strings.Count(words, "="), words)
	}
}

// The terminal's last output is in the ring when the terminal is gone, even when the ring was
// full at that moment.
func TestLastOutputOfATerminal(t *testing.T) {
	r := start(t, heldVariable+"=1")
	s := r.serving()
	master, slave := console(t, s)
	look := reader(t, s)
	s.do("fd " + SlotRoom)
	room := s.fds[0].Int()
	look.SetCursor(0)
	const size = ring.Size + 2000
	done := write(t, slave, size)
	testenv.Eventually(t, func() bool { return look.WriterWaits() }, "the ring to be full")
	done()
	check(t, slave.Close())
	check(t, master.Close())
	s.do("drop " + SlotPty)
	buf, want := make([]byte, 64<<10), make([]byte, 64<<10)
	for pos := uint64(0); pos < size; {
		n, lost, err := look.ReadAt(pos, buf)
		pattern(want[:n], pos)
		if err != nil || lost != 0 || !bytes.Equal(buf[:n], want[:n]) {
			t.Fatalf("at %d: %d bytes, %d lost, %v", pos, n, lost, err)
		}
		pos += uint64(n)
		if look.SetCursor(pos) {
			ring.Kick(room)
		}
		if n == 0 && time.Duration(look.Stats().LongestStall) >= rigHold {
			t.Fatal("the rest does not come")
		}
	}
	testenv.Eventually(t, func() bool { return !hasMaster(r.cmd.Process.Pid) }, "the keeper to let go of the terminal")
}

// Terminals come and go, with and without slaves open, and none stays.
func TestTerminalsComeAndGo(t *testing.T) {
	r := start(t)
	s := r.serving()
	look := reader(t, s)
	for i := range 20 {
		master, slave := console(t, s)
		text := fmt.Sprintf("life %d\n", i)
		_, err := slave.WriteString(text)
		check(t, err)
		if i%2 == 0 {
			check(t, slave.Close())
		}
		if i%3 == 0 {
			s.do("drop " + SlotPty)
		}
		check(t, master.Close())
	}
	s.do("drop " + SlotPty)
	testenv.Eventually(t, func() bool {
		buf := make([]byte, 4096)
		n, _, err := look.ReadAt(0, buf)
		return err == nil && strings.Count(string(buf[:n]), "life") == 20
	}, "what each of them said")
	testenv.Eventually(t, func() bool { return !hasMaster(r.cmd.Process.Pid) }, "no terminal to be left")
}

// A zone without any process on its console is not a hang-up, and neither is a real one.
func TestHangups(t *testing.T) {
	testenv.NeedRoot(t)
	r := start(t)
	s := r.serving()
	master, slave := console(t, s)
	look := reader(t, s)
	name := slave.Name()
	check(t, slave.Close())
	total := uint64(0)
	for i := range 6 {
		f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
		check(t, err)
		if i%2 == 1 {
			exe, err := os.Executable()
			check(t, err)
			cmd := exec.Command(exe)
			cmd.Env, cmd.ExtraFiles = append(os.Environ(), roleVariable+"=revoker"), []*os.File{f}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			f.Close()
			f, err = os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
			check(t, err)
		}
		n, err := f.WriteString("still there\n")
		check(t, err)
		total += uint64(n)
		f.Close()
		testenv.Eventually(t, func() bool { return look.Head() >= total }, "output after hang-up "+strconv.Itoa(i))
	}
	// It does not spin either.
	before := cpuTicks(t, r.cmd.Process.Pid)
	time.Sleep(500 * time.Millisecond)
	if used := cpuTicks(t, r.cmd.Process.Pid) - before; used > 10 {
		t.Errorf("%d ticks of idling", used)
	}
	master.Close()
}

// What is no terminal is held like anything else, and not read.
func TestPtySlotOfOtherThings(t *testing.T) {
	r := start(t)
	s := r.serving()
	read, write := pipe(t)
	file, err := os.Create(r.dir + "/file")
	check(t, err)
	defer file.Close()
	zero, err := os.Open("/dev/zero")
	check(t, err)
	defer zero.Close()
	for _, f := range []*os.File{read, write, file, zero} {
		s.do("put "+SlotPty, int(f.Fd()))
		s.kill(unix.SIGKILL)
		s = r.serving()
		s.do("fd " + SlotPty)
		if identity(t, s.fds[0].Int()) != identity(t, int(f.Fd())) {
			t.Errorf("%s is not held", f.Name())
		}
	}
	r.awaitLog("is no terminal's master")
	r.alive()
}

func TestAppend(t *testing.T) {
	r := start(t)
	s := r.serving()
	look := reader(t, s)
	for range 100 {
		s.do("append notice")
	}
	s.tell("append " + strings.Repeat("x", ring.AppendMax+1))
	buf := make([]byte, 256)
	if n, err := s.conn.Read(buf); err != nil || !strings.Contains(string(buf[:n]), "too long") {
		t.Errorf("a text that is too long: %q %v", buf[:n], err)
	}
	if head := look.Head(); head != 600 {
		t.Errorf("%d bytes are in the ring", head)
	}
	// Whoever sends one by hand gets an answer, and the ring nothing.
	s.do("raw zero:8192")
	r.awaitLog("is not understood")
	s.do("append notice")
	if head := look.Head(); head != 606 {
		t.Errorf("%d bytes are in the ring", head)
	}
}

// A keeper that does not answer is not a dead one.
func TestAppendToAStoppedKeeper(t *testing.T) {
	r := start(t)
	s := r.serving()
	r.stop()
	s.tell("append notice")
	buf := make([]byte, 256)
	n, err := s.conn.Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), ErrSlow.Error()) {
		t.Errorf("%q %v", buf[:n], err)
	}
	check(t, r.cmd.Process.Signal(unix.SIGCONT))
	s.do("append notice")
}

func hasMaster(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd/"
	e, _ := os.ReadDir(dir)
	for _, f := range e {
		to, _ := os.Readlink(dir + f.Name())
		if strings.HasPrefix(to, "/dev/ptmx") || strings.HasPrefix(to, "/dev/pts/") {
			return true
		}
	}
	return false
}

// cpuTicks is the processor time of a process, in hundredths of a second.
func cpuTicks(t testing.TB, pid int) int {
	t.Helper()
	b, err := sys.ReadFile("/proc/"+strconv.Itoa(pid)+"/stat", 4096)
	check(t, err)
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return user + system
}
