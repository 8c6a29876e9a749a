package collector_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
)

// One process: what is told of it, field by field.
func TestOneProcess(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	var before, after unix.Timespec
	check(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &before))
	m := k.run("hold", "3")
	m.line()
	if n, err := r.Members(k.id); err != nil || n != 1 {
		t.Errorf("%d members, %v", n, err)
	}
	m.release()
	m.wait()
	check(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &after))
	list := r.zone.empty(k)
	if len(list) != 3 {
		t.Fatalf("%d records: %+v", len(list), list)
	}
	want := []collector.Record{
		{Kind: collector.Fork, Flags: collector.First, PPid: int32(os.Getpid())},
		{Kind: collector.Exit, Status: 3 << 8},
		{Kind: collector.Empty},
	}
	for i, rec := range list {
		if rec.Time < uint64(before.Nano()) || rec.Time > uint64(after.Nano()) {
			t.Errorf("the time %d is not between %d and %d", rec.Time, before.Nano(), after.Nano())
		}
		want[i].Time, want[i].CT, want[i].Pid, want[i].Start = rec.Time, k.ct, int32(m.pid), m.start
		if rec.Kind != collector.Fork {
			want[i].Pgrp = int32(unix.Getpgrp())
		}
		if rec != want[i] {
			t.Errorf("record %d\n got %+v\nwant %+v", i, rec, want[i])
		}
	}
	n, err := r.Counts(k.id)
	check(t, err)
	if n != (collector.Counts{CT: k.ct, Zone: r.zone.id, Forks: 1, Exits: 1}) {
		t.Errorf("%+v", n)
	}
}
