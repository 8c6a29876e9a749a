package orphans_test

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/orphans"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func list(t testing.TB) (*orphans.List, *orphans.View, int) {
	t.Helper()
	l, fd, err := orphans.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	v, err := orphans.Open(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return l, v, fd
}

func exited(code int) unix.WaitStatus { return unix.WaitStatus(code << 8) }

// TestFind: of a number that several processes had, the one that was there at a time.
func TestFind(t *testing.T) {
	l, v, _ := list(t)
	if _, ok := v.Find(7, 0); ok {
		t.Error("found in an empty list")
	}
	l.Put(7, exited(1), 100)
	l.Put(8, exited(2), 150)
	l.Put(7, exited(3), 200)
	l.Put(7, unix.WaitStatus(unix.SIGKILL), 300)
	for _, c := range []struct {
		pid   int
		since uint64
		want  unix.WaitStatus
		ok    bool
	}{
		{7, 50, exited(1), true}, {7, 100, exited(1), true}, {7, 101, exited(3), true}, {7, 250, 9, true},
		{7, 301, 0, false}, {8, 0, exited(2), true}, {9, 0, 0, false}, {-7, 0, 0, false},
	} {
		if got, ok := v.Find(c.pid, c.since); got != c.want || ok != c.ok {
			t.Errorf("%d since %d: %#x %t, want %#x %t", c.pid, c.since, got, ok, c.want, c.ok)
		}
	}
}

// TestOverwritten: the last Records deaths are found, older ones are not.
func TestOverwritten(t *testing.T) {
	l, v, _ := list(t)
	const all = orphans.Records*2 + 17
	for i := 1; i <= all; i++ {
		l.Put(i, exited(i%256), uint64(i))
	}
	for i := 1; i <= all; i++ {
		got, ok := v.Find(i, 0)
		if want := i > all-orphans.Records; ok != want || ok && got != exited(i%256) {
			t.Fatalf("%d: %#x %t", i, got, ok)
		}
	}
}

// TestWrittenMeanwhile: what a reader is given was written whole, however fast init reaps.
func TestWrittenMeanwhile(t *testing.T) {
	l, v, _ := list(t)
	const numbers = 30000
	var last atomic.Int64
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			l.Put(i%numbers, exited(i%numbers%256), uint64(i))
			last.Store(int64(i))
		}
	})
	found, missed := 0, 0
	testenv.Eventually(t, func() bool {
		for range 1000 {
			// The oldest that may be there are overwritten while they are looked for.
			i := int(last.Load()) - orphans.Records + 8
			if i < 1 {
				continue
			}
			got, ok := v.Find(i%numbers, uint64(i))
			if !ok {
				missed++
				continue
			}
			found++
			if got != exited(i%numbers%256) {
				t.Fatalf("%d: %#x", i, got)
			}
		}
		return found >= 2000
	}, "deaths to be found while others come")
	close(stop)
	group.Wait()
	t.Logf("%d found, %d overwritten before", found, missed)
}

// TestReadersCannotWrite: who is given the descriptor changes nothing, by any way.
func TestReadersCannotWrite(t *testing.T) {
	_, _, fd := list(t)
	if _, err := unix.Pwrite(fd, []byte{1}, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("pwrite: %v", err)
	}
	if err := unix.Ftruncate(fd, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("ftruncate: %v", err)
	}
	if b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); !errors.Is(err, unix.EPERM) {
		t.Errorf("mmap: %v", err)
		if err == nil {
			unix.Munmap(b)
		}
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE); !errors.Is(err, unix.EPERM) {
		t.Errorf("fcntl: %v", err)
	}
}

// TestOthers: what is not such a file is refused.
func TestOthers(t *testing.T) {
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	plain, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(plain)
	sealed, err := unix.MemfdCreate("y", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(sealed)
	_, _, good := list(t)
	var st unix.Stat_t
	if err := unix.Fstat(good, &st); err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(sealed, st.Size); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(sealed), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		t.Fatal(err)
	}
	for what, fd := range map[string]int{"/dev/null": int(null.Fd()), "an unsealed file": plain, "another's file of the size": sealed} {
		if v, err := orphans.Open(fd); !errors.Is(err, orphans.ErrNone) {
			t.Errorf("%s: %v", what, err)
			if err == nil {
				v.Close()
			}
		}
	}
	if _, err := orphans.Open(-1); err == nil {
		t.Error("no descriptor was opened")
	}
}

func TestNilList(t *testing.T) {
	var l *orphans.List
	l.Put(1, 0, 1)
	if orphans.Now() == 0 {
		t.Error("no time")
	}
}
