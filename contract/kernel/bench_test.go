package kernel

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

// How long after its parent knows of a member's death its contract is told empty.
func BenchmarkEmpty(b *testing.B) {
	for name, start := range map[string]func(b *testing.B) *rig{
		"bpf":       func(b *testing.B) *rig { return collecting(b) },
		"connector": func(b *testing.B) *rig { return newRig(b, Config{Off: SourceBPF}) },
		"pidfd":     func(b *testing.B) *rig { return newRig(b, Config{Off: SourceBPF | SourceConnector}) },
		"cgroup":    func(b *testing.B) *rig { return newRig(b, Config{Off: SourceBPF | SourceConnector | SourcePidfd}) },
	} {
		b.Run(name, func(b *testing.B) {
			r := start(b)
			var sum, worst time.Duration
			n := 0
			for id := contract.ID(10); b.Loop(); id++ {
				d := r.make(id, contract.AllEvents)
				cmd := born(b, d.Born, nil, "/bin/cat")
				check(b, r.z.Born(id, procOf(b, cmd.Process.Pid)))
				_ = cmd.Wait()
				began := time.Now()
				r.awaitEmpty(id)
				took := time.Since(began)
				sum, worst = sum+took, max(worst, took)
				n++
				r.got = r.got[:0]
				check(b, r.z.Remove(id))
			}
			b.ReportMetric(float64(sum.Microseconds())/float64(n), "us/empty")
			b.ReportMetric(float64(worst.Microseconds()), "us/worst")
		})
	}
}

// What a birth in a window costs beside the clone itself, and Next when there is nothing.
func BenchmarkNext(b *testing.B) {
	for name, start := range map[string]func(b *testing.B) *rig{
		"bpf":       func(b *testing.B) *rig { return collecting(b) },
		"connector": func(b *testing.B) *rig { return newRig(b, Config{Off: SourceBPF}) },
	} {
		b.Run(name, func(b *testing.B) {
			r := start(b)
			var buf [16]Report
			for b.Loop() {
				if _, err := r.z.Next(buf[:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A bomb of some 150 processes, killed as a whole.
func BenchmarkKillBomb(b *testing.B) {
	r := newRig(b, Config{Off: SourceBPF | SourceConnector})
	for id := contract.ID(10); b.Loop(); id++ {
		b.StopTimer()
		d := r.make(id, 0)
		for range 2 {
			born(b, d.Born, nil, "/bin/sh", "-c", bomb)
		}
		for len(pidsIn(b, d.Path)) < 120 {
			_, _ = unix.Poll(nil, 5)
		}
		b.StartTimer()
		r.z.Kill(killOf(id))
		r.awaitKilled(killOf(id))
		b.StopTimer()
		check(b, r.z.Remove(id))
		b.StartTimer()
	}
}
