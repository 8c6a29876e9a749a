package kernel

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
	"github.com/linuxzones/zones/internal/cgroup2"
)

// OffVariable names an environment variable that switches sources off, for tests and for who
// suspects one of them: words bpf, connector, pidfd, separated by commas.
const OffVariable = "ZONES_CONTRACT_SOURCES_OFF"

// sourceNames are the sources' words, best first.
var sourceNames = []struct {
	source Source
	name   string
}{{SourceBPF, "bpf"}, {SourceConnector, "connector"}, {SourcePidfd, "pidfd"}, {SourceCgroup, "cgroup"}}

// String is the words of the sources, best first, separated by blanks.
func (s Source) String() string {
	var words []string
	for _, n := range sourceNames {
		if s&n.source != 0 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, " ")
}

// ParseSources reads words separated by commas or blanks.
func ParseSources(text string) (Source, error) {
	var s Source
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		was := s
		for _, n := range sourceNames {
			if n.name == word {
				s |= n.source
			}
		}
		if s == was {
			return 0, fmt.Errorf("%q: %w", word, ErrSource)
		}
	}
	return s, nil
}

// switchedOff are the sources that the configuration or the environment declines.
func switchedOff(c Config) (Source, error) {
	off, err := ParseSources(os.Getenv(OffVariable))
	return (c.Off | off) &^ SourceCgroup, err
}

// Sources are what is live.
func (z *Zone) Sources() Source {
	switch {
	case z.c.Collector != nil:
		return SourceBPF | SourceCgroup
	case z.connector != nil:
		return SourceConnector | SourceCgroup
	case z.c.Off&SourcePidfd == 0:
		return SourcePidfd | SourceCgroup
	}
	return SourceCgroup
}

// Lost counts the events that were lost, as far as known.
func (z *Zone) Lost() uint64 { return z.lost }

// Watch has the contract's events told from here on, at least those of want; those of
// critical are told even when there is hardly place. Again: with other wants. A contract that
// is fresh needs it before its first member is born.
func (z *Zone) Watch(id contract.ID, want, critical contract.Events) error {
	p := z.tree.places[id]
	if p == nil {
		return fmt.Errorf("watch contract %d: %w", id, ErrNone)
	}
	p.want = want
	first := !z.empties.knows(p)
	if first {
		z.empties.watch(p)
		z.rearm()
	}
	if z.c.Collector != nil {
		if err := z.c.Collector.Register(p.Dir, want, critical); err != nil {
			return fmt.Errorf("watch contract %d: %w", id, err)
		}
		if !p.counted {
			p.counted = true
			z.lostBefore(p)
		}
	}
	if first {
		z.tree.confine(p)
	}
	if !first {
		return nil
	}
	// Members that were there before the watch, of a login or of a resumed zone.
	p.watch.populated, p.watch.frozen, _ = cgroup2.Events(p.Path)
	switch {
	case !p.watch.populated:
	case z.c.Collector != nil:
		z.adopt = true
	case z.connector != nil:
		z.learn(p)
	}
	return nil
}

// learn remembers a contract's members, and says how many of them were not known.
func (z *Zone) learn(p *place) (fresh int) {
	pids, more, _ := members(p.Dir, MembersMax)
	for _, pid := range pids {
		if m := z.connector.members[pid]; m != nil && m.ct == p.CT {
			continue
		}
		proc, fd, err := identify(pid)
		if err != nil {
			continue
		}
		fd.Close()
		if z.connector.remember(pid, &member{ct: p.CT, proc: proc}) {
			fresh++
		} else {
			more = true
		}
	}
	if more {
		z.lose(p, 1, time.Now().UnixNano())
	}
	return fresh
}

// known remembers the first member, where its birth was not told yet.
func (z *Zone) known(p *place, first table.Proc) {
	if p.watch.last == (table.Proc{}) {
		p.watch.last = first
	}
}

// always are the events that are told without being asked for.
const always = contract.Empty | contract.Lost | contract.Left

// happened tells of a member, if somebody wants to know.
func (z *Zone) happened(p *place, f table.Fact, at int64) {
	if f.Event&(p.want|always) != 0 {
		z.tell(Report{What: Happened, CT: p.CT, Fact: f, Time: at})
	}
}

// lose tells that at least count events of a contract were lost.
func (z *Zone) lose(p *place, count uint64, at int64) {
	z.lost += count
	z.happened(p, table.Fact{Event: contract.Lost, Count: count}, at)
}

// left tells of a process that was found where it must not be and was killed.
func (z *Zone) left(p table.Proc) {
	var id contract.ID
	if z.connector != nil {
		if m := z.connector.members[p.Pid]; m != nil && (m.proc.Start == p.Start || m.proc.Start == 0) {
			id = m.ct
		}
	}
	if from := z.tree.places[id]; from != nil {
		z.happened(from, table.Fact{Event: contract.Left, Member: p}, time.Now().UnixNano())
	}
}

// outstanding says whether exits of a contract's members are expected, that come before Empty.
func (z *Zone) outstanding(id contract.ID) bool {
	return z.pidfds.firsts[id] != nil || z.connector != nil && z.connector.perCT[id] > 0
}

// giveUp tells what was expected of an empty contract and did not come.
func (z *Zone) giveUp(p *place) {
	if z.connector == nil || z.connector.perCT[p.CT] == 0 {
		return
	}
	var missed uint64
	for pid, m := range z.connector.members {
		if m.ct == p.CT && !alive(m.proc) {
			z.connector.forgetMember(pid)
			missed++
		}
	}
	if missed > 0 {
		z.lose(p, missed, time.Now().UnixNano())
	}
}

// alive says whether a process is there and no zombie. A zone's init leaves its cgroup long
// before it ends, while it waits for all others.
func alive(p table.Proc) bool {
	s, err := readStat(p.Pid)
	return err == nil && (p.Start == 0 || s.start == p.Start) && s.state != 'Z' && s.state != 'X'
}

// resyncConnector compares who lives in the contracts with who is remembered, after the
// socket's buffer was overrun: births and exits in between have no details any more.
func (z *Zone) resyncConnector() {
	now := time.Now().UnixNano()
	missed := map[contract.ID]uint64{}
	for pid, m := range z.connector.members {
		cgroup, err := cgroupOf(pid)
		if err == nil && alive(m.proc) && z.tree.contractOf(cgroup) == m.ct {
			continue
		}
		z.connector.forgetMember(pid)
		missed[m.ct]++
	}
	for _, p := range z.tree.places {
		if !z.empties.knows(p) {
			continue
		}
		n := missed[p.CT] + uint64(z.learn(p))
		// Whoever was born and has ended in between was seen by nobody.
		if n > 0 || p.watch.populated && !p.watch.told {
			z.lose(p, max(n, 1), now)
		}
		z.look(p, false)
	}
}

// Resync compares the kernel's state with what was told and tells what is missing, after a
// time without supervisor: of a contract that is empty Empty, and Lost of those whose events
// had no other witness (Count 0: nobody knows whether there were any). The caller names the
// contracts that have members as far as it knows.
func (z *Zone) Resync(populated []contract.ID) error {
	now := time.Now().UnixNano()
	for _, id := range populated {
		p := z.tree.places[id]
		if p == nil {
			z.empties.vanished = append(z.empties.vanished, id)
			z.jobs.poke() // it is Next that tells
			continue
		}
		p.watch.populated = true
		if z.c.Collector == nil || z.gap {
			z.lose(p, 0, now)
		}
		z.look(p, false)
	}
	return nil
}
