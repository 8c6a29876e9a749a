package keeper

import (
	"bufio"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// spawnOrphans makes processes whose parents do not wait for them, and writes down which number
// ended with which code. Perl is on every Debian; a shell would reap some of them.
const spawnOrphans = `
use POSIX;
my ($n, $list) = @ARGV;
open(my $f, ">>", $list) or die; select($f); $| = 1;
for my $i (0 .. $n-1) {
	my $parent = fork() // die;
	if (!$parent) {
		my $child = fork() // die;
		POSIX::_exit($i % 251) if !$child;
		print "$child ", $i % 251, "\n";
		POSIX::_exit(0);
	}
	waitpid($parent, 0);
}
rename($list, "$list.done") or die;
`

// heard reads what the supervisors wrote down: how each process ended, by each supervisor.
func (r *rig) heard() (byProcess map[string][]string, doubled []string) {
	byProcess = map[string][]string{}
	files, _ := filepath.Glob(filepath.Join(r.dir, "deaths.*"))
	for _, name := range files {
		f, err := os.Open(name)
		check(r.t, err)
		seen := map[string]bool{}
		for in := bufio.NewScanner(f); in.Scan(); {
			var pid, start, status int
			if n, _ := fmt.Sscan(in.Text(), &pid, &start, &status); n != 3 {
				continue // the last line of one that was killed
			}
			process := fmt.Sprintf("%d %d", pid, start)
			if seen[process] {
				doubled = append(doubled, process)
			}
			seen[process] = true
			byProcess[process] = append(byProcess[process], strconv.Itoa(status))
		}
		f.Close()
	}
	return byProcess, doubled
}

// Ten thousand quick orphans while supervisors are killed: each end is told, with its code and
// its start, to each supervisor at most once. Numbers come round meanwhile on hosts that have
// 32,768 of them, which must confuse nobody.
func TestOrphans(t *testing.T) {
	const orphans, killsMax = 10_000, 100
	r := start(t)
	s := r.serving()
	list := filepath.Join(r.dir, "orphans")
	perl := s.do("run perl " + r.script(spawnOrphans) + " " + strconv.Itoa(orphans) + " " + list)
	kills, done := 0, false
	for !done {
		time.Sleep(time.Duration(rand.Intn(80)) * time.Millisecond)
		if kills < killsMax {
			s.kill(unix.SIGKILL)
			kills++
			s = r.serving()
		}
		_, err := os.Stat(list + ".done")
		done = err == nil
	}
	want := expected(t, list+".done")
	want[perl] = append(want[perl], "0")
	var got map[string][]string
	var doubled []string
	testenv.Eventually(t, func() bool { got, doubled = r.heard(); return len(got) >= orphans+1 }, "all deaths to be told")
	if len(doubled) > 0 {
		t.Errorf("told twice to one supervisor: %v", doubled)
	}
	if len(got) != orphans+1 {
		t.Errorf("%d processes are said to have ended", len(got))
	}
	if byNumber := inOrder(t, got); !maps.EqualFunc(byNumber, want, slices.Equal) {
		for pid := range want {
			if !slices.Equal(byNumber[pid], want[pid]) {
				t.Errorf("number %s ended with %v, not %v", pid, byNumber[pid], want[pid])
			}
		}
	}
	t.Logf("%d supervisors were killed meanwhile; %d of %d numbers were used again", kills, len(got)-len(want), len(want))
}

// inOrder gives how the processes of each number ended, the one that started first at first.
// Every supervisor that heard of a process must have heard the same.
func inOrder(t *testing.T, got map[string][]string) map[string][]string {
	t.Helper()
	starts, ends := map[string][]int{}, map[string]map[int]string{}
	for process, statuses := range got {
		var pid string
		var start int
		_, err := fmt.Sscan(process, &pid, &start)
		check(t, err)
		for _, s := range statuses {
			if s != statuses[0] {
				t.Errorf("process %s ended with %v", process, statuses)
			}
		}
		starts[pid] = append(starts[pid], start)
		if ends[pid] == nil {
			ends[pid] = map[int]string{}
		}
		ends[pid][start] = statuses[0]
	}
	byNumber := map[string][]string{}
	for pid, list := range starts {
		slices.Sort(list)
		for _, start := range list {
			byNumber[pid] = append(byNumber[pid], ends[pid][start])
		}
	}
	return byNumber
}

// expected reads that list: the wait statuses of each number, in the order of its use.
func expected(t *testing.T, name string) map[string][]string {
	t.Helper()
	f, err := os.Open(name)
	check(t, err)
	defer f.Close()
	want := map[string][]string{}
	for in := bufio.NewScanner(f); in.Scan(); {
		var pid string
		var code int
		if _, err := fmt.Sscan(in.Text(), &pid, &code); err != nil {
			t.Fatal(err)
		}
		want[pid] = append(want[pid], strconv.Itoa(code<<8))
	}
	return want
}

// A death that a supervisor heard and did not forget is told to the next; one that it forgot
// is not.
func TestDeathsUntilForgotten(t *testing.T) {
	k, theirs := local(t)
	k.deaths.add(Death{Pid: 10, Start: 100, Status: 1 << 8})
	k.deaths.add(Death{Pid: 10, Start: 200, Status: 9}) // the same number again
	c, h := greet(t, k, theirs)
	if len(h.Deaths) != 2 || h.Deaths[0].Start != 100 || h.Deaths[1].Status != 9 {
		t.Fatalf("%+v", h.Deaths)
	}
	check(t, c.Forget(h.Deaths[1]))
	check(t, c.Forget(Death{Pid: 10, Start: 300}))
	serve(k)
	k.deaths.add(Death{Pid: 11, Start: 300})
	serve(k)
	if d, err := c.Next(); err != nil || d.Pid != 11 {
		t.Fatalf("%+v %v", d, err)
	}
	k.hangUp()
	h.Close()
	theirs = relink(t, k)
	_, h = greet(t, k, theirs)
	defer h.Close()
	if len(h.Deaths) != 2 || h.Deaths[0].Start != 100 || h.Deaths[1].Pid != 11 {
		t.Fatalf("the next one hears %+v", h.Deaths)
	}
}

func TestTooManyDeaths(t *testing.T) {
	var d deaths
	for i := range DeathsMax + 10 {
		if d.add(Death{Pid: i}) != (i < DeathsMax) {
			t.Fatalf("death %d", i)
		}
		if i == 100 {
			d.sent = 50
		}
	}
	if len(d.list) != DeathsMax || d.list[0].Pid != 10 || d.sent != 40 || d.lost != 10 {
		t.Fatalf("%d deaths from %d on, %d sent, %d lost", len(d.list), d.list[0].Pid, d.sent, d.lost)
	}
	d.forget(20, 0) // was sent
	d.forget(1000, 0)
	if d.sent != 39 || len(d.list) != DeathsMax-2 {
		t.Fatalf("%d sent of %d", d.sent, len(d.list))
	}
}

// While nobody reads, deaths wait; all of them arrive once somebody does.
func TestDeathsForAStoppedSupervisor(t *testing.T) {
	k, theirs := local(t)
	c, h := greet(t, k, theirs)
	defer h.Close()
	for i := range 3000 {
		k.deaths.add(Death{Pid: i + 1, Start: uint64(i)})
		k.flush()
	}
	if k.deaths.sent == 3000 || k.link.events&unix.EPOLLOUT == 0 {
		t.Fatalf("%d sent into a socket that nobody reads", k.deaths.sent)
	}
	for i := range 3000 {
		k.flush()
		d, err := c.Next()
		if err != nil || d.Pid != i+1 || d.Start != uint64(i) {
			t.Fatalf("death %d: %+v %v", i, d, err)
		}
	}
	k.flush()
	if k.link.events&unix.EPOLLOUT != 0 {
		t.Fatal("waits for room with nothing to send")
	}
}

// The number and start of a zombie name it.
func TestReap(t *testing.T) {
	exe, err := os.Executable()
	check(t, err)
	null, err := os.Open(os.DevNull)
	check(t, err)
	defer null.Close()
	p, err := os.StartProcess(exe, []string{exe, "-test.run=^$"}, &os.ProcAttr{Files: []*os.File{null}, Env: []string{roleVariable + "=supervisor"}})
	check(t, err)
	want, err := sys.StartTime(p.Pid)
	check(t, err)
	var d Death
	testenv.Eventually(t, func() (ok bool) { d, ok = reap(); return ok }, "the child's end")
	if d.Pid != p.Pid || d.Start != want || d.Status.ExitStatus() != 98 {
		t.Fatalf("%+v, want %d of %d", d, p.Pid, want)
	}
	if d, ok := reap(); ok {
		t.Fatalf("a second death: %+v", d)
	}
	_ = p.Release()
}
