package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// stormPause is between two kills: a keeper whose supervisor dies more than ten times in ten
// seconds waits before it starts the next, which is not what is looked at here.
const stormPause = 1050 * time.Millisecond

// TestStorm kills the supervisor fifty times while its zone writes to the console as fast as
// it can, a client records it, and others boot, halt and list other zones.
func TestStorm(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	z.Sparse("a")
	z.Sparse("b")
	install(t, z, "a")
	silent(t, z, "a", "boot")
	// What the zone's services say on the console, they say when they start.
	z.ServicesUp("a")
	rec := record(t, z)
	before := z.Status("a")
	run(t, z, "exec env "+as("saturate", "/var/tmp/stop", "/var/tmp/record"))
	stop := make(chan struct{})
	others := make(chan int, 1)
	go func() { others <- bystanders(t, z, stop) }()
	random := rand.New(rand.NewPCG(5, 6))
	kills := count(50)
	for i := range kills {
		time.Sleep(stormPause + time.Duration(random.IntN(50))*time.Millisecond)
		successor(t, z, "a", z.KillZoned("a"))
		if i%10 == 9 {
			tryKillZoned(z, "b", unix.SIGKILL)
		}
	}
	close(stop)
	commands := <-others
	if err := os.WriteFile(inside(z, "a", "/var/tmp/stop"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got := rec.end(t)
	if after := z.Status("a"); after.Init != before.Init || !alive(after.Init) {
		t.Errorf("init was %+v, is %+v", before.Init, after.Init)
	}
	var lines int
	var stall string
	text, err := os.ReadFile(inside(z, "a", "/var/tmp/record"))
	if _, serr := fmt.Sscan(string(text), &lines, &stall); err != nil || serr != nil {
		t.Fatalf("the writer's record: %q %v %v", text, err, serr)
	}
	if got.lines != lines {
		t.Errorf("the client got %d lines, %d were written", got.lines, lines)
	}
	t.Logf("%d kills, %d commands, %d bytes compared; longest stall of the writer %s, of the reader %v",
		kills, commands, got.lines*(lineBytes+1), stall, got.stall.Round(time.Millisecond))
	silent(t, z, "a", "halt")
	if s := zoneadm(t, z, "b", "halt"); s.exit != 0 {
		t.Error(s)
	}
	nothingRuns(t, z)
}

// bystanders boot, halt and list zones until they are told to stop, and count their commands.
// Of a zone whose supervisor dies at its very start, that is said.
func bystanders(t *testing.T, z *testenv.Zones, stop <-chan struct{}) (n int) {
	ask := func(args ...string) {
		n++
		out, errs, exit, err := z.Try("", "zoneadm", args...)
		if err != nil || exit != 0 && !strings.Contains(errs, "died before signaling startup") {
			t.Errorf("zoneadm %q: exit %d, %v\n%s%s", args, exit, err, out, errs)
		}
	}
	for {
		for _, args := range [][]string{{"-z", "b", "boot"}, {"list", "-cv"}, {"-z", "a", "list", "-p"}, {"-z", "b", "reboot"}, {"-z", "a", "boot"}, {"-z", "b", "halt"}} {
			select {
			case <-stop:
				return n
			default:
			}
			if args[len(args)-1] == "reboot" && z.Status("b").State != "running" {
				continue // its boot was refused, and said so
			}
			ask(args...)
		}
	}
}

// recorded is what a client of the console got.
type recorded struct {
	lines int
	stall time.Duration
	err   error
}

// recorder is a client of the console that compares every byte.
type recorder struct {
	cmd  *exec.Cmd
	errs output
	done chan recorded
}

// record starts a client. Its output is a pipe, which is not the terminal's business.
func record(t *testing.T, z *testenv.Zones) *recorder {
	t.Helper()
	r := &recorder{cmd: z.Cmd("zlogin", "-C", "a"), done: make(chan recorded, 1)}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = &r.errs
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	connected := make(chan bool, 1)
	go func() { r.done <- compare(out, connected) }()
	select {
	case <-connected:
	case <-time.After(testenv.Deadline(time.Minute)):
		t.Fatalf("zlogin -C does not connect: %s", r.errs.String())
	}
	return r
}

// end waits for the pattern's end.
func (r *recorder) end(t *testing.T) recorded {
	t.Helper()
	select {
	case got := <-r.done:
		if got.err != nil {
			t.Errorf("the console: %v; %d lines were right; stderr %q", got.err, got.lines, r.errs.String())
		}
		_ = r.cmd.Process.Signal(unix.SIGTERM)
		_ = r.cmd.Wait()
		return got
	case <-time.After(testenv.Deadline(3 * time.Minute)):
		t.Fatalf("the end of the pattern did not come; stderr %q", r.errs.String())
	}
	return recorded{}
}

// compare reads the console: what came before the pattern, each of its lines, its end.
func compare(out io.Reader, connected chan<- bool) (got recorded) {
	in := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			got.err = err
			return got
		}
		if strings.HasPrefix(line, "[Connected") {
			connected <- true
		}
		// The shell's prompt may stand before the first.
		if strings.HasSuffix(line, strings.TrimSpace(patternLine(0))+"\r\n") {
			break
		}
	}
	got.lines = 1
	last := time.Now()
	want := []byte(patternLine(0))
	want = append(want[:lineBytes-1], '\r', '\n')
	for {
		increment(want[:lineBytes-1])
		line, err := in.ReadSlice('\n')
		if err != nil {
			got.err = err
			return got
		}
		now := time.Now()
		got.stall, last = max(got.stall, now.Sub(last)), now
		if string(line) == "end of pattern\r\n" {
			return got
		}
		if string(line) != string(want) {
			got.err = fmt.Errorf("line %d is %q, want %q", got.lines, line, want)
			return got
		}
		got.lines++
	}
}

// increment adds one to a decimal number.
func increment(digits []byte) {
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i]++; digits[i] <= '9' {
			return
		}
		digits[i] = '0'
	}
}
