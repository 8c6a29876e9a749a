package console

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/console/logfile"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const zoneName = "c"

// booted is an instance with one zone that runs and whose console is quiet.
func booted(t *testing.T, commands ...string) *testenv.Zones {
	t.Helper()
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	z := testenv.Instance(t)
	z.Sparse(zoneName, commands...)
	z.Must("zoneadm", "-z", zoneName, "boot")
	z.ServicesUp(zoneName)
	testenv.Eventually(t, func() bool { return strings.Contains(shown(z), "# ") }, "the console's prompt")
	return z
}

// shown is what zoneadm console-log prints.
func shown(z *testenv.Zones) string {
	out, _, _ := z.Zoneadm("-z", zoneName, "console-log")
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// number is which number's line position pos is in, and the position where that line begins.
func number(pos uint64) (n, begin uint64) {
	count, bytes := uint64(9), uint64(3) // of one digit, with CR and LF
	first := uint64(1)
	for pos-begin >= count*bytes {
		begin += count * bytes
		first *= 10
		count, bytes = count*10, bytes+1
	}
	k := (pos - begin) / bytes
	return first + k, begin + k*bytes
}

// fill writes what the zone writes from position pos on: 1, 2, 3, each a line.
func fill(p []byte, pos uint64) {
	n, begin := number(pos)
	line := strconv.AppendUint(nil, n, 10)
	line = append(line, '\r', '\n')
	for k := copy(p, line[pos-begin:]); k < len(p); {
		n++
		line = append(strconv.AppendUint(line[:0], n, 10), '\r', '\n')
		k += copy(p[k:], line)
	}
}

// begins is what comes before the first number, and nowhere else; ends what comes behind the last,
// wherever the writer was cut off.
const begins, ends = "START\r\n", "FINIS\r\n"

var lostText = regexp.MustCompile(`^\r\n\[NOTICE: (\d+) bytes? of console output lost\]\r\n`)

const lostTextMax = 80

// follower compares a stream with what the zone writes. What the stream says to be missing is
// left out and counted.
type follower struct {
	mu      sync.Mutex // guards what follows
	started bool
	buf     []byte
	pos     uint64
	ended   bool // pos is where
	lost    uint64
	gaps    int
	err     error
}

func (f *follower) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.buf = append(f.buf, p...)
		f.err = f.compare()
	}
	return len(p), f.err
}

func (f *follower) compare() error {
	if !f.started {
		i := bytes.Index(f.buf, []byte(begins))
		if i < 0 {
			return nil
		}
		f.started, f.buf = true, f.buf[i+len(begins):]
	}
	if f.ended {
		f.buf = nil
		return nil
	}
	want := make([]byte, len(f.buf))
	for len(f.buf) > 0 {
		want = want[:len(f.buf)]
		fill(want, f.pos)
		same := 0
		for same < len(want) && f.buf[same] == want[same] {
			same++
		}
		if same == len(want) {
			f.pos, f.buf = f.pos+uint64(same), f.buf[:0]
			return nil
		}
		cut, ok := f.gap(same)
		if !ok && bytes.HasPrefix(f.buf[same:], []byte(ends)) {
			f.pos, f.ended, f.buf = f.pos+uint64(same), true, nil
			return nil
		}
		if !ok {
			if len(f.buf)-same < lostTextMax { // a text may be on its way
				keep := max(0, same-2)
				f.pos += uint64(keep)
				f.buf = append(f.buf[:0], f.buf[keep:]...)
				return nil
			}
			return fmt.Errorf("wrong byte at %d: %q, want %q", f.pos+uint64(same), f.buf[same:same+40], want[same:min(same+40, len(want))])
		}
		f.buf = f.buf[cut:]
	}
	return nil
}

