package console

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// text is what a program prints, for whoever looks.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// TestConsoleLog: shown as text, followed across files, there when the zone is not, and a clear
// word when there is none.
func TestConsoleLog(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := testenv.Instance(t)
	z.Sparse(zoneName, "add attr; set name=console-log-size; set type=uint; set value=65536; end",
		"add attr; set name=console-log-count; set type=uint; set value=2; end")
	out, errs, exit := z.Zoneadm("-z", zoneName, "console-log")
	if want := "zoneadm: zone 'c': there is no console log yet: it begins with what the zone writes when it is next booted\n"; exit != 1 || out != "" || errs != want {
		t.Errorf("none yet: exit %d, %q, %q", exit, out, errs)
	}
	z.Must("zoneadm", "-z", zoneName, "boot")
	z.ServicesUp(zoneName)
	followed(t, z)
	names, _ := filepath.Glob(filepath.Join(logDir(z), zoneName+".console*"))
	if len(names) != 3 {
		t.Errorf("files %q", names)
	}
	for _, n := range names {
		if st, err := os.Stat(n); err != nil || st.Mode() != 0o600 || st.Size() > 65536 {
			t.Errorf("%s: %v, %v", n, st, err)
		}
	}
	z.Must("zoneadm", "-z", zoneName, "halt")
	testenv.Eventually(t, func() bool { return strings.Contains(shown(z), "[NOTICE: Zone halted]\n") }, "the end of the log")
	t.Cleanup(func() {
		if t.Failed() {
			all := shown(z)
			t.Logf("the log ends in %q", all[max(0, len(all)-500):])
		}
	})
	// The next boot goes on in the same files.
	z.Must("zoneadm", "-z", zoneName, "boot")
	testenv.Eventually(t, func() bool {
		_, after, _ := strings.Cut(shown(z), "piece 19 line 500\n")
		_, after, halted := strings.Cut(after, "[NOTICE: Zone halted]\n")
		return halted && strings.Contains(after, "[NOTICE: Zone booting up]\n")
	}, "the next boot in the log")
	switchedOff(t, z, names)
}

// followed is a log that is shown as it grows, across its files.
func followed(t *testing.T, z *testenv.Zones) {
	t.Helper()
	follow := z.Cmd("zoneadm", "-z", zoneName, "console-log", "-f")
	var seen text
	follow.Stdout = &seen
	must(t, follow.Start())
	t.Cleanup(func() { _ = follow.Process.Kill(); _ = follow.Wait() })
	z.In(zoneName, `printf 'plain \303\251\ttab\033[31mred\033[2J\033]0;title\007\205\302\233x\a\b|10%%\r20%%\r\n' >/dev/console`)
	const clean = "plain é\ttabred??|10%\n20%\n"
	testenv.Eventually(t, func() bool { return strings.Contains(seen.String(), clean) }, "clean text")
	for i := range 20 { // three files and more
		z.In(zoneName, fmt.Sprintf(`seq -f 'piece %d line %%g' 1 500 >/dev/console`, i))
		last := fmt.Sprintf("piece %d line 500\n", i)
		testenv.Eventually(t, func() bool { return strings.Contains(seen.String(), last) }, last)
	}
	must(t, follow.Process.Signal(unix.SIGINT))
	if err := follow.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
	var want strings.Builder
	for i := range 20 {
		for j := range 500 {
			fmt.Fprintf(&want, "piece %d line %d\n", i, j+1)
		}
	}
	if !strings.Contains(seen.String(), want.String()) {
		t.Error("what was followed is not what was written")
	}
}

// switchedOff is a zone without a log.
func switchedOff(t *testing.T, z *testenv.Zones, files []string) {
	t.Helper()
	z.Must("zoneadm", "-z", zoneName, "halt")
	z.Must("zonecfg", "-z", zoneName, "select attr name=console-log-size; set value=0; end")
	for _, n := range files {
		must(t, os.Remove(n))
	}
	_, errs, exit := z.Zoneadm("-z", zoneName, "console-log")
	if exit != 1 || !strings.Contains(errs, "attribute console-log-size is 0") {
		t.Errorf("switched off: exit %d, %q", exit, errs)
	}
	z.Must("zoneadm", "-z", zoneName, "boot")
	z.ServicesUp(zoneName)
	if left, _ := filepath.Glob(filepath.Join(logDir(z), zoneName+".console*")); len(left) != 0 {
		t.Errorf("a log that is switched off: %q", left)
	}
}

