package keeper

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/build"
	"github.com/linuxzones/zones/internal/ring"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// program puts a file in the place of path at once, as an installation does: this program, or
// a text.
func program(t testing.TB, path, text string) {
	t.Helper()
	b := []byte(text)
	if text == "" {
		var err error
		b, err = os.ReadFile("/proc/self/exe")
		check(t, err)
	}
	check(t, os.WriteFile(path+".new", b, 0o755))
	check(t, os.Rename(path+".new", path))
}

// runs says whether a process runs the file that is at path now.
func runs(t testing.TB, pid int, path string) bool {
	t.Helper()
	return idOf("/proc/"+strconv.Itoa(pid)+"/exe") == idOf(path)
}

// holds waits until the keeper has opened the program of a supervisor that serves: it has no answer for
// who says that he does.
func (r *rig) holds(path string) {
	r.t.Helper()
	fds := "/proc/" + strconv.Itoa(r.cmd.Process.Pid) + "/fd/"
	testenv.Eventually(r.t, func() bool {
		entries, err := os.ReadDir(fds)
		return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool {
			to, _ := os.Readlink(fds + e.Name())
			return to == path
		})
	}, "the keeper to hold "+path)
}

// TestGoesBack: a new supervisor that does not come to serve, whatever its way to fail is, is
// followed by the one before, at once; a third one gets its turn.
func TestGoesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prog")
	program(t, path, "")
	r := start(t, programVariable+"="+path, calmVariable+"=1") // 10 seconds would be told
	s := r.serving()
	r.holds(path)
	for _, bad := range []string{"#!/bin/sh\nexit 3\n", "#!/bin/sh\nkill -9 $$\n", "no program at all", ""} {
		if bad == "" {
			check(t, os.Remove(path))
		} else {
			program(t, path, bad)
		}
		for range 3 {
			s.kill(unix.SIGKILL)
			s = r.serving()
			if runs(t, s.pid, path) {
				t.Errorf("%q: it runs the new one", bad)
			}
		}
		if strings.Contains(r.log(), "waiting until") {
			t.Errorf("%q: it was waited for", bad)
		}
	}
	r.awaitLog("exit status 3: going back to the one before")
	if n := strings.Count(r.log(), "going back"); n != 2 {
		t.Errorf("it went back %d times, once for each that ran and failed: %s", n, r.log())
	}
	program(t, path, "")
	s.kill(unix.SIGKILL)
	if s = r.serving(); !runs(t, s.pid, path) {
		t.Error("a new one that is good is not taken")
	}
	s.do("hold 0")
	s.do("quit")
	s.tell("exit 0")
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestAnotherChance: a new supervisor that failed is tried again when it is asked for, and not before.
func TestAnotherChance(t *testing.T) {
	dir := t.TempDir()
	path, good, flag := filepath.Join(dir, "prog"), filepath.Join(dir, "good"), filepath.Join(dir, "flag")
	program(t, path, "")
	program(t, good, "")
	r := start(t, programVariable+"="+path, calmVariable+"=1")
	s := r.serving()
	r.holds(path)
	program(t, path, "#!/bin/sh\n[ -e "+flag+" ] || exit 3\nexec "+good+" \"$@\"\n")
	again := func(want bool, when string) {
		t.Helper()
		s.kill(unix.SIGKILL)
		if s = r.serving(); runs(t, s.pid, good) != want {
			t.Errorf("%s: it runs the new one: %v", when, !want)
		}
	}
	again(false, "it fails")
	check(t, os.WriteFile(flag, nil, 0o600))
	again(false, "nobody has asked for it")
	s.do("renew")
	again(true, "it was asked for")
}

// TestGoesBackFromOneThatHangs: so is one that neither serves nor ends. The one before has all the
// time it needs.
func TestGoesBackFromOneThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prog")
	program(t, path, "")
	r := start(t, programVariable+"="+path, calmVariable+"=1", hastyVariable+"=1")
	s := r.serving()
	r.holds(path)
	program(t, path, "#!/bin/sh\nread x <&3\n")
	for range 3 {
		s.kill(unix.SIGKILL)
		s = r.serving()
		if runs(t, s.pid, path) {
			t.Error("it runs the new one")
		}
	}
	r.awaitLog("does not come to serve: it is killed")
	if n := strings.Count(r.log(), "going back"); n != 1 || strings.Contains(r.log(), "waiting until") {
		t.Errorf("it went back %d times: %s", n, r.log())
	}
}

// renewable is a keeper whose program, and whose supervisor's, can be replaced.
func renewable(t testing.TB, env ...string) (r *rig, self string) {
	t.Helper()
	self = filepath.Join(t.TempDir(), "self")
	program(t, self, "")
	exe, err := os.Executable()
	check(t, err)
	return start(t, append(env, selfVariable+"="+self, programVariable+"="+exe)...), self
}

