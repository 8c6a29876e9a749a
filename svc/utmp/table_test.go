package utmp

import (
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

const exited3 = unix.WaitStatus(3 << 8)

// gone is the number of a process that there is not any more.
func gone(t *testing.T) int {
	t.Helper()
	h := start(t, roleLocker, "/nowhere")
	h.stop()
	return h.pid
}

// TestLife: a process makes its record, somebody logs in at it, it ends.
//
//shows:3.3/utmpx
func TestLife(t *testing.T) {
	f := files(t)
	h := start(t, roleBegin, dirOf(f), "co")
	if h.said != "made" {
		t.Fatal(h.said)
	}
	want := record{kind: InitProcess, pid: h.pid, id: "co00", user: ".startd"}
	list := read(t, f.Table)
	if age := time.Since(list[0].when); age < -time.Second || age > time.Minute {
		t.Errorf("it was made %v ago", age)
	}
	for _, path := range []string{f.Table, f.Log} {
		if got := plain(read(t, path)); !reflect.DeepEqual(got, []record{want}) {
			t.Errorf("%s: %+v", path, got)
		}
	}
	// Its end is told while it lives: somebody has its number.
	must(t, f.End(h.pid, exited3))
	must(t, f.Sweep([]string{"co", "c"}, nil))
	if got := plain(read(t, f.Table)); !reflect.DeepEqual(got, []record{want}) {
		t.Errorf("a process that lives: %+v", got)
	}
	b, err := os.ReadFile(f.Table)
	must(t, err)
	e := entry(b)
	e.setKind(UserProcess) // login(1)
	e.setUser("alice")
	e.setLine("console")
	must(t, os.WriteFile(f.Table, b, 0o644))
	h.stop()
	must(t, f.End(h.pid, exited3))
	want.kind, want.user, want.line, want.exit = DeadProcess, "alice", "console", 3
	for path, n := range map[string]int{f.Table: 1, f.Log: 2} {
		if got := plain(read(t, path)); len(got) != n || got[n-1] != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
	must(t, f.End(h.pid, exited3))
	must(t, f.Sweep([]string{"co"}, nil))
	if n := len(read(t, f.Log)); n != 2 {
		t.Errorf("it has ended %d times", n-1)
	}
}

func dirOf(f Files) string { return strings.TrimSuffix(f.Table, "/utmp") }

// TestRestarts: an instance that is started again and again keeps its place, also when nobody has seen it end.
func TestRestarts(t *testing.T) {
	f := files(t)
	add(t, f.Table, UserProcess, os.Getpid(), "s/1", "bob")
	for i := range 5 {
		h := start(t, roleBegin, dirOf(f), "ab")
		h.stop()
		if i%2 == 0 {
			must(t, f.End(h.pid, 0))
		}
	}
	list := plain(read(t, f.Table))
	if len(list) != 2 || list[0].user != "bob" || list[1].id != "ab00" {
		t.Errorf("%+v", list)
	}
	kinds := ""
	for _, r := range read(t, f.Log) {
		kinds += strconv.Itoa(int(r.kind)) + " "
	}
	if kinds != "5 8 5 8 5 8 5 8 5 8 " {
		t.Errorf("the log has %s", kinds)
	}
}

// TestIDs: of several with one prefix each has an id of its own, until there is none.
func TestIDs(t *testing.T) {
	f := files(t)
	me := os.Getpid()
	for i := range len(digits) {
		if i != 7 {
			add(t, f.Table, UserProcess, me, "tty"+digits[i:i+1], "x")
		}
	}
	add(t, f.Table, InitProcess, me, "full", "x")
	if h := start(t, roleBegin, dirOf(f), "tty"); h.said != "made" || h.pid != read(t, f.Table)[len(digits)].pid || read(t, f.Table)[len(digits)].id != "tty7" {
		t.Errorf("the last that is free: %s, %+v", h.said, read(t, f.Table)[len(digits)])
	}
	for _, prefix := range []string{"tty", "full"} {
		if h := start(t, roleBegin, dirOf(f), prefix); !strings.HasSuffix(h.said, "all ids with this prefix are in use") {
			t.Errorf("%s: %s", prefix, h.said)
		}
	}
	for _, prefix := range []string{"", "abcde"} {
		if err := f.Begin(prefix); !errors.Is(err, ErrNoID) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	if n := len(read(t, f.Table)); n != len(digits)+1 {
		t.Errorf("%d records", n)
	}
	if h := start(t, roleBegin, dirOf(f), "a"); h.said != "made" || read(t, f.Table)[len(digits)+1].id != "a000" {
		t.Error(h.said)
	}
}

// TestNumberOfAnother: what was left of a process whose number this one has is of the past.
func TestNumberOfAnother(t *testing.T) {
	f := files(t)
	add(t, f.Table, LoginProcess, os.Getpid(), "old", "LOGIN")
	must(t, f.Begin("me"))
	list := plain(read(t, f.Table))
	if len(list) != 2 || list[0].kind != DeadProcess || list[1].kind != InitProcess || list[1].pid != os.Getpid() {
		t.Errorf("%+v", list)
	}
}

// TestSweep: of what is gone only the records with our prefixes are ours to mark, and not those whose end is
// still told.
func TestSweep(t *testing.T) {
	f := files(t)
	dead, told, me := gone(t), gone(t), os.Getpid()
	add(t, f.Table, UserProcess, dead, "co1", "alice")
	add(t, f.Table, InitProcess, told, "co2", ".startd")
	add(t, f.Table, LoginProcess, me, "co3", "LOGIN")
	add(t, f.Table, UserProcess, dead, "s/0", "bob")
	add(t, f.Table, Empty, dead, "co4", "")
	add(t, f.Table, UserProcess, -1, "co5", "evil")
	add(t, f.Table, UserProcess, 0, "co6", "evil")
	must(t, f.Sweep([]string{"co", ""}, []int{told}))
	kinds := ""
	for _, r := range read(t, f.Table) {
		kinds += strconv.Itoa(int(r.kind)) + " "
	}
	if kinds != "8 5 6 7 0 8 8 " {
		t.Errorf("the table has %s", kinds)
	}
}

// TestTogether: many that begin at once, and ends between them, lose no record and share no id.
func TestTogether(t *testing.T) {
	f := files(t)
	var wg sync.WaitGroup
	n := testenv.Rounds(20, 5)
	helpers := make([]*helper, n)
	for i := range n {
		wg.Go(func() { helpers[i] = start(t, roleBegin, dirOf(f), "p") })
		wg.Go(func() { _ = f.Sweep([]string{"p"}, nil) })
	}
	wg.Wait()
	ids, pids := map[string]bool{}, map[int]bool{}
	for _, r := range read(t, f.Table) {
		ids[r.id], pids[r.pid] = true, true
		if r.kind != InitProcess {
			t.Errorf("%+v", r)
		}
	}
	for _, h := range helpers {
		if h.said != "made" || !pids[h.pid] {
			t.Errorf("%d has no record: %s", h.pid, h.said)
		}
	}
	if len(ids) != n || len(read(t, f.Log)) != n {
		t.Errorf("%d ids, %d records of the log, of %d", len(ids), len(read(t, f.Log)), n)
	}
}

// TestLocked: a lock of glibc's is waited for, but not for ever.
func TestLocked(t *testing.T) {
	f := files(t)
	h := start(t, roleLocker, f.Table)
	if h.said != "locked" {
		t.Fatal(h.said)
	}
	done := make(chan error, 1)
	go func() { done <- f.Begin("co") }()
	testenv.Eventually(t, func() bool { return blocked(f.Table) }, "the lock to be there")
	h.stop()
	if err := <-done; err != nil && !errors.Is(err, ErrLocked) { // a machine that is slow
		t.Error(err)
	}
	shorter(t)
	start(t, roleLocker, f.Table)
	was, err := os.ReadFile(f.Table)
	must(t, err)
	for name, do := range map[string]func() error{
		"begin": func() error { return f.Begin("x") }, "end": func() error { return f.End(1, 0) },
		"level": func() error { return f.Level('3') }, "booted": func() error { return f.Booted(Boot{}) },
	} {
		if err := do(); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), f.Table) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, _ := os.ReadFile(f.Table); string(now) != string(was) {
		t.Error("it was written all the same")
	}
}

// blocked says whether somebody has a lock on a file.
func blocked(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	l := unix.Flock_t{Type: unix.F_WRLCK}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l) == nil && l.Type != unix.F_UNLCK
}
