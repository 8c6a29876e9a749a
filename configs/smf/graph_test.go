package smf

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Each name that ours depend on is one of ours: a zone may have no others.
func TestDependenciesExist(t *testing.T) {
	z := newZone(t)
	z.boot()
	g := z.graph()
	for _, i := range g {
		for _, d := range i.deps {
			for _, e := range d.entities {
				if d.kind == "service" && len(g.named(e)) == 0 {
					t.Errorf("%s depends on %s, which is not there", i.fmri, e)
				}
			}
		}
	}
}

// cycle gives instances that wait for each other, or nothing.
func (g graph) cycle() []string {
	const (
		under = iota + 1
		done
	)
	state, trail := map[string]int{}, []string{}
	var visit func(*instance) bool
	visit = func(i *instance) bool {
		trail = append(trail, i.fmri)
		if state[i.fmri] == under {
			return true
		}
		if state[i.fmri] != done {
			state[i.fmri] = under
			for _, d := range i.deps {
				for _, e := range d.entities {
					for _, to := range g.named(e) {
						if visit(to) {
							return true
						}
					}
				}
			}
			state[i.fmri] = done
		}
		trail = trail[:len(trail)-1]
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(g)) {
		if visit(g[name]) {
			return trail
		}
	}
	return nil
}

func TestNoCycles(t *testing.T) {
	z := newZone(t)
	z.boot()
	g := z.graph()
	if c := g.cycle(); c != nil {
		t.Errorf("%q", c)
	}
	// The search finds one.
	root := g["svc:/system/filesystem/root:default"]
	root.deps = append(root.deps, dependency{grouping: "require_all", kind: "service", entities: []string{"svc:/milestone/multi-user"}})
	if c := g.cycle(); !slices.Contains(c, root.fmri) {
		t.Errorf("a planted cycle was not found: %q", c)
	}
}

// The values that a dependency has for those who wait.
const (
	never   = -1
	waiting = 0
	ready   = 1
)

// bootOf is a boot on paper, by the table of smf(7): which instances come online, when those of
// failing are in maintenance and the files of there exist.
type bootOf struct {
	g      graph
	state  map[string]int
	failed func(string) bool
	there  func(string) bool
}

func (b *bootOf) member(kind, name string) int {
	if kind == "path" {
		if b.there(name) {
			return ready
		}
		return never
	}
	best := never
	for _, i := range b.g.named(name) {
		best = max(best, b.state[i.fmri])
	}
	return best
}

func (b *bootOf) group(d dependency) int {
	low, high := ready, never
	for _, e := range d.entities {
		v := b.member(d.kind, e)
		if v == never && d.grouping == "optional_all" {
			v = ready // what cannot come is not waited for
		}
		low, high = min(low, v), max(high, v)
	}
	if d.grouping == "require_any" {
		return high
	}
	return low
}

// run goes on until nothing changes, and gives what is online.
func (b *bootOf) run() map[string]bool {
	b.state = map[string]int{}
	for name, i := range b.g {
		if !i.enabled || b.failed(name) {
			b.state[name] = never
		}
	}
	for changed := true; changed; {
		changed = false
		for name, i := range b.g {
			if b.state[name] != waiting {
				continue
			}
			low := ready
			for _, d := range i.deps {
				low = min(low, b.group(d))
			}
			if low != waiting {
				b.state[name], changed = low, true
			}
		}
	}
	online := map[string]bool{}
	for name, v := range b.state {
		online[name] = v == ready
	}
	return online
}

func TestBootReaches(t *testing.T) {
	z := newZone(t)
	z.boot()
	g := z.graph()
	for _, name := range []string{"svc:/network/ssh:default", "svc:/system/console-login:default"} {
		g[name].enabled = true // as an administrator may
	}
	last := []string{"svc:/milestone/multi-user-server:default", "svc:/system/console-login:default"}
	tests := []struct {
		name    string
		failing []string
		noFiles bool
		off     []string // what is enabled and does not come; besides those that fail
	}{
		{name: "everything is there"},
		{name: "no daemon is installed", failing: []string{"cron", "system-log", "ssh"}},
		{name: "no resolv.conf", noFiles: true, off: []string{"dns/client"}},
		{name: "a manifest is wrong", failing: []string{"manifest-import"}},
		{name: "the domain cannot be set", failing: []string{"identity:domain"}},
		{name: "all of these", failing: []string{"cron", "system-log", "ssh", "manifest-import", "identity:domain"}, noFiles: true, off: []string{"dns/client"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			has := func(list []string, name string) bool {
				return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(name+"$", "/"+s+":") || strings.HasSuffix(name, "/"+s) })
			}
			b := &bootOf{g: g, failed: func(name string) bool { return has(test.failing, name) }, there: func(string) bool { return !test.noFiles }}
			online := b.run()
			for name, i := range g {
				if want := i.enabled && !has(test.failing, name) && !has(test.off, name); online[name] != want {
					t.Errorf("%s: online %v", name, online[name])
				}
			}
			for _, name := range last {
				if !online[name] {
					t.Errorf("%s is not reached", name)
				}
			}
		})
	}
	// What the console's login needs, it waits for.
	b := &bootOf{g: g, failed: func(name string) bool { return strings.HasPrefix(name, "svc:/system/filesystem/minimal") }, there: func(string) bool { return true }}
	if online := b.run(); online[last[0]] || online[last[1]] || !online["svc:/system/filesystem/usr:default"] {
		t.Errorf("without a file system: %v", online)
	}
}

// reach are all instances that one depends on, however far away.
func (g graph) reach(name string, found map[string]bool) map[string]bool {
	for _, d := range g[name].deps {
		for _, e := range d.entities {
			for _, i := range g.named(e) {
				if !found[i.fmri] {
					found[i.fmri] = true
					g.reach(i.fmri, found)
				}
			}
		}
	}
	return found
}

// svcadm milestone runs what a milestone depends on, and nothing else: so that says what a run
// level has.
func TestMilestones(t *testing.T) {
	z := newZone(t)
	z.boot()
	g := z.graph()
	single := []string{"identity:node", "filesystem/minimal:default", "filesystem/root:default", "filesystem/usr:default", "devices:default", "loopback:default", "manifest-import:default"}
	multi := slices.Concat(single, []string{"single-user:default", "sysconfig:default", "name-services:default", "filesystem/local:default", "system-log:default", "cron:default", "console-login:default", "utmp:default"})
	for name, test := range map[string]struct{ has, not []string }{
		"single-user":       {single, []string{"ssh:default", "cron:default", "system-log:default", "console-login:default"}},
		"multi-user":        {multi, []string{"ssh:default"}},
		"multi-user-server": {append(multi, "multi-user:default", "ssh:default"), nil},
	} {
		found := g.reach("svc:/milestone/"+name+":default", map[string]bool{})
		all := strings.Join(slices.Sorted(maps.Keys(found)), " ") + " "
		for _, s := range test.has {
			if !strings.Contains(all, "/"+s+" ") {
				t.Errorf("%s does without %s", name, s)
			}
		}
		for _, s := range test.not {
			if strings.Contains(all, "/"+s+" ") {
				t.Errorf("%s has %s", name, s)
			}
		}
	}
}
