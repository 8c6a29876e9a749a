package kernel

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/collector/load"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// collecting is a rig whose zone is told by the collector.
func collecting(t testing.TB) *rig {
	t.Helper()
	testenv.Need(t, testenv.BTF)
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	check(t, r.z.Close())
	r.z = nil
	c, ring, id := collect(t, r.root)
	end, err := NewCollector(c, ring, id, func(uint64) string { return "other" })
	check(t, err)
	r.open(Config{Collector: end})
	return r
}

// collect loads a collector for the zone alone.
func collect(t testing.TB, root string) (*collector.Collector, *sys.FD, uint64) {
	t.Helper()
	var st unix.Stat_t
	check(t, unix.Stat(root, &st))
	dir := filepath.Join(t.TempDir(), "bpf")
	bpfDirs[root] = dir
	c, err := collector.Ensure(dir, st.Ino, load.Into)
	check(t, err)
	t.Cleanup(func() { check(t, collector.Leave(dir, st.Ino)) })
	ring, err := collector.NewRing(collector.RingBytes)
	check(t, err)
	check(t, c.AddZone(st.Ino, ring))
	return c, ring, st.Ino
}

// pumping reads reports beside the test, as a loop would, until the returned function is called.
func (r *rig) pumping() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			r.pump()
			fds := []unix.PollFd{{Fd: int32(r.z.FD()), Events: unix.POLLIN}}
			_, _ = unix.Poll(fds, 20)
		}
	})
	return func() { close(done); wg.Wait() }
}

var workloadSize = testenv.Rounds(200, 40)

// A program that is executed by another thread than the first is no end of the process, though
// the first thread's is told.
func TestExecByThread(t *testing.T) {
	room(t)
	for name, rig := range map[string]func() *rig{
		"bpf":       func() *rig { return collecting(t) },
		"connector": func() *rig { return newRig(t, Config{Off: SourceBPF}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rig()
			d := r.make(5, contract.AllEvents)
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), roleVariable+"=execute")
			in, err := cmd.StdinPipe()
			check(t, err)
			stop := r.pumping()
			startIn(t, d.Born, nil, cmd)
			testenv.Eventually(t, func() bool { return commOf(cmd.Process.Pid) == "sh" }, "the shell to be executed")
			stop()
			r.settled()
			if n := r.count(5, contract.Fork); n != 1 || r.count(5, contract.Exit)+r.count(5, contract.Empty) != 0 {
				t.Errorf("after the execution: %+v", r.got)
			}
			_, err = in.Write([]byte("\n"))
			check(t, err)
			_ = cmd.Wait()
			r.awaitEmpty(5)
			var codes []uint32
			for _, p := range r.got {
				if p.What == Happened && p.Fact.Event == contract.Exit {
					codes = append(codes, p.Fact.Status>>8)
				}
			}
			if !slices.Equal(codes, []uint32{3, 4}) || r.count(5, contract.Fork) != 2 || r.z.Lost() != 0 {
				t.Errorf("ends with %v, %d lost: %+v", codes, r.z.Lost(), r.got)
			}
		})
	}
}

// A member that was told of while nobody was known to be born, and so not heard, is told of
// again when it is named: its contract was empty, or is.
func TestBornAfterItsEnd(t *testing.T) {
	room(t)
	for _, off := range []Source{SourceBPF, SourceBPF | SourceConnector} {
		r := newRig(t, Config{Off: off})
		d := r.make(5, contract.AllEvents)
		cmd := born(t, d.Born, nil, "/bin/true")
		p := procOf(t, cmd.Process.Pid)
		testenv.Eventually(t, func() bool { s, err := readStat(p.Pid); return err == nil && s.state == 'Z' }, "its end")
		place := r.z.tree.places[5]
		r.settled()
		if !place.watch.told { // by the notice of its cgroup
			r.z.empty(place, table.Proc{}, 1)
		}
		r.pump()
		told := r.count(5, contract.Empty)
		check(t, r.z.Born(5, p))
		testenv.Eventually(t, func() bool { r.settled(); return r.count(5, contract.Empty) > told }, "Empty to be told again")
		_ = cmd.Wait()
	}
}

