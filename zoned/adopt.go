package zoned

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/cgroup2"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

// adopt takes the zone over from a predecessor that died or left: keeper, kernel and journal
// are asked, in this order, and what was under way is finished.
func (z *Zone) adopt(held *keeper.Held) {
	if s := z.journal.hist.asked; s != nil {
		z.adoptShutdown(s)
	}
	z.adoptZone(held)
	z.resumeShutdown()
}

func (z *Zone) adoptZone(held *keeper.Held) {
	h := &z.journal.hist
	z.inc = incarnationOf(h.steps)
	z.state = stateOf(h)
	z.deaths = held.Deaths
	for i := range h.results {
		z.restore(&h.results[i])
	}
	if h.open != nil && h.open.Verb == api.VerbUpgrade {
		z.upgraded(*h.open)
	}
	z.adoptLogins()
	if z.inc != nil {
		z.matchDeaths(z.inc)
		z.adoptConsole()
	}
	if h.open != nil {
		z.resume(*h.open)
		return
	}
	if z.inc == nil {
		z.settle()
		return
	}
	z.verify(held)
	z.publish()
	z.hold()
	if z.busy == nil && z.inc.isDead() && (z.state < configs.Down || !z.populated()) {
		z.initDied(z.inc)
	}
}

// populated says whether processes of the zone are there, or can not be told.
func (z *Zone) populated() bool {
	populated, err := cgroup2.Populated(z.cgroupDir(z.inc.cgroup))
	if err != nil {
		z.log.WithError(err).Warn("look for the zone's processes")
	}
	return populated || err != nil
}

// settle makes sure that nothing is left of a zone whose journal says that nothing is.
func (z *Zone) settle() {
	z.publish()
	if len(z.journal.hist.steps) > 0 {
		z.begin(z.fromZone(api.VerbHalt), halt)
	} else if v := z.journal.hist.revive; v != nil {
		z.log.Info("the zone waits to be booted again")
		z.awaitRevival(v)
	}
	z.hold()
}

// incarnationOf puts together what the journal's steps made. Nil: no id was taken.
func incarnationOf(steps []liveStep) *incarnation {
	var inc *incarnation
	for _, s := range steps {
		d := s.Data
		if s.Name == "id" {
			inc = &incarnation{id: d.ZoneID, since: d.Since, died: make(chan struct{})}
		}
		if inc == nil {
			continue // before the id, or of a journal whose id was undone first
		}
		switch s.Name {
		case "range":
			inc.idBase = d.IDBase
		case "cgroup":
			inc.cgroup = d.Cgroup
		case stepContracts:
			inc.contract = contract.ID(d.Contract)
		case "platform":
			inc.initPid, inc.initStart = d.InitPid, d.InitStart
		}
	}
	return inc
}

// stateOf is the state that the journal's steps amount to.
func stateOf(h *history) configs.State {
	s := configs.Installed
	if h.down {
		return configs.Down
	}
	for _, l := range h.steps {
		switch {
		case !l.Done:
			return configs.ShuttingDown // half-built: it will be undone
		case l.Name == "platform":
			s = configs.Ready
		case l.Name == "boot":
			s = configs.Running
		}
	}
	if len(h.steps) > 0 && s == configs.Installed {
		return configs.ShuttingDown
	}
	return s
}

// restore lets a caller that comes back have the result of an operation that had ended.
func (z *Zone) restore(res *result) {
	r := newRequest(api.Request{ID: res.ID}, sys.Peer{})
	for _, m := range res.Replies {
		r.tell(m)
	}
	z.remember(r)
}

// adoptConsole gives the console's input back to its clients.
func (z *Zone) adoptConsole() {
	master := z.slots.fd(keeper.SlotPty)
	if !master.Valid() {
		return
	}
	dup, err := master.Dup()
	if err == nil {
		err = z.console.SetInput(dup)
	}
	if err != nil {
		z.log.WithError(err).Warn("console input")
	}
}

