package keeper

// deaths are the ends of children that no supervisor has forgotten. sent says how many of
// them the present supervisor was told.
type deaths struct {
	list []Death
	sent int
	lost int // let go because there were too many
}

// add notes a death. False: there were too many, and the oldest was let go.
func (d *deaths) add(x Death) bool {
	full := len(d.list) >= DeathsMax
	if full {
		d.remove(0)
		d.lost++
	}
	d.list = append(d.list, x)
	return !full
}

func (d *deaths) forget(pid int, start uint64) {
	for i, x := range d.list {
		if x.Pid == pid && x.Start == start {
			d.remove(i)
			return
		}
	}
}

func (d *deaths) remove(i int) {
	d.list = append(d.list[:i], d.list[i+1:]...)
	if i < d.sent {
		d.sent--
	}
}

// next is a death that the present supervisor does not know.
func (d *deaths) next() (Death, bool) {
	if d.sent >= len(d.list) {
		return Death{}, false
	}
	return d.list[d.sent], true
}
