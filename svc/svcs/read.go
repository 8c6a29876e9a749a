package svcs

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// Names in the repository. Source: libscf.h.
const (
	groupRestarter  = "restarter"
	groupCommonName = "tm_common_name"
	typeTemplate    = "template"
	startd          = "svc:/system/svc/restarter:default"
	legacyService   = "smf/legacy_run"
	legacyType      = "framework"
)

// States, as they are written by restarters.
const (
	uninitialized = "uninitialized"
	disabled      = "disabled"
	offline       = "offline"
	online        = "online"
	degraded      = "degraded"
	maintenance   = "maintenance"
	legacyRun     = "legacy_run"
	none          = "none"
)

// listing is what was read of one repository.
type listing struct {
	zone   string
	store  door.Store
	all    []*instance // in the order of names
	byFMRI map[string]*instance
	// below are the instances of each service.
	below map[string][]*instance
	// names are services and instances, for operands.
	names  []door.Entry
	legacy []*instance
}

// instance is an instance, or a script that ran at a milestone.
type instance struct {
	r    *run
	on   repo.Entity
	fmri string
	path string       // of a script, which has its own group alone
	now  []door.Group // composed, as they are now: what it is to do, and what it does
	ran  []door.Group // of the running snapshot, as far as they were asked for
}

// instancesMax is how many instances of a repository are looked at: as many as a graph takes. Of a
// zone that has more, nothing is shown.
const instancesMax = graph.VerticesMax

// load reads the states of all instances, in one scan.
func (r *run) load(zone string, s door.Store) (*listing, error) {
	l := &listing{zone: zone, store: s, byFMRI: map[string]*instance{}, below: map[string][]*instance{}}
	now, _ := graphcfg.Queries(repo.Entity{}, groupRestarter)
	now.Levels |= door.Services // operands may name those without instances
	result, err := s.Scan(now)
	if err != nil {
		return nil, err
	}
	for i := range result.Entries {
		e := &result.Entries[i]
		l.names = append(l.names, door.Entry{On: e.On})
		if e.On.Instance == "" {
			continue
		}
		if len(l.all) == instancesMax {
			return nil, &fatal{"too many instances: at most " + strconv.Itoa(instancesMax) + " are looked at."}
		}
		in := &instance{r: r, on: e.On, fmri: e.On.String(), now: e.Groups}
		l.all = append(l.all, in)
		l.byFMRI[in.fmri] = in
		l.below[e.On.Service] = append(l.below[e.On.Service], in)
	}
	switch {
	case r.order.mode == 'd', r.order.mode == 'D', r.order.mode == 'x':
		_, running := graphcfg.Queries(repo.Entity{})
		err = r.addRunning(l, running)
	case r.order.json, r.order.shows("DESC"):
		err = r.addRunning(l, door.Query{Levels: door.Instances, View: door.Effective, Groups: []string{groupCommonName}})
	}
	if err == nil && r.order.mode == 0 {
		err = r.loadLegacy(l)
	}
	return l, err
}

// addRunning reads groups of all running snapshots. What came meanwhile is left out.
func (r *run) addRunning(l *listing, q door.Query) error {
	if r.order.mode != 0 && (r.order.json || r.order.shows("DESC")) {
		q.Groups = []string{groupCommonName}
	}
	result, err := l.store.Scan(q)
	if err != nil {
		return err
	}
	for i := range result.Entries {
		if in := l.byFMRI[result.Entries[i].On.String()]; in != nil {
			in.ran = result.Entries[i].Groups
		}
	}
	return nil
}

// loadLegacy reads which scripts ran. Each is a group of a service.
func (r *run) loadLegacy(l *listing) error {
	on := repo.Entity{Service: legacyService}
	result, err := l.store.Scan(door.Query{On: on, Levels: door.Services, View: door.Direct, Types: []string{legacyType}})
	if errors.Is(err, repo.ErrNotFound) {
		return nil
	}
	for i := range result.Entries {
		for _, g := range result.Entries[i].Groups {
			in := &instance{r: r, on: on, now: []door.Group{g}, path: "unknown"}
			if name, is := in.text(g.Name, "name"); is {
				in.path = name
			}
			in.fmri = fmri.Legacy.String() + in.path
			l.legacy = append(l.legacy, in)
		}
	}
	return err
}