// Each source alone, against the workload's own log.
func TestSources(t *testing.T) {
	room(t)
	for name, c := range map[string]struct {
		rig  func() *rig
		live Source
	}{
		"bpf":       {func() *rig { return collecting(t) }, SourceBPF | SourceCgroup},
		"connector": {func() *rig { return newRig(t, Config{Off: SourceBPF}) }, SourceConnector | SourceCgroup},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.rig()
			if got := r.z.Sources(); got != c.live {
				t.Errorf("live are %v", got)
			}
			d := r.make(5, contract.AllEvents)
			stop := r.pumping()
			log := workload(t, d.Born, workloadSize)
			stop()
			r.awaitEmpty(5)
			r.settled()
			log.compare(t, r.got, 5)
			if r.z.Lost() != 0 {
				t.Errorf("%d were lost", r.z.Lost())
			}
			check(t, r.z.Remove(5))
		})
	}
}

// A process ends with its last thread, with the status of the group.
func TestFirstThreadEndsFirst(t *testing.T) {
	room(t)
	for _, rig := range []func() *rig{
		func() *rig { return collecting(t) },
		func() *rig { return newRig(t, Config{Off: SourceBPF}) },
		func() *rig { return newRig(t, Config{Off: SourceBPF | SourceConnector}) },
	} {
		r := rig()
		d := r.make(5, contract.AllEvents)
		p, end := headless(t, d.Born)
		check(t, r.z.Born(5, p))
		r.settled()
		if n := r.count(5, contract.Exit) + r.count(5, contract.Empty); n > 0 {
			t.Errorf("%v: told was %+v", r.z.Sources(), r.got)
		}
		end()
		r.awaitEmpty(5)
		last := r.got[len(r.got)-2].Fact
		if last.Event == contract.Lost && r.z.Sources()&SourcePidfd != 0 && !testenv.Has(testenv.PidfdInfo) {
			continue // its parent was faster
		}
		if last.Event != contract.Exit || last.Status != 5<<8 || last.Member.Pid != p.Pid {
			t.Errorf("%v: told was %+v", r.z.Sources(), last)
		}
	}
}

// Without the better ones the first member's exit is told by its pidfd, whoever reaps it, and
// emptiness by cgroup.events; with these alone no more than emptiness.
func TestPoorSources(t *testing.T) {
	for _, c := range []struct {
		off  Source
		live Source
		fork int
		exit int
	}{
		{SourceBPF | SourceConnector, SourcePidfd | SourceCgroup, 1, 1},
		{SourceBPF | SourceConnector | SourcePidfd, SourceCgroup, 1, 0},
	} {
		t.Run(c.live.String(), func(t *testing.T) {
			r := newRig(t, Config{Off: c.off})
			if got := r.z.Sources(); got != c.live {
				t.Errorf("live are %v", got)
			}
			for i, death := range deaths {
				id := contract.ID(10 + i)
				d := r.make(id, contract.AllEvents)
				cmd := born(t, d.Born, nil, "/bin/sh", "-c", "ulimit -c 0; sleep 0.05; sleep 0.05 & "+death)
				check(t, r.z.Born(id, procOf(t, cmd.Process.Pid)))
				_ = cmd.Wait()
				r.awaitEmpty(id)
				r.settled()
				want := uint32(cmd.ProcessState.Sys().(syscall.WaitStatus))
				for _, p := range r.got {
					if p.Fact.Event == contract.Exit && p.Fact.Status&^0x80 != want&^0x80 {
						t.Errorf("%q: the status is %#x, told was %#x", death, want, p.Fact.Status)
					}
				}
				// Who reaps at once leaves nothing to older kernels: that is told as lost.
				exits := r.count(id, contract.Exit)
				if !testenv.Has(testenv.PidfdInfo) {
					exits += r.count(id, contract.Lost)
				}
				if r.count(id, contract.Fork) != c.fork || exits != c.exit || r.count(id, contract.Empty) != 1 {
					t.Errorf("%q: told was %+v", death, r.got)
				}
				r.got = nil
			}
		})
	}
}

