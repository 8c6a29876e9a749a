package load

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/testenv"
)

// delayNS is how long slowBirths holds up a birth: longer than a walk over all tasks takes.
const delayNS = 60_000_000

// slowBirths holds up each birth that this process gives: after its child can be found among
// the host's tasks, in its cgroup, and before the collector is told of it. A program may not
// wait; it copies a large value onto itself until the time is over.
func slowBirths(t *testing.T) {
	t.Helper()
	const valueBytes, copies = 1 << 20, 1000
	room, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: valueBytes, MaxEntries: 1})
	check(t, err)
	t.Cleanup(func() { room.Close() })
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "task_newtask", License: "GPL",
		Instructions: asm.Instructions{
			asm.FnGetCurrentPidTgid.Call(),
			asm.RSh.Imm(asm.R0, 32),
			asm.JNE.Imm(asm.R0, int32(os.Getpid()), "out"),
			asm.StoreImm(asm.RFP, -4, 0, asm.Word),
			asm.LoadMapPtr(asm.R1, room.FD()),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, -4),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "out"),
			asm.Mov.Reg(asm.R8, asm.R0),
			asm.FnKtimeGetNs.Call(),
			asm.Mov.Reg(asm.R6, asm.R0),
			asm.Add.Imm(asm.R6, delayNS),
			asm.Mov.Imm(asm.R7, copies),
			asm.Mov.Reg(asm.R1, asm.R8).WithSymbol("again"),
			asm.Mov.Imm(asm.R2, valueBytes),
			asm.Mov.Reg(asm.R3, asm.R8),
			asm.FnProbeReadKernel.Call(),
			asm.FnKtimeGetNs.Call(),
			asm.JGE.Reg(asm.R0, asm.R6, "out"),
			asm.Add.Imm(asm.R7, -1),
			asm.JNE.Imm(asm.R7, 0, "again"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
			asm.Return(),
		},
	})
	check(t, err)
	t.Cleanup(func() { prog.Close() })
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
}

// walkAll walks over all tasks again and again until the walks are ended, and counted.
func walkAll(t *testing.T, c *collector.Collector) (end func() int) {
	t.Helper()
	stop, walked := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		defer func() { walked <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := c.Adopt(); err != nil {
				t.Error(err)
				return
			}
			n++
		}
	}()
	return func() int {
		close(stop)
		return <-walked
	}
}

// A walk over all tasks comes upon processes that are just being born, of whom the kernel has
// not told yet: they were not there before, and each is told as a birth like any other, once.
func TestAdoptedWhileBorn(t *testing.T) {
	testenv.Need(t, testenv.Cgroup2)
	dir := bpffs(t)
	check(t, Into(dir))
	c, err := collector.Open(dir)
	check(t, err)
	defer c.Close()
	cgroup := testenv.Cgroup(t)
	check(t, c.AddLevel(1))
	var st unix.Stat_t
	check(t, unix.Stat(cgroup, &st))
	ring, err := collector.NewRing(collector.RingBytes)
	check(t, err)
	defer ring.Close()
	const zone = 1 << 50
	check(t, c.AddZone(zone, ring))
	check(t, c.AddContract(collector.Contract{Cgroup: st.Ino, Zone: zone, CT: 1, Want: collector.WantFork | collector.WantExit}))
	reader, err := c.Reader(zone, ring)
	check(t, err)
	defer reader.Close()
	slowBirths(t)

	walks := walkAll(t, c)
	fd, err := os.Open(cgroup)
	check(t, err)
	defer fd.Close()
	born := map[int32]int{}
	for range 30 {
		cmd := exec.Command("/bin/true")
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(fd.Fd())}
		check(t, cmd.Run())
		born[int32(cmd.Process.Pid)]++
	}
	n := walks()
	told, ended := map[int32]int{}, map[int32]int{}
	for empties := 0; empties < len(born); {
		rec, at, ok, err := reader.Next()
		check(t, err)
		if !ok {
			t.Fatalf("%d times empty, told of %v", empties, told)
		}
		reader.Advance(at)
		switch rec.Kind {
		case collector.Fork:
			told[rec.Pid]++
			if rec.Flags&collector.Adopted != 0 {
				t.Errorf("%d is told to have been there before", rec.Pid)
			}
			if int(rec.PPid) != os.Getpid() {
				t.Errorf("%d is told to be a child of %d", rec.Pid, rec.PPid)
			}
		case collector.Exit:
			ended[rec.Pid]++
		case collector.Empty:
			empties++
		}
	}
	for pid, times := range born {
		if told[pid] != times || ended[pid] != times {
			t.Errorf("%d was born %d times: told %d births, %d ends", pid, times, told[pid], ended[pid])
		}
	}
	t.Logf("%d walks during %d births", n, len(born))
}
