package client

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/vt"
	"github.com/linuxzones/zones/console/wire"
)

const (
	connected = "[Connected to zone 'web' console]\r\n" // the terminal is not yet raw
	closed    = "\r\n[Connection to zone 'web' console closed]\r\n"
)

// session starts a client on a terminal and welcomes it.
func terminalSession(t *testing.T, env string, args ...string) (*server, *user, *peer) {
	t.Helper()
	s := newServer(t)
	u := onTerminal(t, s, env, args...)
	p, _ := s.accept()
	p.welcome(0)
	u.becomesRaw()
	return s, u, p
}

func TestEscapeEndsTheSession(t *testing.T) {
	for typed, echo := range map[string]string{"~.": "~.", "~\x04": "~^D", "ls\r~.": "~.", "x\x03~.": "~."} {
		_, u, p := terminalSession(t, "")
		p.say("login: ")
		u.sees("login: ")
		u.types(typed)
		u.exits(0)
		u.sees(echo + closed)
		u.restored()
		if out, _ := u.output(); out != connected+"login: "+echo+closed {
			t.Errorf("%q: seen %q", typed, out)
		}
	}
}

// Every way out of a session, and the terminal after it.
func TestTerminalIsRestored(t *testing.T) {
	for name, c := range map[string]struct {
		args, env string
		end       func(*server, *user, *peer)
		exit      int
		stderr    string
	}{
		"good-bye": {"", "", func(_ *server, _ *user, p *peer) { must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR)) }, 0, ""},
		"INT":      {"", "", func(_ *server, u *user, _ *peer) { must(t, u.cmd.Process.Signal(syscall.SIGINT)) }, 130, ""},
		"TERM":     {"", "", func(_ *server, u *user, _ *peer) { must(t, u.cmd.Process.Signal(syscall.SIGTERM)) }, 143, ""},
		"HUP":      {"", "", func(_ *server, u *user, _ *peer) { must(t, u.cmd.Process.Signal(syscall.SIGHUP)) }, 129, ""},
		"QUIT":     {"", "", func(_ *server, u *user, _ *peer) { must(t, u.cmd.Process.Signal(syscall.SIGQUIT)) }, 131, ""},
		"panic":    {"", "PANIC=1", func(_ *server, _ *user, p *peer) { p.die() }, 2, "in Dial"},
		"lost for good": {"", "", func(s *server, _ *user, p *peer) { s.listener.Close(); p.die() }, 1,
			"connection to the console lost"},
		"taken by another": {"", "", func(s *server, _ *user, p *peer) {
			p.die()
			next, _ := s.accept()
			next.say("4711\n")
		}, 1, "Console is already in use by process ID 4711."},
		"nonsense": {"", "", func(s *server, _ *user, p *peer) {
			p.die()
			next, _ := s.accept()
			next.say("HTTP/1.1 200 OK\r\n")
		}, 1, "malformed answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, u, p := terminalSession(t, c.env, strings.Fields(c.args)...)
			c.end(s, u, p)
			u.exits(c.exit)
			u.restored()
			waitFor(t, func() (bool, string) {
				_, errout := u.output()
				return strings.Contains(errout, c.stderr) && (c.stderr != "" || errout == ""), strconv.Quote(errout)
			})
		})
	}
}

// A terminal that hangs up, as when a window is closed, ends the client.
func TestTerminalHangsUp(t *testing.T) {
	_, u, _ := terminalSession(t, "")
	must(t, u.tty.Close())
	_ = u.cmd.Wait()
	// The signal may come when the client is on its way out already, because its input ended.
	ws := u.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.ExitStatus() != 129 && ws.Signal() != syscall.SIGHUP {
		t.Errorf("status %#x", ws)
	}
}

// Stopped from outside, the client leaves the terminal to the shell, and takes it again.
func TestStopAndContinue(t *testing.T) {
	_, u, p := terminalSession(t, "")
	must(t, u.cmd.Process.Signal(syscall.SIGTSTP))
	waitFor(t, func() (bool, string) {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(u.cmd.Process.Pid) + "/stat")
		must(t, err)
		return strings.Contains(string(stat), ") T "), "the client to stop"
	})
	u.restored()
	must(t, u.cmd.Process.Signal(syscall.SIGCONT))
	u.becomesRaw()
	p.say("hello again")
	u.sees("hello again")
	u.types("~.")
	u.exits(0)
	u.restored()
}

// Raw means raw: every byte passes both ways.
func TestRawTerminal(t *testing.T) {
	_, u, p := terminalSession(t, "", "noescape", "quiet")
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	u.types(string(all))
	if got := p.until("\xff"); got != string(all) {
		t.Errorf("typed bytes arrive as %q", got)
	}
	p.say("%s", all)
	u.sees(string(all))
	p.say("\x1b[31m")
	must(t, unix.Shutdown(p.fd.Int(), unix.SHUT_WR))
	u.exits(0)
	u.sees("\x1b[31m" + ends + calm)
}

