package server

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
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

// leaveClient starts a process in a new contract, and dies before it can name it.
func leaveClient(args []string) error {
	fs, err := contract.OpenAt(args[0])
	if err != nil {
		return err
	}
	t, err := fs.Template()
	if err != nil {
		return err
	}
	if err := t.Set(contract.DefaultTerms()); err != nil {
		return err
	}
	_, _, err = t.StartFunc(func(b *contract.Birth) (*os.Process, error) {
		p, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{Env: os.Environ(), Sys: b.Sys(nil)})
		if err == nil {
			fmt.Println("left", b.ID, p.Pid)
			_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
			select {}
		}
		return p, err
	})
	return err
}

// A maker that dies after its process is born, and of whose end the server hears before it hears of
// the birth, has made a contract all the same, and with this first member: whoever takes it over goes
// by that. Until the word comes nobody takes it for anything, nor away.
func TestLeftBeforeTheWord(t *testing.T) {
	for _, killed := range []bool{false, true} {
		r, c := startChild(t, withBPF)
		c.kill()
		c = r.spawnWith(order{Deaf: true})
		var ct, pid int
		client := r.following(r.client(0, "leave"))
		if _, err := fmt.Sscanf(client.until("left ")[0], "left %d %d", &ct, &pid); err != nil {
			t.Fatal(err)
		}
		for range client.lines {
		}
		time.Sleep(testenv.Deadline(50 * time.Millisecond)) // its end is told, and more
		c.kill()
		if killed {
			check(t, exec.Command("kill", "-9", fmt.Sprint(r.onHost(pid))).Run())
		}
		c = r.spawn(0) // which hears
		if killed {
			testenv.Eventually(t, func() bool { return len(r.dirs()) == 1 }, "nothing to be left of who ended")
		} else {
			testenv.Eventually(t, func() bool { return strings.HasPrefix(r.status(ct, "initial")+" ", fmt.Sprint(pid, " ")) }, "the first member's number")
			if out, code := r.sh(0, fmt.Sprintf("grep -q '^state orphan' process/%d/status && kill -9 %d", ct, pid)); code != 0 {
				t.Errorf("%s", out)
			}
		}
		c.kill()
	}
}

// onHost is the host's number of a process of the zone.
func (r *rig) onHost(pid int) int {
	r.t.Helper()
	entries, err := os.ReadDir("/proc")
	check(r.t, err)
	for _, e := range entries {
		status, err := os.ReadFile("/proc/" + e.Name() + "/status")
		if err == nil && strings.Contains(string(status), "\nNSpid:\t"+e.Name()+"\t"+fmt.Sprint(pid)+"\n") {
			if n, err := strconv.Atoi(e.Name()); err == nil && r.inZone(n) {
				return n
			}
		}
	}
	r.t.Fatalf("process %d of the zone is not there", pid)
	return 0
}

// inZone says whether a process is of this zone.
func (r *rig) inZone(pid int) bool {
	ours, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", r.initPid))
	theirs, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	return err == nil && err2 == nil && ours == theirs
}
