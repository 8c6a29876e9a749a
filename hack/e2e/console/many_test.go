package console

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestWriterAndReaders: who types, who watches, and who takes over, on real terminals; and all
// of it again under the next supervisor.
func TestWriterAndReaders(t *testing.T) {
	z := booted(t)
	w := z.Pty("zlogin", "-C", zoneName)
	w.Expect(`\[Connected to zone 'c' console\]`)
	r := z.Pty("zlogin", "-C", "-r", zoneName)
	r.Expect(`\[Connected to zone 'c' console for watching\]`)
	w.Send("echo $((6*7))-seen\r")
	w.Expect(`42-seen`)
	r.Expect(`42-seen`)
	// What a watcher types goes nowhere.
	r.Send("echo from-the-reader\r\x03\x04")
	w.Send("echo $((6*8))-next\r")
	w.Expect(`48-next`)
	r.Expect(`48-next`)
	// A second writer is refused, in the original's words; -r alone means the console.
	out, errs, exit := z.Zlogin("-C", zoneName)
	if want := fmt.Sprintf("zlogin: Console is already in use by process ID %d.\n", w.PID()); exit != 1 || errs != want || out != "" {
		t.Errorf("a second writer: exit %d, %q, %q", exit, out, errs)
	}
	// Take-over.
	taker := z.Pty("zlogin", "-f", zoneName)
	taker.Expect(`\[Connected to zone 'c' console\]`)
	w.Expect(fmt.Sprintf(`\[NOTICE: Console taken over by process ID %d\.  Watching\.\.\.\]`, taker.PID()))
	w.Send("echo from-the-former\r")
	taker.Send("echo $((6*9))-taken\r")
	for _, p := range []*testenv.Pty{taker, w, r} {
		p.Expect(`54-taken`)
	}
	// The next supervisor: everybody is who they were.
	killZoned(t, z)
	w.Send("echo from-the-former\r")
	taker.Send("echo $((7*8))-after\r")
	for _, p := range []*testenv.Pty{taker, w, r} {
		p.Expect(`56-after`)
	}
	// Through a reboot too.
	z.Must("zoneadm", "-z", zoneName, "reboot")
	for _, p := range []*testenv.Pty{taker, w, r} {
		p.Expect(`NOTICE: Zone rebooting`)
	}
	z.ServicesUp(zoneName)
	taker.Expect(`# `) // what is typed before a shell reads may be thrown away
	taker.Send("\recho $((7*9))-rebooted\r")
	for _, p := range []*testenv.Pty{taker, w, r} {
		p.Expect(`63-rebooted`)
	}
	for _, p := range []*testenv.Pty{r, w, taker} {
		p.Send("\r~.")
		p.Expect(`\[Connection to zone 'c' console closed\]`)
		if exit := p.Wait(); exit != 0 {
			t.Errorf("exit %d", exit)
		}
	}
	if all := shown(z); strings.Contains(all, "from-the") {
		t.Errorf("a reader's words reached the zone: %q", all)
	}
}

// TestSizeFollowsTheWriter: the zone's programs see the writer's window, and SIGWINCH when it
// changes; a reader's is its own.
func TestSizeFollowsTheWriter(t *testing.T) {
	z := booted(t)
	w := z.Pty("zlogin", "-C", zoneName)
	w.Expect(`Connected`)
	w.Send("\rtrap 'echo changed to $(stty size)' WINCH; echo $((40+2))-set\r")
	w.Expect(`42-set`)
	w.Resize(33, 101)
	testenv.Eventually(t, func() bool { // the shell runs the trap when it is woken
		w.Send("\r")
		return strings.Contains(w.Output(), "changed to 33 101")
	}, "the shell to hear of the window's size")
	r := z.Pty("zlogin", "-r", zoneName)
	r.Expect(`Connected`)
	r.Resize(7, 7)
	w.Send("echo size is $(stty size)\r")
	w.Expect(`size is 33 101`)
	killZoned(t, z)
	w.Send("echo still $(stty size)\r")
	w.Expect(`still 33 101`)
	taker := z.Pty("zlogin", "-f", zoneName) // its window is 24 by 80
	w.Expect(`taken over`)
	taker.Send("echo then $(stty size)\r")
	taker.Expect(`then 24 80`)
}

