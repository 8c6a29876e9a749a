package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/linuxzones/zones/contract"
)

// model is what the table promises, written so that it can be read rather than run fast: all
// is found by looking at everything, nothing is linked or counted, and nothing is forgotten
// that its rules do not forget.
type model struct {
	cfg     Config
	cts     []*mContract
	handles []*mHandle
	queues  map[string]*mQueue
	latest  map[procKey]contract.ID
	home    map[procKey]contract.ID
	ended   map[procKey]bool
	lastEV  contract.EventID
	seq     int // orders what is in a list
	kills   uint64
}

type mContract struct {
	id       contract.ID
	state    contract.State
	terms    contract.Terms
	author   Cred
	ownerUID uint32
	owner    *Proc
	regent   contract.ID
	since    int // when it came to its holder
	from     contract.ID
	template uint64 // nascent: where it waits; 0: cancelled
	transfer contract.ID
	fmriCT   contract.ID
	empty    bool
	lost     uint64
	kills    []kill
}

type mEvent struct {
	id       contract.EventID
	ct       contract.ID
	fact     Fact
	critical bool
	acked    bool
	time     int64
}

func (e *mEvent) pending() bool { return e.critical && !e.acked }

// mEntry is an event's place in a queue; softened is 0 while it is pending.
type mEntry struct {
	e        *mEvent
	live     bool
	softened int
}

// mQueue has all that was ever in it. keep is the place before which only what is pending is
// live, unless a reader stands there.
type mQueue struct {
	entries []*mEntry
	keep    int
}

const atEnd = -1

type mHandle struct {
	fh       uint64
	kind     handleKind
	cred     Cred
	terms    contract.Terms
	made     contract.ID
	queue    string // "": its owner has died
	ct       contract.ID
	pos      int
	rest     string
	lost     int
	lostAt   int64
	critical bool
	reliable bool
}

func newModel(cfg Config) *model {
	return &model{
		cfg: cfg, queues: map[string]*mQueue{"bundle": {}}, latest: map[procKey]contract.ID{},
		home: map[procKey]contract.ID{}, ended: map[procKey]bool{},
	}
}

func queueOf(id contract.ID) string { return fmt.Sprint("contract ", id) }
func pbundleOf(p Proc) string       { return fmt.Sprint("pbundle ", keyOf(p)) }

func (m *model) queue(name string) *mQueue {
	if m.queues[name] == nil {
		m.queues[name] = &mQueue{}
	}
	return m.queues[name]
}