// TestRenew: the keeper's program is another one after a supervisor, and nothing else is.
func TestRenew(t *testing.T) {
	r, self := renewable(t)
	s := r.serving()
	_, slave := console(t, s)
	_, write := pipe(t)
	s.do("put pipe", int(write.Fd()))
	s.do("append first|")
	s.kill(unix.SIGKILL)
	s = r.serving()
	want := heldBy(s, t)
	const rounds = 5
	for i := range rounds {
		if got := s.do("renew"); got != "1 0" {
			t.Errorf("the same program: %s", got)
		}
		program(t, self, "")
		if got := s.do("renew"); got != "2 0" {
			t.Fatalf("another program: %s\n%s", got, r.log())
		}
		if runs(t, r.cmd.Process.Pid, self) {
			t.Error("the keeper did not wait for the supervisor to go")
		}
		_, err := slave.WriteString("left " + strconv.Itoa(i) + "|")
		check(t, err)
		s.do("run /bin/sh -c true") // its end is told by whichever program is there
		s.kill(unix.SIGKILL)
		_, err = slave.WriteString("away " + strconv.Itoa(i) + "|")
		check(t, err)
		s = r.serving()
		if !runs(t, r.cmd.Process.Pid, self) {
			t.Fatal("the keeper runs the old program")
		}
	}
	if got := heldBy(s, t); got != want {
		t.Errorf("held are %s, were %s", got, want)
	}
	s.kill(unix.SIGKILL)
	s = r.supervisor()
	if words := s.do("hello"); !strings.HasPrefix(words, "generation "+strconv.Itoa(rounds+3)+" crashes 0 ") {
		t.Error(words)
	}
	s.do("hold 1")
	s.do("started")
	// No byte of the console is lost, and none is there twice.
	text := "first|"
	for i := range rounds {
		text += "left " + strconv.Itoa(i) + "|away " + strconv.Itoa(i) + "|"
	}
	_, err := slave.WriteString("end|")
	check(t, err)
	shows(t, s, text+"end|")
	renewed(t, r, s, rounds)
}

// shows reads what the ring holds of the console's output, up to its end.
func shows(t testing.TB, s *supervisor, want string) {
	t.Helper()
	rd := reader(t, s)
	buf := make([]byte, 4096)
	var got []byte
	testenv.Eventually(t, func() bool {
		n, _, err := rd.ReadAt(uint64(len(got)), buf)
		check(t, err)
		got = append(got, buf[:n]...)
		return bytes.HasSuffix(got, []byte("end|"))
	}, "the console's last word")
	if string(got) != want {
		t.Errorf("the console's output is %q", got)
	}
}

