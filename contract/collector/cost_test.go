package collector_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkBirth is what one fork, exit and wait cost: in a directory that is no contract, in
// a contract of which nothing is wanted, and in one of which everything is told, with a reader
// awake. The workload goes from one to the other every twenty births and takes the medians, so
// that what else the machine does disturbs all alike.
func BenchmarkBirth(b *testing.B) {
	r := newRig(b)
	quiet, all, none := r.zone.wanting(0, 0), r.zone.contract(), r.zone.directory()
	for _, k := range []*ct{quiet, all} {
		k.run("hold", "0").line() // neither the first birth nor the last end
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			drain(r.zone)
		}
	})
	defer wg.Wait()
	defer stop()
	rounds := max(b.N, 200)
	m := r.runIn("", nil, "compare", fmt.Sprint(rounds), none.dir+"/d", quiet.dir+"/d", all.dir+"/d")
	var outside, counted, told float64
	if _, err := fmt.Sscan(m.line(), &outside, &counted, &told); err != nil {
		b.Fatal(err)
	}
	m.wait()
	b.ReportMetric(outside, "us/outside")
	b.ReportMetric(counted/outside, "x/counted")
	b.ReportMetric(told/outside, "x/told")
}

// drain reads what is there, and waits for more a little.
func drain(z *zone) {
	p := []unix.PollFd{{Fd: int32(z.FD()), Events: unix.POLLIN}}
	_, _ = unix.Poll(p, 50)
	for {
		_, at, ok, err := z.Next()
		if !ok || err != nil {
			return
		}
		z.Advance(at)
	}
}
