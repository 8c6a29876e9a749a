package whole

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestLogin has one zone for all that logs in.
func TestLogin(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	wholeZone(t, z, "w")
	t.Run("users", func(t *testing.T) { users(t, z) })
	t.Run("statuses", func(t *testing.T) { statuses(t, z) })
	t.Run("deaths", func(t *testing.T) { deaths(t, z) })
	t.Run("streams", func(t *testing.T) { streams(t, z) })
	t.Run("signals", func(t *testing.T) { signals(t, z) })
	t.Run("terminal", func(t *testing.T) { terminal(t, z) })
}

// users are the zone's own, not the host's.
func users(t *testing.T, z *testenv.Zones) {
	const who = "id -u; id -g; id -un; pwd; echo $HOME $USER $LOGNAME $SHELL"
	for _, c := range []struct {
		name string
		args []string
		want said
	}{
		{"root", []string{"w", who}, said{"0\n0\nroot\n/root\n/root root root /bin/bash\n", "", 0}},
		{"by name", []string{"-l", "alice", "w", who}, said{"1001\n1001\nalice\n/home/alice\n/home/alice alice alice /bin/bash\n", "", 0}},
		{"by number", []string{"-l", "1001", "w", who}, said{"1001\n1001\nalice\n/home/alice\n/home/alice alice alice /bin/bash\n", "", 0}},
		{"no shell", []string{"-l", "bob", "w", "id"}, said{"This account is currently not available.\n", "", 1}},
		{"unknown", []string{"-l", "mallory", "w", "id"}, said{"", "zlogin: unknown user 'mallory'\n", 1}},
		{"unknown number", []string{"-l", "4242", "w", "id"}, said{"", "zlogin: unknown user '4242'\n", 1}},
		{"failsafe", []string{"-S", "w", "id -u; echo $0"}, said{"0\n/bin/sh\n", "", 0}},
		{"words are joined", []string{"w", "echo", "a  b", "'c  d'", "$((6*7))"}, said{"a b c  d 42\n", "", 0}},
		{"command missing", []string{"w", "/nonexistent"}, said{"", "-bash: line 1: /nonexistent: No such file or directory\n", 127}},
	} {
		if got := zlogin(t, z, c.args...); got != c.want {
			t.Errorf("%s: %v\nwant %v", c.name, got, c.want)
		}
	}
	// A shell that is gone, and passwd that is no table.
	inZone(t, z, "w", "useradd -m -s /bin/gone carol; printf 'dave:x:notanumber:1::/:/bin/sh\\n:::\\n' >>/etc/passwd")
	for _, user := range []string{"carol", "dave"} {
		s := zlogin(t, z, "-l", user, "w", "id")
		if s.exit != 1 || s.out != "" || strings.Count(s.err, "\n") != 1 || !strings.HasPrefix(s.err, "zlogin: ") {
			t.Errorf("login as %s: %v\nwant one line and exit 1", user, s)
		}
	}
	inZone(t, z, "w", "sed -i '/^dave/d;/^:/d' /etc/passwd")
}

// statuses: each exit status comes through as it is.
func statuses(t *testing.T, z *testenv.Zones) {
	step := 1
	if testing.Short() {
		step = 17
	}
	each(255/step+1, func(i int) {
		i *= step
		_, errs, exit, err := z.Try("", "zlogin", "w", "exit "+strconv.Itoa(i))
		if err != nil || exit != i || errs != "" {
			t.Errorf("exit %d gives %d %q, %v", i, exit, errs, err)
		}
	})
}

// deaths: a command that a signal killed gives 128 and its number, as a shell tells it.
func deaths(t *testing.T, z *testenv.Zones) {
	var list []unix.Signal
	for s := unix.Signal(1); s <= 64; s++ {
		switch s {
		case unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH: // ignored
		case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU: // stop
		case 32, 33: // the C library's own
		default:
			if s <= 31 || s == 34 || s == 64 {
				list = append(list, s)
			}
		}
	}
	each(len(list), func(i int) {
		s := list[i]
		// The shell is replaced, so that it is the command itself that dies.
		command := fmt.Sprintf("ulimit -c 0; exec sh -c 'kill -%d $$; sleep 20; exit 3'", s)
		_, errs, exit, err := z.Try("", "zlogin", "w", command)
		if err != nil || exit != 128+int(s) || errs != "" {
			t.Errorf("signal %d gives %d %q, %v; want %d", s, exit, errs, err, 128+int(s))
		}
	})
}

// streamBytes go each way.
const streamBytes = 8 << 20

