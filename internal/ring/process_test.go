package ring

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// patience is how long a writer waits for a reader, and a reader for a writer's word: neither is
// judged for what it does while it has no processor.
const patience = time.Minute

// Descriptors of the writer process.
const (
	fdRing = 3 + iota
	fdData
	fdRoom
)

// writerMain is the keeper's half: it writes the pattern, as many bytes as argument 1 says, in
// pieces of all sizes, and waits when the ring is full.
func writerMain() int {
	w, err := OpenWriter(fdRing)
	if err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		return 1
	}
	w.SetStallLimit(int64(patience))
	total, _ := strconv.ParseUint(os.Args[1], 10, 64)
	piece := uint64(1)
	for w.Head() < total {
		now := sys.Monotonic()
		room, until := w.Space(now)
		if room == 0 {
			fds := []unix.PollFd{{Fd: fdRoom, Events: unix.POLLIN}}
			if n, _ := unix.Poll(fds, int((until-now)/1e6)+1); n > 0 {
				Clear(fdRoom)
			}
			continue
		}
		p := w.Slice()
		piece = piece*7%9973 + 1
		p = p[:min(uint64(len(p)), piece, total-w.Head())]
		fill(p, w.Head())
		if w.Advance(len(p)) {
			Kick(fdData)
		}
	}
	return 0
}

func startWriter(t *testing.T, w *Writer, data, room *sys.FD, total uint64) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, strconv.FormatUint(total, 10))
	cmd.Env = append(os.Environ(), role+"=writer")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, fd := range []int{w.FD(), data.Int(), room.Int()} {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(n), "inherited")
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func events(t *testing.T) (data, room *sys.FD) {
	t.Helper()
	data, err := NewEvent()
	if err != nil {
		t.Fatal(err)
	}
	room, err = NewEvent()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close(); room.Close() })
	return data, room
}

// Two processes, a reader that holds: every byte arrives, and nobody sleeps through a kick. A
// lost wake-up would end the test by the limit of the poll.
func TestTwoProcesses(t *testing.T) {
	w, r := pair(t)
	data, room := events(t)
	total := uint64(256 << 20)
	if testing.Short() {
		total = 32 << 20
	}
	r.SetCursor(0)
	start := time.Now()
	cmd := startWriter(t, w, data, room, total)
	var pos uint64
	buf, want := make([]byte, 50_000), make([]byte, 50_000)
	sleeps := 0
	for pos < total {
		n, lost, err := r.ReadAt(pos, buf)
		if err != nil || lost != 0 {
			t.Fatalf("at %d: %d lost, %v", pos, lost, err)
		}
		if n == 0 {
			if !r.Sleep(pos) {
				continue
			}
			sleeps++
			fds := []unix.PollFd{{Fd: int32(data.Int()), Events: unix.POLLIN}}
			if n, err := unix.Poll(fds, int(patience.Milliseconds())); n == 0 && err == nil {
				t.Fatalf("no kick for %v at %d of %d, head %d", patience, pos, total, r.Head())
			}
			Clear(data.Int())
			continue
		}
		fill(want[:n], pos)
		if !bytes.Equal(buf[:n], want[:n]) {
			t.Fatalf("wrong bytes at %d", pos)
		}
		pos += uint64(n)
		if r.SetCursor(pos) {
			Kick(room.Int())
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	s := r.Stats()
	t.Logf("%.0f MiB/s, reader slept %d times, writer %d, longest %v",
		float64(total)/time.Since(start).Seconds()/(1<<20), sleeps, s.Stalls, time.Duration(s.LongestStall))
	if s.Lost != 0 {
		t.Fatalf("%+v", s)
	}
}

// A reader without hold is overtaken all the time: what it gets is right nevertheless, and what
// it is told to have missed adds up.
func TestTornReads(t *testing.T) {
	w, r := pair(t)
	data, room := events(t)
	total := uint64(512 << 20)
	if testing.Short() {
		total = 64 << 20
	}
	cmd := startWriter(t, w, data, room, total)
	var pos, got, missed uint64
	buf, want := make([]byte, Size), make([]byte, Size) // long copies are torn most
	torn := 0
	for pos < total {
		n, lost, err := r.ReadAt(pos, buf)
		if err != nil {
			t.Fatal(err)
		}
		if lost > 0 {
			torn++
		}
		pos, missed = pos+lost, missed+lost
		fill(want[:n], pos)
		if !bytes.Equal(buf[:n], want[:n]) {
			t.Fatalf("wrong bytes at %d", pos)
		}
		pos, got = pos+uint64(n), got+uint64(n)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes right, %d missed, overtaken %d times", got, missed, torn)
	if got+missed != total {
		t.Fatalf("%d got and %d missed of %d", got, missed, total)
	}
	if torn == 0 {
		t.Error("the reader was never overtaken: this tested nothing")
	}
}

// The reader takes hold and lets go while the writer runs: what it holds stays.
func TestHoldWhileWriting(t *testing.T) {
	w, r := pair(t)
	data, room := events(t)
	total := uint64(128 << 20)
	if testing.Short() {
		total = 16 << 20
	}
	cmd := startWriter(t, w, data, room, 1<<62) // it ends when the reader has had its turns
	buf, want := make([]byte, 3000), make([]byte, 3000)
	holds, late := 0, 0
	for r.Head() < total || holds == 0 {
		pos := r.Head() // as for a new client: from now on
		if r.SetCursor(pos) {
			Kick(room.Int())
		}
		if oldest, _, err := r.Range(); err != nil {
			t.Fatal(err)
		} else if oldest > pos {
			late++ // the writer went once round between the two calls
			continue
		}
		for range 20 {
			n, lost, err := r.ReadAt(pos, buf)
			if err != nil || lost != 0 {
				t.Fatalf("held bytes at %d: %d lost, %v", pos, lost, err)
			}
			fill(want[:n], pos)
			if !bytes.Equal(buf[:n], want[:n]) {
				t.Fatalf("wrong bytes at %d", pos)
			}
			pos += uint64(n)
		}
		if r.SetCursor(NoHold) {
			Kick(room.Int())
		}
		holds++
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	t.Logf("held %d times, too late %d times", holds, late)
}