func (m *model) ct(id contract.ID) *mContract {
	for _, c := range m.cts {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (m *model) handle(fh uint64) *mHandle {
	for _, h := range m.handles {
		if h.fh == fh {
			return h
		}
	}
	return nil
}

func (m *model) referred(id contract.ID) bool {
	for _, h := range m.handles {
		if h.kind == contractHandle && h.ct == id || h.kind == templateHandle && h.terms.Transfer == id {
			return true
		}
	}
	for _, c := range m.cts {
		if c.state == contract.Nascent && c.transfer == id {
			return true
		}
	}
	for p, latest := range m.latest {
		if latest == id && !m.ended[p] {
			return true
		}
	}
	for _, q := range m.queues {
		for _, entry := range q.entries {
			if entry.live && entry.e.ct == id {
				return true
			}
		}
	}
	return false
}

func (m *model) seen(id contract.ID) *mContract {
	c := m.ct(id)
	if c == nil || c.state == contract.Nascent || c.state == contract.Dead && !m.referred(id) {
		return nil
	}
	return c
}

// inherited are those that a regent has, in the order in which it got them.
func (m *model) inherited(id contract.ID) (found []*mContract) {
	for _, c := range m.cts {
		if c.regent == id && c.state == contract.Inherited {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *mContract) int { return a.since - b.since })
	return found
}

func (m *model) owned(p Proc) (found []*mContract) {
	for _, c := range m.cts {
		if c.owner != nil && keyOf(*c.owner) == keyOf(p) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *mContract) int { return a.since - b.since })
	return found
}

func (c *mContract) controls(p Proc, home contract.ID) bool {
	return c.state == contract.Owned && keyOf(*c.owner) == keyOf(p) || c.state == contract.Inherited && c.regent == home
}

func (m *model) observes(cred Cred, c *mContract) bool {
	return cred.Privileged || cred.UID == c.author.UID || c.state == contract.Owned && cred.UID == c.ownerUID
}

func (m *model) wants(h *mHandle, e *mEvent) bool {
	return (!h.critical || e.pending()) && (h.kind != bundleHandle || m.observes(h.cred, m.ct(e.ct)))
}

func (m *model) readers(queue string) (found []*mHandle) {
	for _, h := range m.handles {
		if h.kind != templateHandle && h.queue == queue {
			found = append(found, h)
		}
	}
	return found
}

// seek puts a reader at the first thing from i on that it wants.
func (m *model) seek(h *mHandle, i int) {
	entries := m.queue(h.queue).entries
	for ; i < len(entries); i++ {
		if entries[i].live && m.wants(h, entries[i].e) {
			h.pos = i
			return
		}
	}
	h.pos = atEnd
}

// settle drops what nobody waits for: nothing while a reader stands before keep.
func (m *model) settle(queue string) {
	q := m.queue(queue)
	first := len(q.entries)
	for _, h := range m.readers(queue) {
		if h.pos != atEnd {
			first = min(first, h.pos)
		}
	}
	if first < q.keep {
		return
	}
	q.keep = first
	for i, entry := range q.entries {
		if i < first && !entry.e.pending() {
			entry.live = false
		}
	}
}

// shed makes a place for one more event that is not pending.
func (m *model) shed(queue string) {
	q, oldest, soft := m.queue(queue), -1, uint32(0)
	for i, entry := range q.entries {
		if !entry.live || entry.softened == 0 {
			continue
		}
		soft++
		if oldest < 0 || entry.softened < q.entries[oldest].softened {
			oldest = i
		}
	}
	for _, h := range m.readers(queue) {
		if h.reliable {
			return // bounded by what all queues hold together, which no run of the model comes to
		}
	}
	if soft < m.cfg.QueueMax {
		return
	}
	e := q.entries[oldest].e
	q.entries[oldest].live = false
	for _, h := range m.readers(queue) {
		if h.pos == atEnd || h.pos > oldest || !m.wants(h, e) {
			continue
		}
		h.lost++
		h.lostAt = e.time
		if h.pos == oldest {
			m.seek(h, oldest+1)
		}
	}
	m.settle(queue)
}

func (m *model) enqueue(queue string, e *mEvent) {
	wanted := e.pending()
	for _, h := range m.readers(queue) {
		wanted = wanted || m.wants(h, e)
	}
	if !wanted {
		return
	}
	entry := &mEntry{e: e, live: true}
	if !e.pending() {
		m.shed(queue)
		m.seq++
		entry.softened = m.seq
	}
	q := m.queue(queue)
	q.entries = append(q.entries, entry)
	for _, h := range m.readers(queue) {
		if h.pos == atEnd && m.wants(h, e) {
			h.pos = len(q.entries) - 1
		}
	}
	m.settle(queue)
}

// acknowledge goes through the queues in the order contract, bundle, pbundles.
func (m *model) acknowledge(e *mEvent) {
	e.acked = true
	names := []string{queueOf(e.ct), "bundle"}
	for name := range m.queues {
		if strings.HasPrefix(name, "pbundle") {
			names = append(names, name)
		}
	}
	for _, name := range names {
		q := m.queue(name)
		for i, entry := range q.entries {
			if entry.e != e || !entry.live {
				continue
			}
			before := false
			for _, h := range m.readers(name) {
				before = before || h.pos != atEnd && h.pos < q.keep
			}
			if i < q.keep && !before {
				entry.live = false
				continue
			}
			m.shed(name)
			m.seq++
			entry.softened = m.seq
			for _, h := range m.readers(name) {
				if h.pos == i && !m.wants(h, e) {
					m.seek(h, i)
				}
			}
			m.settle(name)
		}
	}
}

// pendingOf are the events of a contract that nobody acknowledged, in order.
func (m *model) pendingOf(id contract.ID) (found []*mEvent) {
	for _, entry := range m.queue("bundle").entries {
		if entry.live && entry.e.ct == id && entry.e.pending() {
			found = append(found, entry.e)
		}
	}
	return found
}

// leave takes a contract's events out of a queue, but for those that are pinned, as the last ones
// of the bundle are. Readers of the bundle are told of those that they had before them.
func (m *model) leave(id contract.ID, queue string) {
	q, soft := m.queue(queue), uint32(0)
	for _, entry := range q.entries {
		if entry.live && entry.softened != 0 {
			soft++
		}
	}
	for i, entry := range q.entries {
		pinned := queue == "bundle" && i >= q.keep && soft <= min(m.cfg.ContractsMax/64, recentMax)
		for _, h := range m.readers(queue) {
			pinned = pinned || h.pos == i || h.reliable && i >= q.keep
		}
		if entry.e.ct != id || pinned || !entry.live {
			continue
		}
		entry.live = false
		if entry.softened != 0 {
			soft--
		}
		for _, h := range m.readers(queue) {
			if queue == "bundle" && h.pos != atEnd && h.pos < i && m.wants(h, entry.e) {
				h.lost++
				h.lostAt = entry.e.time
			}
		}
	}
	m.settle(queue)
}

func (m *model) detach(c *mContract) {
	if c.owner != nil {
		m.leave(c.id, pbundleOf(*c.owner))
	}
	c.owner, c.regent = nil, 0
}

func (m *model) letGo(going ...*mContract) {
	for len(going) > 0 {
		c := going[0]
		going = going[1:]
		m.detach(c)
		c.state = contract.Orphan
		if !c.empty && c.terms.Params&contract.NoOrphan != 0 {
			m.kill(c, kill{checked: true})
		}
		if c.empty {
			c.state, c.kills = contract.Dead, nil
			for _, child := range m.inherited(c.id) {
				child.regent = 0
				going = append(going, child)
			}
		}
		for _, e := range m.pendingOf(c.id) {
			m.acknowledge(e)
		}
		if c.empty {
			m.leave(c.id, "bundle")
		}
	}
}

func (m *model) kill(c *mContract, k kill) {
	m.kills++
	k.seq = m.kills
	c.kills = slices.DeleteFunc(c.kills, func(old kill) bool {
		same := old.sameScope(k)
		if same && keyOf(old.except) != keyOf(k.except) {
			k.except = Proc{}
		}
		return same
	})
	c.kills = append(c.kills, k)
}

func (m *model) loseOwner(c *mContract, home contract.ID) {
	regent := m.ct(home)
	if c.terms.Params&contract.Inherit == 0 || regent == nil || regent == c || regent.terms.Params&contract.Regent == 0 ||
		regent.state == contract.Nascent || regent.state == contract.Dead {
		m.letGo(c)
		return
	}
	m.detach(c)
	m.seq++
	c.state, c.regent, c.since = contract.Inherited, home, m.seq
}

func (m *model) bear(c *mContract) {
	c.state = contract.Owned
	if h := m.handle(c.template); h != nil {
		h.made = c.id
	}
	c.template, c.terms.Transfer = 0, 0
	if c.owner != nil && c.owner.Pid != 0 {
		m.latest[keyOf(*c.owner)] = c.id
	}
	s := m.ct(c.transfer)
	c.transfer = 0
	if s != nil && s.state == contract.Owned && c.owner != nil && keyOf(*s.owner) == keyOf(*c.owner) {
		for _, child := range m.inherited(s.id) {
			m.seq++
			child.regent, child.since = c.id, m.seq
		}
		m.letGo(s)
	}
	if c.owner == nil {
		m.loseOwner(c, c.from)
	}
}

// line is an event as it is read in the zone.
func (e *mEvent) line() string {
	role, ack := "info", "noack"
	if e.critical {
		role = "crit"
	}
	if e.acked {
		ack = "ack"
	}
	f := e.fact
	text := fmt.Sprintf("%d %d %s %s process %s", e.ct, e.id, role, ack, map[contract.Events]string{
		contract.Empty: "empty", contract.Fork: "fork", contract.Exit: "exit", contract.Core: "core",
		contract.Signal: "signal", contract.Hwerr: "hwerr", contract.Lost: "lost", contract.Left: "left",
	}[f.Event])
	switch f.Event {
	case contract.Lost:
		text += fmt.Sprint(" count=", f.Count)
	case contract.Fork:
		text += fmt.Sprint(" pid=", f.Member.ZPid, " ppid=", f.Parent.ZPid)
	case contract.Exit:
		text += fmt.Sprint(" pid=", f.Member.ZPid, " status=", f.Status)
	case contract.Core:
		text += fmt.Sprint(" pid=", f.Member.ZPid, " signal=", f.Sig, " core=no")
	case contract.Signal:
		text += fmt.Sprint(" pid=", f.Member.ZPid, " signal=", f.Sig)
		if f.Sender.CT != 0 {
			text += fmt.Sprint(" sender=", f.Sender.Proc.ZPid, " senderct=", f.Sender.CT, " uid=0")
		}
	default:
		text += fmt.Sprint(" pid=", f.Member.ZPid)
	}
	return text + fmt.Sprintf(" time=%d.%09d\n", e.time/1e9, e.time%1e9)
}

func (m *model) unread(h *mHandle) bool { return h.rest != "" || h.lost > 0 || h.pos != atEnd }

func (m *model) finished(h *mHandle) bool {
	return h.kind == contractHandle && m.ct(h.ct).state == contract.Dead && !m.unread(h)
}