// renewed holds a keeper that was executed in some rounds to what it is to be then.
func renewed(t testing.TB, r *rig, s *supervisor, rounds int) {
	t.Helper()
	testenv.Eventually(t, func() bool {
		deaths, _ := filepath.Glob(filepath.Join(r.dir, "deaths.*"))
		told := 0
		for _, name := range deaths {
			b, _ := os.ReadFile(name)
			told += strings.Count(string(b), "\n")
		}
		return told >= rounds
	}, strconv.Itoa(rounds)+" deaths to be told")
	if n := strings.Count(r.log(), "RESUMED"); n != rounds {
		t.Errorf("%d programs for %d rounds: %s", n, rounds, r.log())
	}
	if title := psTitle(r.cmd.Process.Pid); !strings.HasPrefix(title, "zsched web: monitoring pid "+strconv.Itoa(s.pid)) {
		t.Errorf("ps shows %q", title)
	}
	// The children of the process are the new program's: it reaps, and ends with its supervisor.
	s.do("hold 0")
	s.do("quit")
	s.tell("exit 0")
	if code := r.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// heldBy is what a supervisor is handed.
func heldBy(s *supervisor, t testing.TB) string {
	t.Helper()
	var out []string
	for _, name := range []string{SlotDoor, SlotConsole, SlotRing, SlotData, SlotRoom, SlotPty, "pipe"} {
		out = append(out, name+"="+identity(t, s.slot(name)))
	}
	return strings.Join(out, ",")
}

// slot is the descriptor under a name.
func (s *supervisor) slot(name string) int {
	s.t.Helper()
	s.do("fd " + name)
	if len(s.fds) != 1 {
		s.t.Fatalf("no descriptor is held as %s", name)
	}
	return s.fds[0].Int()
}

// TestRenewRefused: what does not take over is not executed, and the keeper goes on as it was.
func TestRenewRefused(t *testing.T) {
	r, self := renewable(t)
	s := r.serving()
	for text, want := range map[string]string{
		"#!/bin/sh\nexit 18\n":                 "3 18",
		"#!/bin/sh\nkill -11 $$\n":             "3 139",
		"no program":                           "3 126",
		"#!/nonexistent/interpreter\n":         "3 126",
		"#!/bin/sh\n[ \"$1\" = -t ] && exit 7": "3 7",
	} {
		program(t, self, text)
		if got := s.do("renew"); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		s.kill(unix.SIGKILL)
		s = r.serving()
	}
	if strings.Contains(r.log(), "RESUMED") || runs(t, r.cmd.Process.Pid, self) {
		t.Error("one of them was executed")
	}
	// One that vanishes between look and execution changes nothing either.
	program(t, self, "")
	if got := s.do("renew"); got != "2 0" {
		t.Fatal(got)
	}
	check(t, os.Remove(self))
	s.kill(unix.SIGKILL)
	s = r.serving()
	r.awaitLog("execute " + self + ": ")
}

// TestRenewHangs: one that looks for ever is killed, and not executed.
func TestRenewHangs(t *testing.T) {
	r, self := renewable(t, hastyVariable+"=1")
	s := r.serving()
	program(t, self, "#!/bin/sh\nexec sleep 1000\n")
	if got := s.do("renew"); got != "3 137" {
		t.Errorf("%s, want 3 137", got)
	}
	s.kill(unix.SIGKILL)
	r.serving()
	if strings.Contains(r.log(), "RESUMED") || runs(t, r.cmd.Process.Pid, self) {
		t.Error("it was executed")
	}
}

// state is a keeper's with something in each field.
func state(t testing.TB) (*Keeper, []byte) {
	t.Helper()
	k, _ := local(t)
	k.cfg.Kept = []int{5, 6}
	k.hold, k.generation, k.lastStatus = true, 7, "3 crashes"
	k.deaths.list = []Death{{Pid: 5, Start: 1 << 40, Status: 256}}
	k.restart.next(10, true)
	k.restart.next(20, false)
	k.programs.known, k.programs.bad = fileID{1, 2, 3, -4}, fileID{5, 6, 7, 8}
	return k, k.encode()
}

func TestState(t *testing.T) {
	k, b := state(t)
	s, err := parseState(b)
	check(t, err)
	if s.Build != build.Version || !reflect.DeepEqual(s.Kept, k.cfg.Kept) || !reflect.DeepEqual(s.deaths, k.deaths.list) ||
		!s.hold || s.generation != 7 || s.lastStatus != "3 crashes" || s.known != k.programs.known || s.bad != k.programs.bad ||
		s.restart.n != 2 || s.restart.restarts != k.restart.restarts || s.restart.crashes != 1 || s.Slot(SlotRing) != k.slots.fd(SlotRing) || s.Slot("none") != -1 {
		t.Errorf("%+v", s)
	}
	// Every shorter one, and one with something behind it, is none.
	for n := range b {
		if _, err := parseState(b[:n]); err == nil {
			t.Fatalf("the first %d bytes of %d are taken for a state", n, len(b))
		}
	}
	if _, err := parseState(append(b[:len(b):len(b)], 0)); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	// Of a newer form or build.
	newer := append([]byte(nil), b...)
	newer[2]++
	if _, err := parseState(newer); !errors.Is(err, ErrOlder) {
		t.Error(err)
	}
	was := build.Version
	defer func() { build.Version = was }()
	build.Version = "99.0.0"
	_, of99 := state(t)
	build.Version = was
	if s, err := parseState(of99); !errors.Is(err, ErrOlder) || s.Build != "99.0.0" {
		t.Errorf("%+v %v", s, err)
	}
}

// TestStateFits: the largest state that there can be is within what is read.
func TestStateFits(t *testing.T) {
	k, _ := local(t)
	for len(k.slots.names) < SlotsMax {
		k.slots.names = append(k.slots.names, strings.Repeat("n", NameMax-5)+strconv.Itoa(10000+len(k.slots.names)))
		k.slots.fds = append(k.slots.fds, sys.Own(-1))
	}
	for range DeathsMax {
		k.deaths.list = append(k.deaths.list, Death{Pid: 1})
	}
	b := k.encode()
	if len(b) > stateMax/2 {
		t.Errorf("%d bytes", len(b))
	}
	if _, err := parseState(b); err != nil {
		t.Error(err)
	}
}

func FuzzState(f *testing.F) {
	w, err := ring.Create()
	check(f, err)
	f.Cleanup(func() { w.Close() })
	k := &Keeper{cfg: Config{Ring: w, Kept: []int{1}}, lastStatus: "x"}
	k.slots.put("a", sys.Own(-1))
	f.Add(k.encode())
	f.Add([]byte("zk\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		if err == nil && (len(s.slotNames) > SlotsMax || len(s.deaths) > DeathsMax || len(s.slotNames) != len(s.slotFDs)) {
			t.Errorf("%+v", s)
		}
	})
}
