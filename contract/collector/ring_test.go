package collector_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract/collector"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
)

// readable says whether a descriptor is, or becomes so within that time.
func readable(t testing.TB, fd int, within time.Duration) bool {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(p, int(within.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		check(t, err)
		return n == 1
	}
}

// A storm while the reader sleeps: what had no place is counted to the last record, and what
// is critical has its place, in order.
func TestStormWithSleepingReader(t *testing.T) {
	r := newRig(t)
	z := r.addZone("g2", 64<<10)
	bulk := z.contract()
	pairs := testenv.Rounds(4000, 1000)
	l := bulk.run("storm", strconv.Itoa(pairs)).finish()
	// Meanwhile, in the same full ring: a contract whose every record is critical, and deaths.
	quiet := z.wanting(everything, everything)
	l2 := quiet.run("tree", "2", "3").finish()
	killed := z.contract()
	victim := killed.run("hold", "0")
	victim.line()
	check(t, victim.cmd.Process.Kill())
	victim.wait()

	var list []collector.Record
	for {
		rec, at, ok, err := z.Next()
		check(t, err)
		if !ok {
			break
		}
		z.Advance(at)
		list = append(list, rec)
	}
	told := of(list, bulk)
	n, err := r.Counts(bulk.id)
	check(t, err)
	forks, exits := len(only(told, collector.Fork)), len(only(told, collector.Exit))
	t.Logf("told %d births and %d ends of %d, lost %d", forks, exits, l.n, n.Lost)
	if uint64(2*l.n-forks-exits) != n.Lost || n.Lost == 0 || n.LostCritical != 0 || n.Forks != uint64(l.n) || n.Exits != uint64(l.n) {
		t.Errorf("%d processes, told %d and %d: %+v", l.n, forks, exits, n)
	}
	if len(only(told, collector.Empty)) != 1 {
		t.Error("EMPTY is lost")
	}
	verify(t, of(list, quiet), l2)
	last := of(list, killed)
	if len(only(last, collector.Signal)) != 1 || len(only(last, collector.Empty)) != 1 {
		t.Errorf("%+v", last)
	}
	m, err := r.Counts(killed.id)
	check(t, err)
	zoneBulk, zoneCritical, err := r.Lost(z.id)
	check(t, err)
	if zoneBulk != n.Lost+m.Lost || zoneCritical != 0 {
		t.Errorf("the zone lost %d and %d, its contracts %d and %d", zoneBulk, zoneCritical, n.Lost, m.Lost)
	}
	// There is room again.
	again := z.contract()
	l = again.run("tree", "1", "2").finish()
	verify(t, z.empty(again), l)
}

// More that is critical than the whole ring holds: that is counted too.
func TestCriticalFillsTheRing(t *testing.T) {
	r := newRig(t)
	z := r.addZone("g2", 4096)
	k := z.wanting(everything, everything)
	l := k.run("storm", "200").finish()
	told := 0
	for {
		_, at, ok, err := z.Next()
		check(t, err)
		if !ok {
			break
		}
		z.Advance(at)
		told++
	}
	n, err := r.Counts(k.id)
	check(t, err)
	// That it is empty had no place either, and is no loss.
	if n.LostCritical != uint64(2*l.n-told) || n.Lost != 0 || told < 4096/64-1 {
		t.Errorf("told %d of %d: %+v", told, 2*l.n, n)
	}
}

// A zone without a ring: everything is counted.
func TestNoRing(t *testing.T) {
	r := newRig(t)
	z := r.bare("g2")
	k := z.contract()
	l := k.run("tree", "1", "5").finish()
	n, err := r.Counts(k.id)
	check(t, err)
	// The first birth is critical always; that it is empty is told in another way too.
	if n.Lost != uint64(2*l.n-1) || n.LostCritical != 1 || n.Forks != 6 || n.Exits != 6 {
		t.Errorf("%+v", n)
	}
	if _, _, err := r.Lost(z.id); err != collector.ErrUnknown {
		t.Errorf("%v", err)
	}
}

// The reader is woken, for the first of many and for the last, though not for each.
func TestWake(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	m := k.run("hold", "0")
	m.line()
	r.zone.until("the birth", func(rec collector.Record) bool { return rec.Kind == collector.Fork })
	for round := range 50 {
		told := 0
		w := k.run("storm", "20")
		for told < 42 {
			if !readable(t, r.zone.FD(), testenv.Deadline(20*time.Second)) {
				t.Fatalf("round %d: the reader was told of %d records and then left alone", round, told)
			}
			for {
				_, at, ok, err := r.zone.Next()
				check(t, err)
				if !ok {
					break
				}
				r.zone.Advance(at)
				told++
			}
		}
		w.finish()
	}
	// When there is nothing more, it is left alone.
	for range 2 {
		if readable(t, r.zone.FD(), 50*time.Millisecond) {
			r.zone.quiet()
		}
	}
	if readable(t, r.zone.FD(), 50*time.Millisecond) {
		t.Error("the reader is woken for nothing")
	}
	m.release()
	m.wait()
	r.zone.empty(k)
}

// drain takes what there is, and gives it up.
func (z *zone) drain() (told int) {
	z.rig.t.Helper()
	for {
		_, at, ok, err := z.Next()
		check(z.rig.t, err)
		if !ok {
			return told
		}
		z.Advance(at)
		told++
	}
}

// While many records come, the reader is woken for many at once; and so early that a ring that
// holds less than what comes in the longest pause does not run over.
func TestPace(t *testing.T) {
	for _, bytes := range []int{collector.RingBytes, 8 << 10} {
		t.Run(strconv.Itoa(bytes), func(t *testing.T) {
			z := newRig(t).addZone("g2", bytes)
			// A reader that others keep from the processors loses what comes meanwhile, however early it is
			// woken: of several storms one must find it awake.
			end := time.Now().Add(testenv.Deadline(20 * time.Second))
			for lost := z.pace(bytes); lost > 2003/4; lost = z.pace(bytes) {
				if time.Now().After(end) {
					t.Fatalf("%d of 2003 were lost", lost)
				}
			}
		})
	}
}

// pace reads what is told of a storm, and says how much was lost.
func (z *zone) pace(bytes int) (lost uint64) {
	t := z.rig.t
	t.Helper()
	k := z.contract()
	w := k.run("storm", "1000") // whose log has room in a pipe
	told, wakes, began := 0, 0, time.Now()
	for {
		if !readable(t, z.FD(), testenv.Deadline(20*time.Second)) {
			t.Fatalf("told of %d records and then left alone", told)
		}
		wakes++
		told += z.drain()
		n, err := z.rig.Counts(k.id)
		check(t, err)
		if n.Exits == 1001 && uint64(told)+n.Lost+n.LostCritical == 2003 {
			lost = n.Lost
			break
		}
	}
	w.finish()
	// Once a millisecond at most, and a look of its own after each; far more rarely when
	// many came, which a busy machine may have kept from coming.
	ms := int(time.Since(began).Milliseconds())
	if most := 2*ms + 10; wakes > most || bytes == collector.RingBytes && told > 4*ms && wakes > told/10 {
		t.Errorf("woken %d times for %d records in %d ms", wakes, told, ms)
	}
	return lost
}

// A record stays until the reader has advanced, and FD says so.
func TestAdvance(t *testing.T) {
	r := newRig(t)
	k := r.zone.contract()
	k.run("exit", "0").wait()
	begin := r.zone.Position()
	var at [3]uint64
	for i := range at {
		_, pos, ok, err := r.zone.Next()
		if check(t, err); !ok {
			t.Fatal("no record")
		}
		at[i] = pos
	}
	r.zone.quiet()
	if r.zone.Position() != begin || !readable(t, r.zone.FD(), 0) {
		t.Error("what was not advanced over is gone")
	}
	r.zone.Advance(at[1])
	r.zone.Advance(at[0]) // never back
	r.zone.Advance(at[2] + 8)
	if r.zone.Position() != at[1] {
		t.Errorf("advanced to %d, not %d", r.zone.Position(), at[1])
	}
	// Another reader goes on there, or skips to where it knows better.
	again, err := collector.OpenRing(r.zone.fd)
	check(t, err)
	defer again.Close()
	for _, to := range []uint64{at[0], at[2] + 8, 0, 1 << 63} {
		if err := again.Skip(to); to != at[1] && !errors.Is(err, collector.ErrPosition) {
			t.Errorf("skip to %d: %v", to, err)
		}
	}
	rec, pos, ok, err := again.Next()
	if check(t, err); !ok || rec.Kind != collector.Empty || pos != at[2] {
		t.Errorf("%+v at %d", rec, pos)
	}
	check(t, again.Skip(at[2]))
	if again.Position() != at[2] {
		t.Error("skipped but not advanced")
	}
}

// The reader is killed at any moment, over and over; the next goes on: nothing is lost, and
// what is told twice was not advanced over.
func TestReaderKilled(t *testing.T) {
	r := newRig(t)
	z := r.addZone("g2", 4<<20)
	k := z.contract()
	w := k.run("tree", "4", "5")
	ring := os.NewFile(uintptr(must(z.fd.Dup()).Disown()), "ring")
	defer ring.Close()
	told := map[uint64]string{}
	var last uint64
	empty := false
	for round := 0; !empty; round++ {
		var args []string
		if round%2 == 1 {
			// It knows what was written down, as a supervisor does from its journal.
			args = []string{strconv.FormatUint(last, 10)}
		}
		reader := roleWith(t, "", nil, []*os.File{ring}, "reader", args...)
		for n := 0; n < 40+round; n++ {
			s, err := reader.out.ReadString('\n')
			if err != nil {
				t.Fatalf("the reader: %v", err)
			}
			at, words := toldAt(t, s)
			if before, twice := told[at]; twice && (before != words || round%2 == 1 && at <= last) {
				t.Fatalf("at %d: %q, then %q", at, before, words)
			}
			told[at] = words
			last = max(last, at)
			if strings.HasPrefix(words, fmt.Sprint(collector.Empty)) {
				empty = true
				break
			}
		}
		check(t, reader.cmd.Process.Kill())
		// What it had written before it died counts.
		for {
			s, err := reader.out.ReadString('\n')
			if err != nil {
				break
			}
			at, words := toldAt(t, s)
			told[at] = words
			last = max(last, at)
			empty = empty || strings.HasPrefix(words, fmt.Sprint(collector.Empty))
		}
		reader.wait()
	}
	l := w.finish()
	if len(told) != 2*l.n+1 {
		t.Errorf("%d records of %d", len(told), 2*l.n+1)
	}
}

func toldAt(t *testing.T, s string) (at uint64, words string) {
	t.Helper()
	if _, err := fmt.Sscanf(s, "told %d", &at); err != nil {
		t.Fatalf("the reader says %q", s)
	}
	_, words, _ = strings.Cut(strings.TrimSpace(s), strconv.FormatUint(at, 10)+" ")
	return at, words
}

func must(fd *sys.FD, err error) *sys.FD {
	if err != nil {
		panic(err)
	}
	return fd
}

// What is no ring is refused.
func TestNoRingAtAll(t *testing.T) {
	r := newRig(t)
	null, err := os.Open("/dev/null")
	check(t, err)
	defer null.Close()
	if _, err := collector.OpenRing(sys.Own(int(null.Fd()))); err == nil {
		t.Error("/dev/null is a ring")
	}
	fd, err := sys.OpenDir(r.dir)
	check(t, err)
	defer fd.Close()
	if _, err := collector.OpenRing(fd); err == nil {
		t.Error("a directory is a ring")
	}
	if err := r.AddZone(r.zone.id, fd); err == nil {
		t.Error("a directory was given to a zone as its ring")
	}
	for _, bytes := range []int{0, 100, 3 * 4096} {
		if fd, err := collector.NewRing(bytes); err == nil {
			fd.Close()
			t.Errorf("a ring of %d bytes", bytes)
		}
	}
}