// A contract whose only member is gone within a moment is told empty, whichever source there is.
func TestShortLives(t *testing.T) {
	for _, off := range []Source{SourceBPF, SourceBPF | SourceConnector, SourceBPF | SourceConnector | SourcePidfd} {
		r := newRig(t, Config{Off: off})
		for i := range 30 {
			id := contract.ID(10 + i)
			d := r.make(id, contract.AllEvents)
			cmd := born(t, d.Born, nil, "/bin/true")
			_ = cmd.Wait()
			r.awaitEmpty(id)
			check(t, r.z.Remove(id))
		}
		r.settled()
		for i := range 30 {
			if n := r.count(contract.ID(10+i), contract.Empty); n != 1 {
				t.Errorf("without %v: contract %d was told empty %d times", off, 10+i, n)
			}
		}
		check(t, r.z.Close())
		r.z = nil
	}
}

// A contract that waits for its first member is not empty, whatever happens around it.
func TestNascentIsNotEmpty(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF})
	r.make(5, contract.AllEvents)
	for _, text := range []string{"1", "0", "1", "0"} {
		check(t, os.WriteFile(r.root+"/cgroup.freeze", []byte(text), 0))
		r.settled()
	}
	if n := r.count(5, contract.Empty); n != 0 {
		t.Errorf("told empty %d times", n)
	}
	check(t, r.z.Remove(5))
}

// room has the connector keep so much more for the test that what all other tests of the host do
// meanwhile does not overrun it, while this one is held up.
func room(t *testing.T) {
	was := connectorBytes
	connectorBytes = 64 << 20
	t.Cleanup(func() { connectorBytes = was })
}

// What the connector's buffer has no place for is told as lost, and who is there afterwards is
// known again.
func TestConnectorOverrun(t *testing.T) {
	was := connectorBytes
	connectorBytes = 4096
	defer func() { connectorBytes = was }()
	r := newRig(t, Config{Off: SourceBPF})
	d := r.make(5, contract.AllEvents)
	log := workload(t, d.Born, workloadSize) // nobody reads meanwhile
	stays := born(t, d.Born, nil, "/bin/sleep", "1000")
	r.settled()
	if r.count(5, contract.Lost) == 0 || r.z.Lost() == 0 {
		t.Errorf("nothing is told lost of %d; told were %d reports", len(log.exits), len(r.got))
	}
	told := r.count(5, contract.Exit)
	// From here on there is room, for what others do too.
	check(t, unix.SetsockoptInt(r.z.connector.fd.Int(), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20))
	testenv.Eventually(t, func() bool {
		r.pump()
		return !r.z.connector.overrun && r.z.connector.has(5, procOf(t, stays.Process.Pid))
	}, "who stays to be known")
	_ = stays.Process.Kill()
	_ = stays.Wait()
	r.awaitEmpty(5)
	if r.count(5, contract.Exit) != told+1 {
		t.Errorf("%d exits, then %d: who stayed is not known", told, r.count(5, contract.Exit))
	}
	if r.count(5, contract.Empty) != 1 {
		t.Error("Empty was told more than once")
	}
	t.Logf("%d exits told of %d, lost %d", told, len(log.exits), r.z.Lost())
}

// After a time without supervisor.
func TestResync(t *testing.T) {
	room(t)
	r := newRig(t, Config{Off: SourceBPF})
	a, b := r.make(5, contract.AllEvents), r.make(6, contract.AllEvents)
	goes, stays := born(t, a.Born, nil, "/bin/sleep", "1000"), born(t, b.Born, nil, "/bin/sleep", "1000")
	check(t, r.z.Close())
	_ = goes.Process.Kill()
	_ = goes.Wait()
	r.got = nil
	r.open(Config{Off: SourceBPF})
	if l := r.z.List(); len(l) != 3 || l[1] != a || l[2] != b {
		t.Errorf("%+v", l)
	}
	for _, id := range []contract.ID{5, 6} {
		check(t, r.z.Watch(id, contract.AllEvents, 0))
	}
	check(t, r.z.Resync([]contract.ID{5, 6, 99}))
	r.awaitEmpty(5)
	r.awaitEmpty(99)
	r.settled()
	if r.count(5, contract.Lost) != 1 || r.count(6, contract.Lost) != 1 || r.count(6, contract.Empty) != 0 {
		t.Errorf("told was %+v", r.got)
	}
	_ = stays.Process.Kill()
	_ = stays.Wait()
	r.awaitEmpty(6)
	if r.count(6, contract.Exit) != 1 {
		t.Errorf("a member that was there before is not known: %+v", r.got)
	}
}

