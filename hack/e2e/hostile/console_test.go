package hostile

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestConsoleNonsense: who does not say who he is gets nothing, and the holder notices nothing.
func TestConsoleNonsense(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	running(t, z, "web")
	holder := z.Pty("zlogin", "-C", "web")
	holder.Expect(`\[Connected to zone 'web' console\]`)
	pid := os.Getpid()
	for name, line := range map[string]string{
		"nothing":               "",
		"HTTP":                  "GET / HTTP/1.0\r\n\r\n",
		"a frame":               "\x00\x00\x00\x05IDENT",
		"no number":             "IDENT x C 0\n",
		"no locale":             fmt.Sprintf("IDENT %d\n", pid),
		"another's number":      fmt.Sprintf("IDENT %d C 0\n", pid+1),
		"process 1":             "IDENT 1 C 0\n",
		"a negative number":     "IDENT -1 C 0\n",
		"a huge number":         "IDENT 99999999999999999999 C 0\n",
		"a locale that paints":  fmt.Sprintf("IDENT %d \x1b[2J 0\n", pid),
		"a long locale":         fmt.Sprintf("IDENT %d %s 0\n", pid, strings.Repeat("C", 4000)),
		"a flag that is none":   fmt.Sprintf("IDENT %d C 7\n", pid),
		"a word too many":       fmt.Sprintf("IDENT %d C 0 resume=- x\n", pid),
		"a position of nowhere": fmt.Sprintf("IDENT %d C 0 resume=zz:1\n", pid),
		"a line without end":    strings.Repeat("I", 100000),
		"zeroes":                strings.Repeat("\x00", 600),
	} {
		c, err := dial(consoleOf(z, "web"))
		must(t, err)
		_, _ = c.Write([]byte(line))
		_ = c.CloseWrite()
		if got := tail(c); got != "" {
			t.Errorf("%s: answered %q", name, got)
		}
		c.Close()
	}
	// A second client is told who has it, and no more.
	c, err := dial(consoleOf(z, "web"))
	must(t, err)
	_, err = fmt.Fprintf(c, "IDENT %d C 0\n", pid)
	must(t, err)
	if got := tail(c); got != fmt.Sprintf("%d\n", holder.PID()) {
		t.Errorf("a second client is told %q, the holder is %d", got, holder.PID())
	}
	c.Close()
	z.Must("zlogin", "web", "echo still-here >/dev/console")
	holder.Expect(`still-here`)
	holder.Send("\r~.")
	holder.Expect(`closed\]`)
	holder.Wait()
	if log := logText(t, z, "web"); strings.Contains(log, "\x1b") {
		t.Errorf("the log has a stranger's control characters: %q", log)
	}
}

// tail reads until the other side closes.
func tail(c interface{ Read([]byte) (int, error) }) string {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return string(all)
		}
	}
}