// gap takes a text that begins at the first byte that differs, or one or two before it: its own
// CR and LF may be what was expected.
func (f *follower) gap(same int) (cut int, ok bool) {
	for before := min(2, same); before >= 0; before-- {
		m := lostText.FindSubmatch(f.buf[same-before:])
		if m == nil {
			continue
		}
		n, _ := strconv.ParseUint(string(m[1]), 10, 64)
		f.pos += uint64(same-before) + n
		f.lost += n
		f.gaps++
		return same - before + len(m[0]), true
	}
	return 0, false
}

// at is how far the stream came; the test fails if it was wrong.
func (f *follower) at(t testing.TB) (pos, lost uint64) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		t.Fatal(f.err)
	}
	return f.pos + uint64(len(f.buf)), f.lost
}

// client is a zlogin -C on pipes.
type client struct {
	follower
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
}

// attach starts a client and waits until it is attached.
func attach(t *testing.T, z *testenv.Zones, args ...string) *client {
	t.Helper()
	c := &client{name: strings.Join(args, " "), cmd: z.Cmd("zlogin", append(args, "-E", zoneName)...)}
	var err error
	c.in, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	first := make([]byte, 1)
	_, err = io.ReadFull(out, first) // the banner
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.CopyBuffer(&c.follower, out, make([]byte, 1<<16))
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-done
		_ = c.cmd.Wait()
		c.in.Close()
	})
	return c
}

// flood has the zone write numbers until stop is called, which gives the position of the last.
func flood(t *testing.T, z *testenv.Zones) (stop func()) {
	t.Helper()
	z.In(zoneName, `setsid sh -c 'echo START >/dev/console; exec seq 1 100000000000 >/dev/console' </dev/null >/dev/null 2>&1 & echo $! >/var/tmp/flood`)
	return func() {
		z.In(zoneName, `p=$(cat /var/tmp/flood); kill -9 $p; while kill -0 $p 2>/dev/null; do sleep 0.05; done; echo FINIS >/dev/console`)
	}
}

// logDir is where the zone's console log is.
func logDir(z *testenv.Zones) string { return filepath.Join(z.Root, "var/log/zones") }

// compareLog compares all of the log that there is.
func compareLog(t *testing.T, z *testenv.Zones) *follower {
	t.Helper()
	r, err := logfile.OpenReader(logDir(z), zoneName)
	must(t, err)
	defer r.Close()
	f := &follower{}
	if _, err := io.CopyBuffer(f, struct{ io.Reader }{r}, make([]byte, 1<<20)); err != nil {
		t.Fatalf("the log: %v", err)
	}
	return f
}

// killZoned kills the supervisor and waits for the next one.
func killZoned(t *testing.T, z *testenv.Zones) {
	t.Helper()
	old := z.KillZoned(zoneName)
	testenv.Eventually(t, func() bool {
		pid := z.PID(zoneName, "zoned")
		return pid != 0 && pid != old && z.Status(zoneName).Zoned.Pid == pid
	}, "another supervisor")
}

// zonedLog is what the supervisors said.
func zonedLog(z *testenv.Zones) string {
	b, _ := os.ReadFile(filepath.Join(logDir(z), zoneName+".log"))
	return string(b)
}

// end waits until a client has read all that was written, and gives how much that was.
func end(t *testing.T, c *client) (pos uint64) {
	t.Helper()
	testenv.EventuallyWithin(t, time.Minute, func() bool {
		pos, _ = c.at(t)
		return c.over()
	}, "the end of what was written")
	return pos
}

// over says whether the end of what was written has come.
func (f *follower) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

func signal(t *testing.T, c *client, sig unix.Signal) {
	t.Helper()
	must(t, c.cmd.Process.Signal(sig))
}

func TestNumbers(t *testing.T) {
	var all []byte
	for i := 1; i < 12_345; i++ {
		all = fmt.Appendf(all, "%d\r\n", i)
	}
	for pos := range len(all) - 40 {
		var p [40]byte
		if fill(p[:], uint64(pos)); string(p[:]) != string(all[pos:pos+40]) {
			t.Fatalf("at %d: %q, want %q", pos, p, all[pos:pos+40])
		}
	}
}