// The collector's position: what was kept is not told again, what was not is.
func TestResumeOfTheRing(t *testing.T) {
	testenv.Need(t, testenv.BTF)
	r := newRig(t, Config{Off: SourceBPF | SourceConnector})
	check(t, r.z.Close())
	r.z = nil
	c, ring, id := collect(t, r.root)
	end, err := NewCollector(c, must(ring.Dup()), id, nil)
	check(t, err)
	r.open(Config{Collector: end})
	d := r.make(5, contract.AllEvents)
	log := workload(t, d.Born, 20)
	// A supervisor that keeps what it was told of one record at a time, and dies after each
	// step, in turn before and after it has let the ring go on.
	var kept Position
	var all []Report
	for step := 0; ; step++ {
		var one [1]Report
		var n int
		testenv.Eventually(t, func() bool {
			n, err = r.z.Next(one[:])
			check(t, err)
			return n > 0
		}, "a record")
		all = append(all, one[0])
		kept = max(kept, one[0].At)
		if step%2 == 0 {
			r.z.Keep(kept)
		}
		if one[0].Fact.Event == contract.Empty {
			break
		}
		check(t, r.z.Close())
		c, err := collector.Open(dirOf(t, r))
		check(t, err)
		end, err := NewCollector(c, must(ring.Dup()), id, nil)
		check(t, err)
		r.open(Config{Collector: end, Kept: kept})
		check(t, r.z.Watch(5, contract.AllEvents, 0))
	}
	ring.Close()
	log.compare(t, all, 5)
}

var bpfDirs = map[string]string{}

func dirOf(t testing.TB, r *rig) string { return bpfDirs[r.root] }

func must(fd *sys.FD, err error) *sys.FD {
	if err != nil {
		panic(err)
	}
	return fd
}

func TestSourceWords(t *testing.T) {
	for text, want := range map[string]Source{"": 0, "bpf": SourceBPF, "connector, pidfd": SourceConnector | SourcePidfd, "cgroup": SourceCgroup} {
		if got, err := ParseSources(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseSources("bpf,ebpf"); !errors.Is(err, ErrSource) {
		t.Errorf("%v", err)
	}
	if s := (SourceBPF | SourceCgroup).String(); s != "bpf cgroup" {
		t.Errorf("%q", s)
	}
	t.Setenv(OffVariable, "bpf,connector,pidfd,cgroup")
	r := newRig(t, Config{})
	if s := r.z.Sources(); s != SourceCgroup {
		t.Errorf("%v", s)
	}
	t.Setenv(OffVariable, "nonsense")
	if _, err := Open(Config{Root: r.root}); !errors.Is(err, ErrSource) {
		t.Errorf("%v", err)
	}
}

// The probes say what Open then finds.
func TestProbes(t *testing.T) {
	r := newRig(t, Config{Off: SourceBPF})
	if (ProbeConnector() == nil) != (r.z.Sources()&SourceConnector != 0) {
		t.Errorf("connector: %v, and live are %v", ProbeConnector(), r.z.Sources())
	}
	_, err := r.z.ProcOf(int32(os.Getpid()))
	check(t, err)
	if (ProbePidfdInfo() == nil) == r.z.cache.slow {
		t.Errorf("pidfd info: %v", ProbePidfdInfo())
	}
	if (ProbePidfdExit() == nil) != testenv.Has(testenv.PidfdInfo) {
		t.Errorf("exit by pidfd: %v", ProbePidfdExit())
	}
	if (ProbeBPF() == nil) != testenv.Has(testenv.BTF) {
		t.Errorf("BPF: %v", ProbeBPF())
	}
}
