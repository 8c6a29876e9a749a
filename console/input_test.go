package console

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/linuxzones/zones/console/wire"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// terminal is a pty in raw mode; the server gets its master.
func (l *local) terminal() (slave *os.File, give *sys.FD) {
	l.t.Helper()
	master, slave, err := pty.Open()
	must(l.t, err)
	defer master.Close()
	_, err = term.MakeRaw(int(slave.Fd()))
	must(l.t, err)
	give, err = sys.Own(int(master.Fd())).Dup()
	must(l.t, err)
	l.t.Cleanup(func() { slave.Close() })
	return slave, give
}

func TestInput(t *testing.T) {
	l := newLocal(t)
	slave, master := l.terminal()
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	_, err := send(fd.Int(), []byte("too early")) // the zone is not ready: discarded
	must(t, err)
	waitFor(t, "it to be read", func() bool {
		n, err := unix.IoctlGetInt(fd.Int(), unix.SIOCOUTQ)
		return err == nil && n == 0
	})
	l.inLoop(func(*loop) {}) // and the turn in which it was is over
	must(t, l.srv.SetInput(master))
	_, err = send(fd.Int(), []byte("ls\r"))
	must(t, err)
	expect(t, int(slave.Fd()), "ls\r")
	must(t, l.srv.SetInput(nil)) // halted
	_, err = send(fd.Int(), []byte("too late"))
	must(t, err)
	l.put("still here")
	expect(t, fd.Int(), "still here")
}

// What came in one piece with the identification is input.
func TestInputBehindTheLine(t *testing.T) {
	l := newLocal(t)
	slave, master := l.terminal()
	must(t, l.srv.SetInput(master))
	fd, line := dialLine(t, l.dir, ident(wire.Original).Line()+"date\r")
	defer fd.Close()
	if line != "OK\n" {
		t.Fatalf("answer %q", line)
	}
	expect(t, int(slave.Fd()), "date\r")
}

// A client that writes and goes has written: echo reboot | zlogin -C.
func TestInputOfAClientThatLeft(t *testing.T) {
	l := newLocal(t)
	slave, master := l.terminal()
	must(t, l.srv.SetInput(master))
	fd, _ := l.attach(ident(wire.Live))
	text := bytes.Repeat([]byte("0123456789abcdef"), 8<<10) // 128 KiB: more than the terminal holds
	for rest := text; len(rest) > 0; {
		n, err := send(fd.Int(), rest)
		rest = rest[n:]
		if err != nil && err != unix.EAGAIN {
			t.Fatal(err)
		}
	}
	fd.Close()
	waitFor(t, "idle", func() bool { return l.srv.Attached() == 0 })
	expect(t, int(slave.Fd()), string(text))
}

// A terminal that takes no input stalls neither output nor other clients, and nothing of the
// input is dropped.
func TestFullTerminal(t *testing.T) {
	l := newLocal(t)
	slave, master := l.terminal()
	must(t, l.srv.SetInput(master))
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	must(t, unix.SetNonblock(fd.Int(), true))
	sent := 0
	chunk := make([]byte, 4096)
	for quiet := time.Now(); time.Since(quiet) < 300*time.Millisecond; { // until nothing takes any more
		fillPattern(chunk, uint64(sent))
		n, err := send(fd.Int(), chunk)
		if sent += n; err == nil {
			quiet = time.Now()
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	l.put("output goes on")
	expect(t, fd.Int(), "output goes on") // nobody reads the input before that has come
	other, a := l.attach(ident(wire.Live))
	other.Close()
	if a.HolderPid == 0 {
		t.Error("another client was let in")
	}
	want := make([]byte, sent)
	fillPattern(want, 0)
	expect(t, int(slave.Fd()), string(want))
	t.Logf("%d bytes of input waited", sent)
}

// A terminal whose other side is gone is no reason to spin or to fail.
func TestHungUpTerminal(t *testing.T) {
	l := newLocal(t)
	slave, master := l.terminal()
	must(t, l.srv.SetInput(master))
	fd, _ := l.attach(ident(wire.Live))
	defer fd.Close()
	must(t, slave.Close())
	for range 10 {
		_, err := send(fd.Int(), []byte("into the void\r"))
		must(t, err)
	}
	var before, after unix.Rusage
	must(t, unix.Getrusage(unix.RUSAGE_SELF, &before))
	time.Sleep(300 * time.Millisecond)
	must(t, unix.Getrusage(unix.RUSAGE_SELF, &after))
	if used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()); used > 100*time.Millisecond {
		t.Errorf("%v of CPU used for nothing", used)
	}
	l.put("output")
	expect(t, fd.Int(), "output")
}

// A writer that sends without end keeps nobody when it leaves: what its socket had held then is
// taken, and no more.
func TestEndlessInputOfWhoLeaves(t *testing.T) {
	limit(t, &leaveTime, time.Second)
	l := newLocal(t)
	id := ident(wire.Live)
	id.DropWithZone = true
	fd, _ := l.attach(id)
	watcher := l.view(framed(wire.Live, wire.Reader))
	chunk := bytes.Repeat([]byte("y\n"), 2<<10)
	var sent atomic.Int64
	var group sync.WaitGroup
	for range 4 { // faster than any one can read
		group.Go(func() {
			for {
				n, err := unix.SendmsgN(fd.Int(), chunk, nil, nil, unix.MSG_NOSIGNAL)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		})
	}
	took := make(chan int64)
	must(t, l.srv.ask(func(l *loop) {
		before := sent.Load()
		l.takeLastInput(l.holder)
		took <- sent.Load() - before
	}))
	// What is sent meanwhile fills the place of what is taken.
	if n := <-took; n > 2*inputMax {
		t.Errorf("%d bytes were sent while the last were taken", n)
	}
	told := make(chan error, 1)
	go func() { told <- l.srv.Notice(wire.Halted, "") }()
	select {
	case err := <-told: // it never closes its side: it is cut off
		if !errors.Is(err, ErrNotTold) {
			t.Error(err)
		}
	case <-time.After(testenv.Deadline(forever)):
		t.Error("the notice does not come to its end")
	}
	watcher.sees(wire.Halted.Text("", true))
	must(t, unix.Shutdown(fd.Int(), unix.SHUT_RDWR))
	group.Wait()
	fd.Close()
}