// TestLateJoiner: one that comes late sees the last screenful, from the beginning of a line; with
// --history all there is.
func TestLateJoiner(t *testing.T) {
	z := booted(t)
	z.In(zoneName, `(seq 1 5000; printf '\033]0;a title\ntwo lines of it\007\033[1;32mgreen \344\270\226\033[0m\n'; seq 5001 5010; echo END) >/dev/console`)
	testenv.Eventually(t, func() bool { return strings.Contains(shown(z), "END") }, "the end")
	r := z.Pty("zlogin", "-r", zoneName)
	r.Expect(`END`)
	text := r.Output()
	lines := strings.Split(text, "\n")
	if !strings.Contains(text, "\x1b[1;32mgreen 世\x1b[0m\r\n5001\r\n") || len(lines) > 30 || strings.Contains(text, "title") {
		t.Errorf("%d lines: %q", len(lines), text)
	}
	if first := strings.TrimSpace(lines[1]); !regexp.MustCompile(`^49\d\d$`).MatchString(first) {
		t.Errorf("begins with %q", first)
	}
	all := z.Pty("zlogin", "-r", "--history", zoneName)
	all.Expect(`(?s)NOTICE: Zone booting up.*# 1\r\n2\r\n3\r\n.*\r\n5010\r\nEND`)
}

// TestWatchersGoWithTheZone: -d leaves at the halt, the others watch on, until it is uninstalled.
func TestWatchersGoWithTheZone(t *testing.T) {
	z := booted(t)
	stays := z.Pty("zlogin", "-r", zoneName)
	goes := z.Pty("zlogin", "-rd", zoneName)
	for _, p := range []*testenv.Pty{stays, goes} {
		p.Expect(`for watching`)
	}
	z.Must("zoneadm", "-z", zoneName, "halt")
	goes.Expect(`NOTICE: Zone halted`)
	if exit := goes.Wait(); exit != 0 {
		t.Errorf("-d: exit %d", exit)
	}
	stays.Expect(`NOTICE: Zone halted`)
	z.Must("zoneadm", "-z", zoneName, "boot")
	stays.Expect(`NOTICE: Zone booting up`)
	z.Must("zoneadm", "-z", zoneName, "halt")
	z.Must("zoneadm", "-z", zoneName, "uninstall", "-F")
	stays.Expect(`NOTICE: Zone is being uninstalled\.  Disconnecting\.\.\.`)
	if exit := stays.Wait(); exit != 0 {
		t.Errorf("at the uninstallation: exit %d", exit)
	}
	z.Must("zoneadm", "-z", zoneName, "install") // for the cleaning up
}

// TestZoneAgainstAWatcher: whatever the zone writes, a watcher's terminal is not made to type,
// and there is no descriptor of it in the zone.
func TestZoneAgainstAWatcher(t *testing.T) {
	z := booted(t)
	r := z.Pty("zlogin", "-r", zoneName)
	r.Expect(`for watching`)
	z.Write(zoneName, "/var/tmp/attack", "a\x1b]0;\r~.\rid\r\x07b\x1b[21t\x1b[6n\x1b[c\x1b[>c\x05\x1bZ\x1bP$qm\x1b\\\x1b]52;c;aWQK\x07"+
		"\x1b[?1000h\x1b[?2004h\x1b[5i\u009b6n\x9b6n\x1b_Ga=q;\x1b\\\x1b[31mred\x1b[0mEND\n")
	z.In(zoneName, "cat /var/tmp/attack >/dev/console")
	r.Expect(`ab\x1b\[31m|ab`)
	r.Expect(`END`)
	text := r.Output()
	text = text[strings.LastIndex(text, "ab"):]
	if got := regexp.MustCompile("\x1b\\[(31|0)m").ReplaceAllString(text, ""); strings.ContainsAny(got, "\x1b\x05\x07") || strings.Contains(got, "\u009b") {
		t.Errorf("a watcher's terminal got %q", text)
	}
	// TIOCSTI is for a terminal that one has: the zone has its own console, and what is pushed
	// there is its own input.
	z.In(zoneName, `for f in /proc/[0-9]*/fd/*; do l=$(readlink $f) && case $l in /dev/pts/*|/dev/tty*) [ -e $l ] || echo "foreign $f $l" >/dev/console;; esac; done; echo LOOKED >/dev/console`)
	r.Expect(`LOOKED`)
	if strings.Contains(r.Output(), "foreign") {
		t.Errorf("a terminal of the host's: %q", r.Output())
	}
	r.Send("\r~.")
	if exit := r.Wait(); exit != 0 {
		t.Errorf("exit %d", exit)
	}
}
