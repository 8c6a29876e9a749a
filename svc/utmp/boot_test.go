package utmp

import (
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// boot is one at a time of the test.
func boot(n byte) Boot {
	return Boot{at: time.Date(2024, 2, int(n), 11, 22, 33, 444000, time.Local), mark: [16]byte{n, 15: n}}
}

var boots, threes, downs = record{kind: BootTime, line: "~", id: "~~", user: "reboot"},
	record{kind: RunLevel, pid: '3' | 'N'<<8, line: "~", id: "~~", user: "runlevel"},
	record{kind: RunLevel, line: "~", id: "~~", user: "shutdown"}

// TestBoots: each boot, level and end is recorded once, however often it is told.
//
//shows:3.3/utmpx
func TestBoots(t *testing.T) {
	f := files(t)
	for range 2 { // svc.startd, and the one after it
		must(t, f.Booted(boot(1)))
		must(t, f.Level('3'))
	}
	two := threes
	two.pid = '2' | '3'<<8
	for _, path := range []string{f.Table, f.Log} {
		if got := plain(read(t, path)); !reflect.DeepEqual(got, []record{boots, threes}) {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := read(t, f.Table)[0].when; !got.Equal(boot(1).at) {
		t.Errorf("it booted at %v", got)
	}
	for range 2 {
		must(t, f.Level('2'))
	}
	must(t, f.Down())
	must(t, f.Booted(boot(1))) // a svc.startd that was killed on the way down
	must(t, f.Down())
	if got := plain(read(t, f.Table)); !reflect.DeepEqual(got, []record{boots, downs}) {
		t.Errorf("down: %+v", got)
	}
	// A table that outlives the boot is of nobody who lives.
	add(t, f.Table, UserProcess, 1, "s/0", "bob")
	must(t, f.Booted(boot(2)))
	if got := read(t, f.Table); len(got) != 1 || !got[0].when.Equal(boot(2).at) {
		t.Errorf("another boot: %+v", got)
	}
	if got := plain(read(t, f.Log)); !reflect.DeepEqual(got, []record{boots, threes, two, downs, boots}) {
		t.Errorf("the log: %+v", got)
	}
}

// TestKilledBetween: who is killed after utmp was written is not missed in wtmp, where there is one by then.
func TestKilledBetween(t *testing.T) {
	f := files(t)
	must(t, os.Remove(f.Log))
	must(t, f.Booted(boot(1)))
	must(t, os.WriteFile(f.Log, nil, 0o644)) // svc:/system/utmp
	must(t, f.Level('3'))
	if got := plain(read(t, f.Log)); !reflect.DeepEqual(got, []record{boots, threes}) {
		t.Errorf("%+v", got)
	}
	must(t, os.Truncate(f.Log, int64(Here().Size)))
	must(t, f.Level('3'))
	if got := plain(read(t, f.Log)); !reflect.DeepEqual(got, []record{boots, threes}) {
		t.Errorf("%+v", got)
	}
}

// tool runs a program on a file; without it there is nothing to compare with.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func has(name string) bool { _, err := exec.LookPath(name); return err == nil }

// TestReaders: coreutils and util-linux read what was written.
func TestReaders(t *testing.T) {
	f := files(t)
	must(t, f.Booted(boot(1)))
	h := start(t, roleBegin, dirOf(f), "co")
	h.stop()
	must(t, f.End(h.pid, unix.WaitStatus(9)))
	alive := start(t, roleBegin, dirOf(f), "tt")
	must(t, f.Level('3'))
	for _, want := range []struct{ program, args, has string }{
		{"who", "-b " + f.Table, "system boot"}, {"who", "-b " + f.Table, "Feb  1 11:22"},
		{"who", "-r " + f.Table, "run-level 3"}, {"who", "-d " + f.Table, "id=co00  term=9 exit=0"},
		{"who", "-p " + f.Table, "id=tt00"},
		{"last", "-x -F -f " + f.Log, "reboot   system boot"}, {"last", "-x -F -f " + f.Log, "runlevel (to lvl 3)"},
	} {
		if !has(want.program) {
			continue
		}
		if out := tool(t, want.program, strings.Fields(want.args)...); !strings.Contains(out, want.has) {
			t.Errorf("%s %s: no %q in:\n%s", want.program, want.args, want.has, out)
		}
	}
	must(t, f.Down())
	if has("last") {
		if out := tool(t, "last", "-x", "-F", "-f", f.Log); !strings.Contains(out, "shutdown system down") {
			t.Errorf("after the shutdown:\n%s", out)
		}
	}
	alive.stop()
}

// TestRecorder: it does what it is told, in order, tells each fault once, and waits for nobody.
func TestRecorder(t *testing.T) {
	shorter(t)
	wait := closeWait
	closeWait = testenv.Deadline(time.Minute) // what is read below is what Close has waited for
	t.Cleanup(func() { closeWait = wait })
	var mu sync.Mutex
	var said []string
	say := func(text string) { mu.Lock(); said = append(said, text); mu.Unlock() }
	f := files(t)
	r := Record(f, say)
	r.Booted()
	r.Level('2')
	r.Level('3')
	r.Down()
	r.Close()
	r.Level('2') // nobody minds
	r.Close()
	list := plain(read(t, f.Log))
	if len(list) != 4 || list[0] != boots || list[3] != downs || len(said) != 0 {
		t.Errorf("%+v %q", list, said)
	}
	if b, err := ThisBoot(); err != nil || b.at.After(time.Now()) || b.mark == [16]byte{} {
		t.Errorf("%v, %v", b, err)
	}
	locked := start(t, roleLocker, f.Table)
	r = Record(f, say)
	began := time.Now()
	for range queueMax + 100 {
		r.Ended(1, 0)
	}
	if took := time.Since(began); took > testenv.Deadline(12*time.Second) {
		t.Errorf("who records waited for %v", took)
	}
	testenv.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(said) > 0 }, "the lock to be told of")
	locked.stop()
	testenv.Eventually(t, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.orders) == 0 }, "the orders to be done")
	r.Close()
	mu.Lock()
	defer mu.Unlock()
	if len(said) != 2 || !strings.Contains(said[0]+said[1], "somebody else has it locked") || !strings.Contains(said[0]+said[1], " records were not made") {
		t.Errorf("%q", said)
	}
}