// streams: input, output and error output are three things, and any bytes pass.
func streams(t *testing.T, z *testenv.Zones) {
	input := make([]byte, streamBytes)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(input)
	out, errs, exit := z.RunInput(string(input), "zlogin", "w", as("streams"))
	if exit != 77 {
		t.Fatalf("exit %d, want 77: %.200q", exit, errs)
	}
	for name, c := range map[string]struct {
		got string
		key byte
	}{"output": {out, outKey}, "error output": {errs, errKey}} {
		want := make([]byte, 0, len(input))
		for _, b := range input {
			want = append(want, b^c.key)
		}
		if sha256.Sum256([]byte(c.got)) != sha256.Sum256(want) {
			t.Errorf("%s: %d bytes, not the %d that were meant", name, len(c.got), len(want))
		}
	}
	// Input that nobody reads, and no input: both end.
	if out, errs, exit := z.RunInput(string(input), "zlogin", "w", "echo done"); exit != 0 || out != "done\n" {
		t.Errorf("unread input: %v", said{out, errs, exit})
	}
	if out, errs, exit := z.RunInput("words", "zlogin", "-n", "w", "cat; echo end"); exit != 0 || out != "end\n" {
		t.Errorf("zlogin -n: %v", said{out, errs, exit})
	}
}

// signals that zlogin gets are the command's.
func signals(t *testing.T, z *testenv.Zones) {
	for _, s := range []struct {
		sig  unix.Signal
		name string
	}{{unix.SIGHUP, "HUP"}, {unix.SIGINT, "INT"}, {unix.SIGQUIT, "QUIT"}, {unix.SIGTERM, "TERM"}, {unix.SIGUSR1, "USR1"}, {unix.SIGUSR2, "USR2"}} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			// The whole group gets it, as from a terminal: the shell's trap answers, and the shell
			// may tell of the sleep that died. No $(): bash reads what is in it again when it expands it,
			// and a trap that comes just then is an error of syntax.
			script := fmt.Sprintf("trap 'echo got %s; exit 42' %s; n=0; echo ready; while test $n -lt 600; do sleep 0.1; n=$((n + 1)); done", s.name, s.name)
			got, exit := signalled(t, z, s.sig, script)
			if exit != 42 || strings.Count(got, "got "+s.name+"\n") != 1 {
				t.Errorf("exit %d, output %q", exit, got)
			}
		})
	}
	t.Run("deadly", func(t *testing.T) {
		t.Parallel()
		if got, exit := signalled(t, z, unix.SIGTERM, "echo ready; exec sleep 600"); exit != 128+15 {
			t.Errorf("exit %d, want %d; output %q", exit, 128+15, got)
		}
	})
}

// signalled runs a script in the zone, sends zlogin the signal once it said "ready", and
// gives what came.
func signalled(t *testing.T, z *testenv.Zones, sig unix.Signal, script string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Deadline(60*time.Second))
	defer cancel()
	model := z.Cmd("zlogin", "w", script)
	cmd := exec.CommandContext(ctx, model.Path, model.Args[1:]...)
	cmd.Env, cmd.Dir = model.Env, model.Dir
	var out notify
	out.ready = make(chan struct{})
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	select {
	case <-out.ready:
		must(t, cmd.Process.Signal(sig))
	case <-ctx.Done():
		t.Error("the command was not started")
	}
	_ = cmd.Wait()
	exit := cmd.ProcessState.ExitCode()
	if exit < 0 {
		exit = 128 + int(cmd.ProcessState.Sys().(interface{ Signal() unix.Signal }).Signal())
	}
	return out.text.String(), exit
}

// notify is a buffer that says when the first line is there.
type notify struct {
	text  bytes.Buffer
	ready chan struct{}
	told  bool
}

func (n *notify) Write(p []byte) (int, error) {
	n.text.Write(p)
	if !n.told && bytes.Contains(n.text.Bytes(), []byte("ready\n")) {
		n.told = true
		close(n.ready)
	}
	return len(p), nil
}

// terminal: an interactive login of a user has a terminal of the zone's, and its size.
func terminal(t *testing.T, z *testenv.Zones) {
	p := z.Pty("zlogin", "-l", "alice", "w")
	p.Expect(`\[Connected to zone 'w' pts/\d+\]`)
	p.Expect(`\$ `)
	p.Send("tty; stty size; id -un; exit 9\n")
	p.Expect(`/dev/pts/\d+\r\n24 80\r\nalice\r\n`)
	p.Expect(`\[Connection to zone 'w' pts/\d+ closed\]`)
	if exit := p.Wait(); exit != 0 {
		t.Errorf("an interactive login ends with %d, want 0", exit)
	}
}