// A terminal that the zone has left on its other screen is put back, and only then.
func TestOtherScreen(t *testing.T) {
	for _, c := range []struct {
		pieces []string
		on     bool
	}{
		{[]string{"", "text", "\x1b[31m"}, false},
		{[]string{"\x1b[?1049h"}, true},
		{[]string{"\x1b[?1049h vi \x1b[?1049l"}, false},
		{[]string{"\x1b[?1049l\x1b[?47h"}, true},
		{[]string{"\x1b[?10", "49", "h", "", "x"}, true},
		{[]string{"\x1b", "[", "?", "1", "0", "4", "9", "h", strings.Repeat("x", 100), "\x1b[?104", "9l"}, false},
		{[]string{"\x1b[?1047h", strings.Repeat("y", 70000)}, true},
		{[]string{"\x1b[?1049h", "\x1b[?1049l"}, false},
		{[]string{"\x1b[?1049l", "\x1b[?1049h"}, true},
	} {
		var o otherScreen
		for _, p := range c.pieces {
			o.saw([]byte(p))
		}
		if o.on != c.on || strings.Contains(o.quiet(), back) != c.on {
			t.Errorf("%.80q: %v", c.pieces, o.on)
		}
	}
}

// Whatever the output of a zone can switch on that makes a terminal send by itself, or that a shell
// suffers from, is switched off, whatever sequence was begun; nothing moves the cursor.
func TestCalm(t *testing.T) {
	off := map[string]bool{}
	var p vt.Parser
	p.Feed([]byte(ends+calm), func(tok vt.Token) {
		seq := strings.TrimPrefix(string(tok.Bytes), "\x1b[")
		if tok.Kind == vt.CSI && strings.HasPrefix(seq, "?") {
			for _, mode := range strings.Split(seq[1:len(seq)-1], ";") {
				off[mode+seq[len(seq)-1:]] = true
			}
		} else {
			off[seq] = true
		}
	})
	for _, want := range []string{
		"1000l", "1002l", "1003l", "1004l", "1005l", "1006l", "1015l", "1016l", "9l", "2004l", "1l", "2026l", "7h", "25h", "5l", "69l",
		"r", "4;20l", "0m", "\x1b>", "\x1b(B", "\x1b7", "\x1b8", ">4m", "=0u", "\x18", "\x1b\\",
	} {
		if !off[want] {
			t.Errorf("%q is not in it", want)
		}
	}
	for _, begun := range []string{"", "\x1b", "\x1b[", "\x1b[3", "\x1b(", "\x1b]0;title", "\x1bP+q", "\x1b]0;title\x1b", "\xc2", "\xc2\x9b3", "\x1b_x"} {
		var last string
		var p vt.Parser
		p.Feed([]byte(begun+ends+calm), func(tok vt.Token) { last += fmt.Sprintf("%d%q", tok.Kind, tok.Bytes) })
		if want := fmt.Sprintf("%d%q", vt.CSI, "\x1b[0m"); !p.Ground() || !strings.HasSuffix(last, want) || !strings.Contains(last, fmt.Sprintf("%d%q", vt.Escape, "\x1b(B")) {
			t.Errorf("behind %q: %s", begun, last)
		}
	}
}

// An escape works although the terminal takes no output.
func TestEscapeWhileOutputIsStuck(t *testing.T) {
	s := newServer(t)
	u := onTerminal(t, s, "")
	p, _ := s.accept()
	p.welcome(0)
	u.becomesRaw()
	u.mu.Lock() // nobody reads the terminal any more
	must(t, unix.SetNonblock(p.fd.Int(), true))
	for quiet := time.Now(); time.Since(quiet) < 200*time.Millisecond; {
		if n, _ := transmit(p.fd.Int(), make([]byte, 4096)); n > 0 {
			quiet = time.Now()
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	u.types("\r~.")
	u.exits(0)
	u.mu.Unlock()
	u.restored()
}

func TestRefusedConsoleLeavesTheTerminalAlone(t *testing.T) {
	s := newServer(t)
	u := onTerminal(t, s, "")
	u.types("typed ahead\n")
	p, id := s.accept()
	if id.Pid != u.cmd.Process.Pid || id.From != wire.Screen {
		t.Errorf("%+v", id)
	}
	p.say("77\n")
	u.exits(1)
	u.restored()
	u.complains("zlogin: Console is already in use by process ID 77.\n")
	if out, _ := u.output(); strings.Contains(out, "[") {
		t.Errorf("out %q", out)
	}
}