// TestFullDiskUnderTheLog: told once, the zone goes on, and so does the log when there is room.
func TestFullDiskUnderTheLog(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := testenv.Instance(t)
	must(t, os.MkdirAll(logDir(z), 0o700))
	must(t, unix.Mount("logs", logDir(z), "tmpfs", 0, "size=512k,mode=700"))
	t.Cleanup(func() { must(t, unix.Unmount(logDir(z), unix.MNT_DETACH)) })
	z.Sparse(zoneName, bigLog...)
	z.Must("zoneadm", "-z", zoneName, "boot")
	z.ServicesUp(zoneName)
	must(t, os.WriteFile(filepath.Join(logDir(z), "ballast"), make([]byte, 100<<10), 0o600)) // for what is said about it
	stop := flood(t, z)
	filler := filepath.Join(logDir(z), "ballast")
	testenv.Eventually(t, func() bool {
		st, err := os.Stat(filepath.Join(logDir(z), zoneName+".console"))
		return err == nil && st.Size() > 300<<10
	}, "a log that fills the disk")
	must(t, os.Truncate(filler, 0))
	testenv.Eventually(t, func() bool { return strings.Contains(zonedLog(z), "the disk is full") }, "a word")
	must(t, unix.Mount("", logDir(z), "tmpfs", unix.MS_REMOUNT, "size=1g,mode=700"))
	testenv.Eventually(t, func() bool { return strings.Contains(zonedLog(z), "console log goes on") }, "the log to go on")
	stop()
	killZoned(t, z)
	f := compareLog(t, z)
	testenv.EventuallyWithin(t, time.Minute, func() bool { f = compareLog(t, z); return f.over() }, "the log to have come to the end")
	pos, lost := f.at(t)
	t.Logf("%d bytes of %d missing, in %d gaps", lost, pos, f.gaps)
	if lost == 0 || strings.Count(zonedLog(z), "the disk is full") != 1 {
		t.Errorf("%d missing; said: %s", lost, zonedLog(z))
	}
}

// TestConsoleRecord: a recording that a player understands, over the deaths of supervisors; a
// file that is there stays.
func TestConsoleRecord(t *testing.T) {
	z := booted(t)
	name := filepath.Join(t.TempDir(), "web.cast")
	rec := z.Cmd("zoneadm", "-z", zoneName, "console-record", name)
	must(t, rec.Start())
	w := z.Pty("zlogin", "-C", zoneName)
	w.Expect(`Connected`)
	read := func() string { b, _ := os.ReadFile(name); return string(b) }
	testenv.Eventually(t, func() bool { w.Send("\r"); return len(read()) > 0 }, "a recording")
	w.Send("printf 'one \\303\\251 \\377 \\033[31mred\\033[0m\\n'\r")
	testenv.Eventually(t, func() bool {
		return strings.Contains(read(), `one é \ufffd`) || strings.Contains(read(), "one é \ufffd")
	}, "output in it")
	w.Resize(40, 120)
	testenv.Eventually(t, func() bool { return strings.Contains(read(), `"r","120x40"`) }, "the size in it")
	killZoned(t, z)
	w.Send("echo $((6*7))-after\r")
	testenv.Eventually(t, func() bool { return strings.Contains(read(), "42-after") }, "what came under the next supervisor")
	_, errs, exit := z.Zoneadm("-z", zoneName, "console-record", name)
	if exit != 1 || !strings.Contains(errs, "is there already") {
		t.Errorf("a second recording: exit %d, %q", exit, errs)
	}
	must(t, rec.Process.Signal(unix.SIGINT))
	if err := rec.Wait(); err != nil {
		t.Errorf("^C: %v", err)
	}
	cast(t, read())
	// The end of the zone is the end of a recording.
	rec = z.Cmd("zoneadm", "-z", zoneName, "console-record", "-f", name)
	must(t, rec.Start())
	testenv.Eventually(t, func() bool { w.Send("\r"); return len(read()) > 0 && !strings.Contains(read(), "42-after") }, "another recording")
	z.Must("zoneadm", "-z", zoneName, "halt")
	z.Must("zoneadm", "-z", zoneName, "uninstall", "-F")
	if err := rec.Wait(); err != nil {
		t.Errorf("uninstalled: %v", err)
	}
	if !strings.Contains(cast(t, read()), "Zone is being uninstalled") {
		t.Error("the last notice is not recorded")
	}
	z.Must("zoneadm", "-z", zoneName, "install") // for the cleaning up
}

// cast reads a recording as a player does, and gives the output in it.
func cast(t *testing.T, all string) (output string) {
	t.Helper()
	s := bufio.NewScanner(strings.NewReader(all))
	s.Buffer(nil, 1<<20)
	last, lines := -1.0, 0
	for ; s.Scan(); lines++ {
		if lines == 0 {
			var head struct{ Version, Width, Height int }
			if err := json.Unmarshal(s.Bytes(), &head); err != nil || head.Version != 2 || head.Width == 0 || head.Height == 0 {
				t.Fatalf("header %q: %v", s.Text(), err)
			}
			continue
		}
		var e []any
		if err := json.Unmarshal(s.Bytes(), &e); err != nil || len(e) != 3 || e[0].(float64) < last {
			t.Fatalf("event %q after %v: %v", s.Text(), last, err)
		}
		last = e[0].(float64)
		if e[1] == "o" {
			output += e[2].(string)
		}
	}
	if lines < 2 {
		t.Errorf("%d lines", lines)
	}
	return output
}
