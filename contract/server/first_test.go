package server

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// follower is a program that reads a file of events and says what it read.
type follower struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.Writer
	lines chan string
}

// follow has cat read a file of the zone's, from now on.
func (r *rig) follow(uid int, file string) *follower {
	return r.following(r.cmd(uid, "cat", r.fs+"/process/"+file))
}

// following reads what a command says, line by line.
func (r *rig) following(c *exec.Cmd) *follower {
	r.t.Helper()
	f := &follower{t: r.t, cmd: c, lines: make(chan string, 1<<16)}
	in, err := c.StdinPipe()
	check(r.t, err)
	f.in = in
	out, err := c.StdoutPipe()
	check(r.t, err)
	c.Stderr = os.Stderr
	check(r.t, c.Start())
	go func() {
		defer close(f.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			f.lines <- in.Text()
		}
		_ = c.Wait()
	}()
	r.followers = append(r.followers, f)
	return f
}

// until gives the lines up to and with the first that holds want.
func (f *follower) until(want string) []string {
	f.t.Helper()
	return f.untilWithin(20*time.Second, want)
}

func (f *follower) untilWithin(within time.Duration, want string) []string {
	f.t.Helper()
	var got []string
	limit := time.After(testenv.Deadline(within))
	for {
		select {
		case line, ok := <-f.lines:
			if !ok {
				f.t.Fatalf("the file ended before %q; it gave\n%s", want, strings.Join(got, "\n"))
			}
			got = append(got, line)
			if strings.Contains(line, want) {
				return got
			}
		case <-limit:
			f.t.Fatalf("waited in vain for %q; the file gave\n%s", want, strings.Join(got, "\n"))
		}
	}
}

// A contract is started through a template by clone3, where the host's sources of events are
// what they are, and its events are read by cat.
func TestFirst(t *testing.T) {
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, source)
			cat := r.follow(0, "bundle")
			r.awaitReader()
			b, code := r.run(r.client(0, "start", "informative fork exit\n", "/bin/sh", "-c", "exit 3"))
			out := string(b)
			if code != 0 || !strings.HasPrefix(out, "contract ") || !strings.Contains(out, " exit 3\n") || !strings.Contains(out, " crit noack process empty pid=") {
				t.Errorf("%d\n%s", code, out)
			}
			lines := cat.until(" empty ")
			kinds := ""
			for _, line := range lines {
				kinds += strings.Fields(line)[5] + " "
			}
			want := []string{"fork exit empty "}
			switch {
			case name == "cgroup":
				want = append(want, "fork empty ")
			case name == "pidfd" && !testenv.Has(testenv.PidfdInfo):
				// The status of who was reaped is lost there: the parent may be faster.
				want = append(want, "fork lost empty ")
			}
			if !slices.Contains(want, kinds) {
				t.Errorf("cat read\n%s", strings.Join(lines, "\n"))
			}
		})
	}
}

// awaitReader waits until somebody reads the bundle: informative events are not kept for who
// comes later.
func (r *rig) awaitReader() {
	r.t.Helper()
	testenv.Eventually(r.t, func() bool {
		n := 0
		check(r.t, r.srv.inbox.run(func() { n = len(r.srv.waits.byUnique) }))
		return n > 0
	}, "a reader")
}