// adoptLogins takes over logins that run, have ended, or were being started. What was begun
// of the last is undone, rather than have a command run twice: when its caller asks again it is
// started, or else he is told.
func (z *Zone) adoptLogins() {
	names := z.slots.names()
	runs, marked := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		if id, pid, _, ok := parseLoginSlot(name); ok && pid != 0 {
			runs[id] = true
		} else if ok {
			marked[id] = true
		}
	}
	for _, name := range names {
		id, pid, start, ok := parseLoginSlot(name)
		if !ok {
			continue
		}
		if pid == 0 && runs[id] {
			// It was started, and its supervisor died before it took the mark away.
			z.slots.put(name, nil)
			_ = z.keeper.Drop(name)
			continue
		}
		l := &login{id: id, pid: pid, start: start, pidfd: z.slots.take(name), unsure: pid != 0 && marked[id]}
		if z.inc != nil {
			l.dir = filepath.Join(z.cgroupDir(z.inc.cgroup), adminDir, "l"+id)
		}
		z.logins[id] = l
		if pid == 0 {
			if l.dir != "" {
				_ = cgroup2.Kill(l.dir)
			}
			if err := z.keeper.Drop(name); err != nil {
				z.log.WithError(err).Warn("tell the keeper")
			}
			continue
		}
		for i, d := range z.deaths {
			if d.Pid == pid && d.Start == start {
				z.deaths = append(z.deaths[:i], z.deaths[i+1:]...)
				z.loginDied(l, d)
				break
			}
		}
	}
}

// verify asks the kernel whether the zone that the journal speaks of is there. A zone whose
// keeper died with its supervisor has lost its console and its parent: it is down, and must
// be halted.
func (z *Zone) verify(held *keeper.Held) {
	if z.slots.fd(keeper.SlotPty).Valid() {
		return
	}
	was := z.state
	z.state = configs.Down
	if z.populated() {
		z.warn(message(api.LevelWarning, keyRecovered, z.name, was.String()).Text)
		return
	}
	z.log.Warn("the zone's processes are gone; what is left of it is taken away")
	z.begin(z.fromZone(api.VerbHalt), halt)
}

// resume finishes an operation that its supervisor did not live to finish.
func (z *Zone) resume(op operation) {
	r := newRequest(api.Request{
		Version: api.Version, ID: op.ID, Verb: op.Verb, BootArgs: op.BootArgs, BootArgsGiven: op.BootArgsGiven, Verbose: op.Verbose,
	}, sys.Peer{})
	if op.ID == "" {
		r.origin = fromKernel
	} else {
		z.remember(r)
	}
	left := op.Phases[min(len(op.Past), len(op.Phases)):]
	if op.Failed != nil {
		left = halt
		for _, m := range op.Failed {
			r.tell(m)
		}
	}
	if len(left) > 0 && left[0] == phaseReady && len(z.journal.hist.steps) > 0 {
		left = append([]phase{phaseHalt}, left...) // half-built: undone, then anew
	}
	if len(left) == 0 {
		left = op.Phases[len(op.Phases)-1:] // all but the result was written
		if left[0] != phaseHalt {
			z.concludeResumed(r, op)
			return
		}
	}
	z.log.WithField("op", string(op.Verb)).WithField("phases", left).Warn("the supervisor before this one was interrupted; going on")
	if left[0] == phaseHalt && z.state >= configs.Ready && z.state < configs.Down {
		z.state = configs.ShuttingDown
	}
	z.publish()
	z.run(r, &operation{ID: op.ID, Verb: op.Verb, Phases: left, BootArgs: op.BootArgs, BootArgsGiven: op.BootArgsGiven, Verbose: op.Verbose, Attempt: op.Attempt + 1, Revive: op.Revive, Failed: op.Failed})
}

// concludeResumed answers for an operation of which only the result is missing.
func (z *Zone) concludeResumed(r *request, op operation) {
	res := api.Reply{Type: api.ReplyResult, State: z.state.String()}
	if err := z.journal.end(result{ID: op.ID, Replies: []api.Reply{res}}); err != nil {
		z.log.WithError(err).Error("journal")
	}
	z.publish()
	z.finish(r, 0)
	z.awaitRevival(z.journal.hist.revive)
	z.hold()
	if z.inc != nil && z.inc.isDead() {
		z.initDied(z.inc)
	}
}

// warn tells whoever started us, and the log.
func (z *Zone) warn(text string) {
	z.log.Warn(text)
	fmt.Fprintln(os.Stderr, text)
}
