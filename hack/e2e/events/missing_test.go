package events

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is said of an event that is missing, so that its cause can be found: what it is, where in
// the order of what was told its place would be, and what happened to the supervisor then.

// due is a fact that must be told, of a life that began, or ended, then.
type due struct {
	fact
	born int64
}

// miss is one that was not.
type miss struct {
	ct uint64
	due
}

// outage is a time without a supervisor, in nanoseconds of CLOCK_MONOTONIC, as the workload's
// notes have it: from a kill, or one more of the successor (again), until the next one served.
type outage struct{ from, again, to int64 }

func (o outage) String() string {
	s := fmt.Sprintf("killed at %s", clock(o.from))
	if o.again != 0 {
		s += fmt.Sprintf(", its successor at %s", clock(o.again))
	}
	return s + fmt.Sprintf(", served again at %s", clock(o.to))
}

func clock(ns int64) string { return fmt.Sprintf("%d.%06d", ns/1e9, ns%1e9/1e3) }

// name says of each missing event what is known of it, if there is more missing than is said to
// be lost, or what is critical is.
func (v *verdict) name(events []told, outages []outage) {
	if v.unsaid <= v.slow && !strings.Contains(strings.Join(v.complaints, "\n"), ": missing: ") {
		return
	}
	for _, m := range v.misses[:min(len(v.misses), complaintsMax)] {
		v.complain("missing of contract %d: %v; %s; %s; %s", m.ct, m.fact, m.others(events), m.end(events), m.when(outages))
	}
}

// others are the events of the same process in the same contract: the order of their numbers is
// that of the ring and of the journal, and the missing one's place is between them.
func (m *miss) others(events []told) string {
	var words []string
	for _, e := range events {
		if e.ct == m.ct && e.pid == m.pid {
			words = append(words, fmt.Sprintf("event %d (%s)", e.ev, e.kind))
		}
	}
	if len(words) == 0 {
		return "nothing is told of that process"
	}
	return "told of that process: " + strings.Join(words, ", ")
}

// end is what was told of the contract's own end.
func (m *miss) end(events []told) string {
	last := uint64(0)
	for _, e := range events {
		if e.ct != m.ct {
			continue
		}
		if e.kind == "empty" {
			return fmt.Sprintf("the contract was empty with event %d", e.ev)
		}
		last = max(last, e.ev)
	}
	return fmt.Sprintf("the contract lived, and its last event is %d", last)
}

// when is the life's moment, and the kills around it.
func (m *miss) when(outages []outage) string {
	if m.born == 0 {
		return "at no known time"
	}
	i, _ := slices.BinarySearchFunc(outages, m.born, func(o outage, at int64) int { return int(min(max(o.from-at, -1), 1)) })
	s := "noted at " + clock(m.born)
	if i > 0 {
		before := outages[i-1]
		s += "; the supervisor was " + before.String()
		if m.born < before.to {
			s += " (nobody served then)"
		}
	}
	if i < len(outages) {
		s += "; " + (time.Duration(outages[i].from - m.born)).String() + " later it was " + outages[i].String()
	}
	return s
}

// TestMissingIsNamed plants a missing event into what is told, and outages around it.
func TestMissingIsNamed(t *testing.T) {
	outages := []outage{{from: 1e9, to: 2e9}, {from: 3e9, again: 3_500_000_000, to: 5e9}}
	lives := plantedAccounts()
	for i := range lives[7].lives {
		lives[7].lives[i].born = int64(i+1) * 1_500_000_000
	}
	// Lives in their order: 21 at 1.5, 20 at 3, 22 at 4.5, 20 again at 6 seconds.
	for _, p := range []struct {
		name  string
		lines []string
		says  []string // nil: nothing
	}{
		{"nothing missing", plantedLines, nil},
		{"missing and counted", with(without(plantedLines, "exit", "pid=22"), "7 104", "7 103 info noack process lost count=1 time=1.000000000"), nil},
		{"while nobody serves", without(plantedLines, "exit", "pid=22"), []string{
			"missing of contract 7: exit of 22 with 0x300", "told of that process: event 109 (fork);", "empty with event 114",
			"noted at 4.500000; the supervisor was killed at 3.000000, its successor at 3.500000, served again at 5.000000 (nobody served then)",
		}},
		{"before a kill", without(plantedLines, "pid=21"), []string{
			"missing of contract 7: fork of 21 by 10", "nothing is told of that process",
			"noted at 1.500000; the supervisor was killed at 1.000000, served again at 2.000000 (nobody served then); 1.5s later it was killed at 3.000000",
		}},
		{"critical, of two lives", without(plantedLines, "signal=15"), []string{
			"missing of contract 7: signal of 20 of signal 15 from outside", "event 101 (fork), event 104 (signal), event 105 (exit), event 111 (fork), event 113 (exit)",
			"noted at 6.000000; the supervisor was killed at 3.000000, its successor at 3.500000, served again at 5.000000",
		}},
		{"the contract lives", without(without(plantedLines, "empty"), "exit", "pid=22"), []string{"the contract lived, and its last event is 113"}},
	} {
		events, err := parseLines(strings.Join(p.lines, "\n") + "\n")
		must(t, err)
		v := judge(lives, events, counted)
		v.name(events, outages)
		said := strings.Join(v.complaints, "\n")
		for _, want := range p.says {
			if !strings.Contains(said, want) {
				t.Errorf("%s: it says %q, and not %q", p.name, said, want)
			}
		}
		if p.says == nil && said != "" {
			t.Errorf("%s: it says %q", p.name, said)
		}
	}
}
