package login

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/configs"
)

func cooked() *unix.Termios {
	t := &unix.Termios{}
	t.Cc[unix.VKILL], t.Cc[unix.VEOF], t.Cc[unix.VINTR], t.Cc[unix.VSUSP] = 0x15, 0x04, 0x03, 0x1a
	return t
}

func TestEscapes(t *testing.T) {
	for _, c := range []struct {
		in, out string
		ended   bool
		echo    string
	}{
		{"ls\r", "ls\r", false, ""},
		{"~.", "", true, "~."},
		{"ls\r~.", "ls\r", true, "~."},
		{"ls\n~.more", "ls\n", true, "~."},
		{"ls~.", "ls~.", false, ""},
		{"~~", "~", false, ""},
		{"~~.", "~.", false, ""},
		{"\r~~\r~.", "\r~\r", true, "~."},
		{"~x", "x", false, ""},
		{"~\r~.", "\r", true, "~."},
		{"~\x04", "", true, "~^D"},
		{"abc\x03~.", "abc\x03", true, "~."},
		{"abc\x15~.", "abc\x15", true, "~."},
		{"abc\x1a~.", "abc\x1a", true, "~."},
		{"\x00~.", "\x00~.", false, ""},
		{"~", "", false, ""},
	} {
		// Whole, and byte by byte: the state survives between reads.
		for _, step := range []int{len(c.in), 1} {
			e := newEscape('~', false, cooked())
			var out []byte
			var last byte
			ended := false
			for i := 0; i < len(c.in) && !ended; i += step {
				out, last, ended = e.feed(out, []byte(c.in[i:i+step]))
			}
			if string(out) != c.out || ended != c.ended || ended && e.echo(last) != c.echo {
				t.Errorf("%q by %d: sent %q, ended %v with %q; want %q, %v, %q", c.in, step, out, ended, e.echo(last), c.out, c.ended, c.echo)
			}
		}
	}
}

func TestOtherEscapes(t *testing.T) {
	if out, _, ended := newEscape('~', true, cooked()).feed(nil, []byte("~.")); ended || string(out) != "~." {
		t.Errorf("-E: %q, %v", out, ended)
	}
	e := newEscape(0x1d, false, nil)
	if out, last, ended := e.feed(nil, []byte("~.\r\x1d.")); !ended || string(out) != "~.\r" || e.echo(last) != "^]." {
		t.Errorf("-e ^]: %q, %v", out, ended)
	}
	// Without an end-of-file character NUL is an ordinary one.
	if _, _, ended := newEscape('~', false, nil).feed(nil, []byte("~\x00")); ended {
		t.Error("NUL ended the session")
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		state   configs.State
		console bool
		want    string
	}{
		{configs.Running, false, ""},
		{configs.Mounted, false, ""},
		{configs.Installed, false, "login allowed only to running zones (web is 'installed')."},
		{configs.Ready, false, "login allowed only to running zones (web is 'ready')."},
		{configs.Down, false, "login allowed only to running zones (web is 'down')."},
		{configs.ShuttingDown, false, "login allowed only to running zones (web is 'shutting_down')."},
		{configs.Configured, true, "cannot login to a zone which is 'configured'"},
		{configs.Incomplete, true, "cannot login to a zone which is 'incomplete'"},
		{configs.Installed, true, ""},
		{configs.Down, true, ""},
	} {
		err := Check("web", c.state, c.console)
		if got := errText(err); got != c.want {
			t.Errorf("%v, console %v: %q, want %q", c.state, c.console, got, c.want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTermName(t *testing.T) {
	for in, want := range map[string]string{
		"xterm-256color": "xterm-256color", "": "", "a b": "", "x\n": "", "$(id)": "", "screen.linux": "screen.linux",
	} {
		if got := termName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
