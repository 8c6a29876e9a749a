package zoned

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/remains"
)

// errLeft: the zone is halted, and something of it is there.
var errLeft = errors.New("something of the zone is left")

// leftNamedMax is how many things that are left a message names; the log has them all.
const leftNamedMax = 8

// mark has a cgroup directory say whose it is, so that it is found though every file is gone. A
// host that can not hold the mark has the journal alone.
func (z *Zone) mark(dir string, id int) {
	boot, err := sys.BootID()
	if err == nil {
		err = remains.WriteMark(dir, remains.Naming(z.lay, boot).Mark(z.name, id))
	}
	if err != nil {
		z.log.WithError(err).WithField("dir", dir).Warn("mark a cgroup: what a crash leaves is known by the journal alone")
	}
}

// proveHalted looks whether anything of the zone is left now that it is halted, and says what.
// That is an error of who asked for the halt (final); a boot that follows, or was undone, goes
// its way: the zone is halted and can be booted.
func (w *worker) proveHalted(final bool) error {
	items, err := w.z.leftBehind(w.haltedCgroup, w.haltedDirs)
	if err != nil {
		w.say(api.LevelWarning, keyLeftUnknown, err.Error())
		return nil
	}
	if w.r.Verbose {
		w.say(api.LevelNote, keyLeftCount, remains.Count(items))
	}
	if len(items) == 0 {
		return nil
	}
	var names []string
	for _, i := range items {
		w.log.WithField("left", i.String()).Error("left behind by the zone")
		if len(names) < leftNamedMax {
			names = append(names, i.String())
		}
	}
	if more := len(items) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	level := api.LevelWarning
	if final {
		level = api.LevelError
	}
	w.say(level, keyLeft, strings.Join(names, ", "), w.z.name)
	if final {
		return errLeft
	}
	return nil
}

// proveAgain looks whether anything is left of a zone that is halted already: who asks again may
// have been told that something is. It is not journaled, since it changes nothing; a supervisor
// that dies meanwhile is asked again by who waits.
func (z *Zone) proveAgain(r *request, note string) {
	r.tell(message(api.LevelNote, note))
	z.busy = r
	w := &worker{z: z, r: r, state: z.state, log: z.log.WithField("op", string(r.Verb))}
	z.start(func() {
		rval := 0
		if w.proveHalted(true) != nil {
			rval = -1
		}
		z.post(evDone{outcome{r: r, rval: rval, state: w.state}})
	})
}

// leftBehind lists what of the halted zone is there.
func (z *Zone) leftBehind(cgroup uint64, dirs []string) ([]remains.Item, error) {
	h, err := remains.Open(z.lay)
	if err != nil {
		return nil, err
	}
	items, err := h.Find(remains.Scope{Zone: z.name, Kept: true, Cgroups: dirs})
	if err != nil {
		return nil, err
	}
	err = z.atCollector(func(dir string) error {
		more, err := h.Registered(dir, z.name, cgroup)
		items = append(items, more...)
		return err
	})
	for _, name := range z.slots.names() {
		if !slices.Contains(keepersSlots, name) {
			items = append(items, remains.Item{Kind: remains.Descriptor, Zone: z.name, Name: name})
		}
	}
	return items, err
}

// keepersSlots are the descriptors that outlive a generation.
var keepersSlots = []string{keeper.SlotDoor, keeper.SlotConsole, keeper.SlotRing, keeper.SlotData, keeper.SlotRoom}
