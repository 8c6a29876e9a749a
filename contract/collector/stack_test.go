package collector_test

import (
	"testing"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/contract/collector/load"
)

// deeper calls f with so many frames of 64 bytes and more below it.
//
//go:noinline
func deeper(n int, f func()) byte {
	var frame [64]byte
	if n == 0 {
		f()
		return 0
	}
	frame[n%64] = deeper(n-1, f)
	return frame[(n+1)%64]
}

// TestStackGrows: whatever depth a call is made at, and so wherever within it the stack of its
// goroutine has to grow, which moves it, the kernel writes where the caller reads.
func TestStackGrows(t *testing.T) {
	dir, newZone := place(t)
	_, zone := newZone()
	c, err := collector.Ensure(dir, zone, load.Into)
	check(t, err)
	defer c.Close()
	for i := range 20 {
		check(t, c.AddContract(collector.Contract{Cgroup: 1<<40 + uint64(i), CT: uint32(70 + i), Zone: zone}))
	}
	for depth := range 600 {
		done := make(chan struct{})
		go func() { // with the smallest stack
			defer close(done)
			deeper(depth, func() {
				n, err := c.Counts(1<<40 + uint64(depth%20))
				if err != nil || n.CT != uint32(70+depth%20) {
					t.Errorf("at depth %d: %+v, %v", depth, n, err)
				}
			})
		}()
		<-done
	}
	_, other := newZone() // keeps the collector
	d, err := collector.Ensure(dir, other, nil)
	check(t, err)
	check(t, d.Close())
	check(t, collector.Leave(dir, zone))
	for i := range 20 {
		if _, err := c.Counts(1<<40 + uint64(i)); err != collector.ErrUnknown {
			t.Errorf("contract %d is there: %v", 70+i, err)
		}
	}
	check(t, collector.Leave(dir, other))
}

// TestRemoveAmongMany: of a host's contracts those of one zone go, however many calls it takes to find
// them.
func TestRemoveAmongMany(t *testing.T) {
	dir, newZone := place(t)
	_, zone := newZone()
	_, other := newZone()
	for _, z := range []uint64{zone, other} {
		c, err := collector.Ensure(dir, z, load.Into)
		check(t, err)
		check(t, c.Close())
	}
	c, err := collector.Open(dir)
	check(t, err)
	defer c.Close()
	const contracts = 3000
	for i := range contracts {
		check(t, c.AddContract(collector.Contract{Cgroup: 1<<40 + uint64(i), CT: uint32(i + 1), Zone: []uint64{zone, other}[i%2]}))
	}
	check(t, collector.Leave(dir, zone))
	for i := range contracts {
		n, err := c.Counts(1<<40 + uint64(i))
		if i%2 == 0 && err != collector.ErrUnknown || i%2 == 1 && (err != nil || n.CT != uint32(i+1)) {
			t.Errorf("contract %d: %+v, %v", i+1, n, err)
		}
	}
	check(t, collector.Leave(dir, other))
}