// group finds a group among those that were read.
func group(groups []door.Group, name string) *tree.Group {
	for i := range groups {
		if groups[i].Name == name {
			return &groups[i].Group
		}
	}
	return nil
}

// states is the group that tells of the state.
func (in *instance) states() string {
	if in.path != "" {
		return in.now[0].Name
	}
	return groupRestarter
}

// property is one of now, when it is of the type and has between min and max values. Values that
// the caller may not read are none.
func (in *instance) property(groupName, name string, is prop.Type, min, max int) *tree.Property {
	at := slices.IndexFunc(in.now, func(g door.Group) bool { return g.Name == groupName })
	if at < 0 || in.now[at].Withheld {
		return nil
	}
	g := &in.now[at].Group
	p := g.Prop(name)
	if p == nil {
		return nil
	}
	if !p.Type.Is(is) || len(p.Values) > max || len(p.Values) < min {
		in.r.once("Property \"" + fmri.Of(in.on.Service, in.on.Instance) + "/:properties/" + groupName + "/" + name + "\" is misconfigured.")
		return nil
	}
	return p
}

// text is a property of one string, fit to be printed. is: it is one, and not empty.
func (in *instance) text(groupName, name string) (value string, is bool) {
	p := in.property(groupName, name, prop.AString, 1, 1)
	if p == nil || p.Values[0] == "" {
		return "", false
	}
	return printable.Text(p.Values[0]), true
}

// of is a string of the group restarter, or nothing.
func (in *instance) of(name string) string {
	value, _ := in.text(in.states(), name)
	return value
}

func (in *instance) state() string {
	if in.path != "" {
		return legacyRun
	}
	return in.of("state")
}

// next is the state that the instance is about to be in; empty when there is none.
func (in *instance) next() string {
	if in.path != "" {
		return ""
	}
	if next := in.of("next_state"); next != none {
		return next
	}
	return ""
}

// since is when the state was entered.
func (in *instance) since() (at time.Time, is bool) {
	p := in.property(in.states(), "state_timestamp", prop.Time, 1, 1)
	if p == nil {
		return at, false
	}
	seconds, rest, _ := strings.Cut(p.Values[0], ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return at, false
	}
	ns, _ := strconv.ParseInt((rest + "000000000")[:9], 10, 64)
	return time.Unix(s, ns), true
}

// contractsMax is how many contracts of an instance are told of: as many as a property has values.
const contractsMax = prop.ListMax

// contracts are numbers of contracts in a property.
func (in *instance) contracts(name string) (ids []uint64) {
	p := in.property(in.states(), name, prop.Count, 0, contractsMax)
	if p == nil {
		return nil
	}
	for _, v := range p.Values {
		if id, err := strconv.ParseUint(v, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// enabled is a property enabled: general's, or the one that holds for this boot.
func (in *instance) enabled(groupName string) (value, is bool) {
	p := in.property(groupName, "enabled", prop.Boolean, 1, 1)
	return p != nil && p.Values[0] == "true", p != nil
}

// effective says whether the instance is to run, and whether that is for this boot alone.
func (in *instance) effective() (enabled, temporary, is bool) {
	enabled, is = in.enabled(graphcfg.General)
	over, has := in.enabled(graphcfg.Override)
	if has {
		return over, !is || over != enabled, true
	}
	return enabled, false, is
}

// comment is what an administrator said when he disabled it.
func (in *instance) comment() string {
	for _, name := range []string{graphcfg.Override, graphcfg.General} {
		if text, is := in.text(name, "comment"); is {
			return text
		}
	}
	return ""
}

// restarter is the FMRI of who looks after the instance.
func (in *instance) restarter() string {
	text, is := in.text(graphcfg.General, "restarter")
	if !is {
		return startd
	}
	return text
}

// commonName is what the instance is called by people.
func commonName(groups []door.Group) string {
	g := group(groups, groupCommonName)
	if g == nil {
		return ""
	}
	first := ""
	for i := range g.Props {
		p := &g.Props[i]
		switch {
		case len(p.Values) != 1 || !p.Type.Is(prop.AString):
		case p.Name == "C":
			return oneLine(p.Values[0])
		case first == "":
			first = p.Values[0]
		}
	}
	return oneLine(first)
}

// oneLine makes one line of a text that may have several.
func oneLine(text string) string { return printable.Text(strings.ReplaceAll(text, "\n", " ")) }
