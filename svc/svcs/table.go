package svcs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
)

// table prints all rows, sorted.
func (r *run) table() {
	slices.SortStableFunc(r.rows, func(x, y *row) int {
		for _, k := range r.order.keys {
			n := k.column.order(r, x, y)
			if k.reverse {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	var members func(*row) Held
	if r.order.processes {
		members = r.members(r.rows)
	}
	if r.order.json {
		r.objects(members)
		return
	}
	if !r.order.bare {
		r.line(func(c *column) string { return c.name[:min(len(c.name), c.width)] })
	}
	for _, x := range r.rows {
		r.line(func(c *column) string { return c.show(r, x) })
		if members != nil {
			r.processes(members(x).Pids)
		}
	}
}

// line prints columns: each as wide as it is, with a blank between and no blanks at the end; for
// scripts as they are, with a tab between.
func (r *run) line(show func(*column) string) {
	var fields []string
	for _, c := range r.order.columns {
		text := show(c)
		if r.order.bare {
			text = strings.Trim(text, " ")
		} else {
			text = pad(text, c.width)
		}
		fields = append(fields, text)
	}
	if r.order.bare {
		r.print(strings.Join(fields, "\t") + "\n")
		return
	}
	r.print(strings.TrimRight(strings.Join(fields, " "), " ") + "\n")
}

// processes prints a line for each process that there still is, below its service.
func (r *run) processes(pids []int) {
	for _, pid := range pids {
		p, is := r.env.Process(pid)
		if !is {
			continue
		}
		n := strconv.Itoa(pid)
		r.print(strings.Repeat(" ", 15) + pad(r.moment(p.Start), 8) + "   " + strings.Repeat(" ", max(6-len(n), 0)) + n + " " + printable.Text(p.Name) + "\n")
	}
}

// members asks for the contracts of all these instances at once, in each zone. The result gives
// those of one, its processes in the order of their numbers.
func (r *run) members(rows []*row) func(*row) Held {
	wanted := map[string][]uint64{}
	of := map[*row][]uint64{}
	for _, x := range rows {
		if ids := append(x.contracts("contract"), x.contracts("transient_contract")...); len(ids) > 0 {
			of[x] = ids
			wanted[x.zone] = append(wanted[x.zone], ids...)
		}
	}
	found := map[string]map[uint64]Held{}
	for zone, ids := range wanted {
		slices.Sort(ids)
		m, err := r.env.Members(zone, slices.Compact(ids))
		if err != nil {
			r.fail("Could not read status of contracts: " + err.Error() + ".")
		}
		found[zone] = m
	}
	return func(x *row) (all Held) {
		for _, id := range of[x] {
			held := found[x.zone][id]
			all.Pids = append(all.Pids, held.Pids...)
			if all.Within.Empty() {
				all.Within = held.Within
			}
		}
		slices.Sort(all.Pids)
		all.Pids = slices.Compact(all.Pids)
		return all
	}
}
