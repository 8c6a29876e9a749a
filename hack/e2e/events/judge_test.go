package events

import (
	"fmt"
	"sort"
)

// life is one process's, as the workload wrote it down: what must be told of it, in order.
type life struct {
	pid  int
	born int64 // when; orders lives of one pid
	must []fact
}

// account is what must be told of one contract.
type account struct {
	lives []life
	// empties is how often the contract must have become empty.
	empties int
	// critical are the kinds that must not be lost, whatever happens.
	critical map[string]bool
	// only, when it is not nil, are the kinds that are told of this contract.
	only map[string]bool
}

// wants says whether a kind is told of this contract.
func (a *account) wants(kind string) bool { return a.only == nil || a.only[kind] }

// leniency says what may be missing.
type leniency int

const (
	nothing  leniency = iota // all must be told
	counted                  // what is not critical, if enough is counted as lost
	prefixes                 // all but what came before the reader; then as nothing
)

// verdict is what came of a comparison.
type verdict struct {
	complaints []string
	events     int // told of the contracts in question
	missing    int // informative ones that were not told
	lost       uint64
	// slow is what is said to be lost because the reader was slow, of whatever contract; unsaid
	// are those that are missing in contracts that say nothing of a loss.
	slow, unsaid uint64
	misses       []miss // all that are missing, critical ones too
}

func (v *verdict) complain(format string, args ...any) {
	v.complaints = append(v.complaints, fmt.Sprintf(format, args...))
}

// judge compares what one reader was told with what the workload wrote down, by contract.
// Events of other contracts are passed over.
func judge(accounts map[uint64]*account, events []told, may leniency) *verdict {
	v := &verdict{}
	byCT := map[uint64][]told{}
	var last uint64
	for _, e := range events {
		a := accounts[e.ct]
		if e.ct == 0 && e.kind == "lost" {
			v.slow += e.count
			continue
		}
		if e.ev <= last && e.ev != 0 {
			v.complain("event %d of contract %d comes after event %d", e.ev, e.ct, last)
		}
		last = max(last, e.ev)
		if a == nil {
			continue
		}
		v.events++
		if e.crit != a.critical[e.kind] && e.kind != "lost" && e.kind != "left" {
			v.complain("contract %d: %v is told with critical=%v", e.ct, e.fact, e.crit)
		}
		byCT[e.ct] = append(byCT[e.ct], e)
	}
	for _, ct := range sortedKeys(accounts) {
		v.contract(ct, accounts[ct], byCT[ct], may)
	}
	if v.unsaid > v.slow {
		v.complain("%d events are missing, and %d are said to be lost", v.unsaid, v.slow)
	}
	if v.slow > 0 && may != counted {
		v.complain("%d events are said to be lost for a slow reader", v.slow)
	}
	v.lost += v.slow
	return v
}

// contract judges one contract.
func (v *verdict) contract(ct uint64, a *account, events []told, may leniency) {
	must, is := map[int][]due{}, map[int][]fact{}
	lives := append([]life(nil), a.lives...)
	sort.SliceStable(lives, func(i, j int) bool { return lives[i].born < lives[j].born })
	for _, l := range lives {
		for _, f := range l.must {
			if a.wants(f.kind) {
				must[l.pid] = append(must[l.pid], due{f, l.born})
			}
		}
	}
	empties, missing := 0, 0
	var lost uint64
	for i, e := range events {
		switch e.kind {
		case "lost":
			lost += e.count
		case "empty":
			empties++
			v.empty(ct, events[:i], e)
		default:
			is[e.pid] = append(is[e.pid], e.fact)
		}
	}
	if a.wants("empty") && empties != a.empties {
		v.complain("contract %d: %d times empty, not %d", ct, empties, a.empties)
	}
	for _, pid := range sortedKeys(must) {
		missing += v.process(ct, a, must[pid], is[pid], may)
		delete(is, pid)
	}
	for _, pid := range sortedKeys(is) {
		for _, f := range is[pid] {
			v.complain("contract %d: %v is told, and the workload knows no such process", ct, f)
		}
	}
	switch {
	case missing > 0 && may == counted && lost == 0:
		v.unsaid += uint64(missing)
	case lost > uint64(missing) && may == counted:
		v.complain("contract %d: %d events are said to be lost at least, %d are missing", ct, lost, missing)
	case lost > 0 && may != counted:
		v.complain("contract %d: %d events are said to be lost", ct, lost)
	}
	v.missing += missing
	v.lost += lost
}

// empty checks an event of emptiness: who is named as the last has ended by then.
func (v *verdict) empty(ct uint64, before []told, e told) {
	for i := len(before) - 1; i >= 0; i-- {
		if before[i].pid == e.pid && before[i].kind != "empty" {
			if before[i].kind == "fork" {
				v.complain("contract %d: empty after %d, which has not ended", ct, e.pid)
			}
			return
		}
	}
}

// process compares the events of one pid, of all its lives, and says how many that may be
// missing are.
func (v *verdict) process(ct uint64, a *account, must []due, is []fact, may leniency) (missing int) {
	if may == prefixes {
		must = must[len(must)-min(len(must), len(is)):]
	}
	lacks := func(d due) {
		v.misses = append(v.misses, miss{ct: ct, due: d})
		if may == counted && !a.critical[d.kind] {
			missing++
			return
		}
		v.complain("contract %d: missing: %v", ct, d.fact)
	}
	i := 0
	for n, f := range is {
		j := i
		for j < len(must) && must[j].fact != f {
			j++
		}
		switch {
		case j < len(must):
			for ; i < j; i++ {
				lacks(must[i])
			}
			i++
		case n > 0 && is[n-1] == f:
			v.complain("contract %d: told twice: %v", ct, f)
		case i < len(must) && must[i].kind == f.kind:
			v.complain("contract %d: wrong: %v, truly %v", ct, f, must[i].fact)
			i++
		default:
			v.complain("contract %d: told, and never happened: %v", ct, f)
		}
	}
	for ; i < len(must); i++ {
		lacks(must[i])
	}
	return missing
}

// sameOrder compares what two readers were told of contracts that both saw: neither may have
// an event that contradicts the other's, and in what both have the order is the same. whole
// says that they must have the same events.
func sameOrder(name string, a, b []told, of func(ct uint64) bool, whole bool) []string {
	var complaints []string
	index := map[uint64]told{}
	for _, e := range a {
		if of(e.ct) {
			index[e.ev] = e
		}
	}
	seen := 0
	for _, e := range b {
		if !of(e.ct) {
			continue
		}
		was, both := index[e.ev]
		if e.kind == "empty" && e.pid == 0 {
			was.pid = 0 // the table's form does not say who was the last
		}
		switch {
		case both && (was.ct != e.ct || was.fact != e.fact || was.crit != e.crit):
			complaints = append(complaints, fmt.Sprintf("%s: event %d is %v of %d to one and %v of %d to the other", name, e.ev, was.fact, was.ct, e.fact, e.ct))
		case both:
			seen++
		case whole:
			complaints = append(complaints, fmt.Sprintf("%s: event %d (%v) is known to one only", name, e.ev, e.fact))
		}
	}
	if whole && seen != len(index) {
		complaints = append(complaints, fmt.Sprintf("%s: %d events of %d are known to the other", name, seen, len(index)))
	}
	return complaints
}

func sortedKeys[K int | uint64, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}
