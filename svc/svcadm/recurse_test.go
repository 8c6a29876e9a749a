package svcadm

import (
	"strconv"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// enabledAll are the instances of a repository that are enabled.
func (r *rig) enabledAll() (all string) {
	r.t.Helper()
	services, err := r.store.Services()
	must(r.t, err)
	for _, service := range services {
		names, err := r.store.Instances(service)
		must(r.t, err)
		for _, name := range names {
			e := repo.Entity{Service: service, Instance: name}
			if g := r.group(e, "general"); g != nil && g.Prop("enabled").Values[0] == "true" {
				all += " " + e.String()[len("svc:/"):]
			}
		}
	}
	return all
}

// TestRecursive: what enable -r x enables, and says, of dependencies of each kind.
func TestRecursive(t *testing.T) {
	dep := func(name, grouping string, entities ...string) *tree.Group {
		return dependency(name, grouping, "service", entities...)
	}
	without := func(g *tree.Group, property string) *tree.Group {
		for i := range g.Props {
			if g.Props[i].Name == property {
				g.Props = append(g.Props[:i:i], g.Props[i+1:]...)
				return g
			}
		}
		return g
	}
	with := func(g *tree.Group, p tree.Property) *tree.Group { *g.Prop(p.Name) = p; return g }
	const y, z = "svc:/y:default", "svc:/z:default"
	for name, c := range map[string]struct {
		groups             []*tree.Group
		out, errs, enabled string
		code               int
	}{
		"none":              {nil, "", "", " x:default", 0},
		"all":               {[]*tree.Group{dep("d", "require_all", y, z)}, "", "", " x:default y:default z:default", 0},
		"a service":         {[]*tree.Group{dep("d", "require_all", "svc:/y")}, "", "", " x:default y:default", 0},
		"several groups":    {[]*tree.Group{dep("d", "require_all", y), dep("e", "require_all", z, y)}, "", "", " x:default y:default z:default", 0},
		"optional":          {[]*tree.Group{dep("d", "optional_all", y)}, "", "", " x:default", 0},
		"exclude":           {[]*tree.Group{dep("d", "exclude_all", y)}, "", "", " x:default", 0},
		"files":             {[]*tree.Group{dependency("d", "require_all", "path", "file:///etc/x")}, "", "", " x:default", 0},
		"any of one":        {[]*tree.Group{dep("d", "require_any", y)}, "", "", " x:default y:default", 0},
		"any of one there":  {[]*tree.Group{dep("d", "require_any", "svc:/gone:default", y)}, "", "svcadm: No such instance \"svc:/gone:default\".\n", " x:default y:default", 1},
		"any of two":        {[]*tree.Group{dep("d", "require_any", y, z)}, "svc:/x:default requires one of:\n  " + y + "\n  " + z + "\n", "", " x:default", 0},
		"any of a service":  {[]*tree.Group{dep("d", "require_any", "svc:/many")}, "svc:/x:default requires one of:\n  svc:/many\n", "", " x:default", 0},
		"several":           {[]*tree.Group{dep("d", "require_all", "svc:/many", y)}, "", "svcadm: svc:/x:default depends on svc:/many, which has multiple instances.\n", " x:default y:default", 0},
		"absent":            {[]*tree.Group{dep("d", "require_all", "svc:/gone", y)}, "", "svcadm: No such service \"svc:/gone\".\n", " x:default y:default", 1},
		"absent instance":   {[]*tree.Group{dep("d", "require_all", "svc:/y:gone", y)}, "", "svcadm: No such instance \"svc:/y:gone\".\n", " x:default y:default", 1},
		"empty":             {[]*tree.Group{dep("d", "require_all", "svc:/empty", y)}, "", "svcadm: Service \"svc:/empty\" has no instances.\n", " x:default y:default", 1},
		"legacy":            {[]*tree.Group{dep("d", "require_all", "lrc:/etc/rc2_d/S1", y)}, "", "svcadm: FMRI \"lrc:/etc/rc2_d/S1\" is a legacy service.\n", " x:default y:default", 1},
		"a file":            {[]*tree.Group{dep("d", "require_all", "file:///etc", y)}, "", "svcadm: FMRI \"file:///etc\" does not designate a service or instance.\n", " x:default y:default", 1},
		"a group":           {[]*tree.Group{dep("d", "require_all", "svc:/y/:properties/general", y)}, "", "svcadm: FMRI \"svc:/y/:properties/general\" does not designate a service or instance.\n", " x:default y:default", 1},
		"invalid":           {[]*tree.Group{with(dep("d", "require_all"), str("entities", "svc:/9 \x1b", y))}, "", "svcadm: \"d\" dependency of \"svc:/x:default\" has invalid FMRI \"svc:/9 ?\".\n", " x:default y:default", 0},
		"unknown grouping":  {[]*tree.Group{dep("d", "perhaps", y)}, "", "svcadm: Dependency \"d\" of \"svc:/x:default\" has unknown type \"perhaps\".\n", " x:default", 0},
		"no grouping":       {[]*tree.Group{without(dep("d", "require_all", y), "grouping")}, "", "svcadm: \"svc:/x:default\" is misconfigured (\"d\" dependency lacks \"grouping\" property.)\n", " x:default", 0},
		"no type":           {[]*tree.Group{without(dep("d", "require_all", y), "type")}, "", "svcadm: \"svc:/x:default\" is misconfigured (\"d\" dependency lacks \"type\" property.)\n", " x:default", 0},
		"no entities":       {[]*tree.Group{without(dep("d", "require_all", y), "entities")}, "", "svcadm: \"svc:/x:default\" is misconfigured (\"d\" dependency lacks \"entities\" property.)\n", " x:default", 0},
		"two groupings":     {[]*tree.Group{with(dep("d", "require_all", y), str("grouping", "require_all", "require_any"))}, "", "svcadm: \"svc:/x:default\" is misconfigured (\"d/grouping\" property is not single-valued.)\n", " x:default", 0},
		"grouping a number": {[]*tree.Group{with(dep("d", "require_all", y), integer("grouping", "1"))}, "", "svcadm: \"svc:/x:default\" is misconfigured (\"d/grouping\" property is not of astring type.)\n", " x:default", 0},
		"entities numbers":  {[]*tree.Group{with(dep("d", "require_all", y), integer("entities", "1"))}, "", "svcadm: \"svc:/x:default\" is misconfigured (property \"d/entities\" is not of fmri type).\n", " x:default", 0},
		"itself":            {[]*tree.Group{dep("d", "require_all", "svc:/x:default")}, "", "svcadm: svc:/x:default: Dependency cycle detected.\n", " x:default", 1},
		"a cycle":           {[]*tree.Group{dep("d", "require_all", "svc:/back", z)}, "", "svcadm: svc:/x:default: Dependency cycle detected.\n", " back:default x:default", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.instance("x:default", "false", "", c.groups...)
			r.instance("y:default", "false", "")
			r.instance("z:default", "false", "")
			r.instance("many:one", "false", "")
			r.instance("many:two", "false", "")
			r.instance("back:default", "false", "", requires("svc:/x:default"))
			r.apply(func(b *repo.Batch) { b.Ensure(repo.Entity{Service: "empty"}) })
			r.says("enable -r svc:/x:default", c.out, c.errs, c.code)
			if got := r.enabledAll(); got != c.enabled {
				t.Errorf("enabled are%s, want%s", got, c.enabled)
			}
		})
	}
}

// TestRecursiveRestarter: the restarter is enabled too.
func TestRecursiveRestarter(t *testing.T) {
	for restarter, want := range map[string]struct {
		errs, enabled string
		code          int
	}{
		"svc:/inetd:default": {"", " inetd:default x:default", 0},
		"svc:/inetd":         {"", " inetd:default x:default", 0},
		"what":               {"svcadm: Restarter FMRI for \"svc:/x:default\" is invalid.\n", " x:default", 0},
		"svc:/many":          {"svcadm: Restarter FMRI for \"svc:/x:default\" identifies a service with multiple instances.\n", " x:default", 0},
		"svc:/gone:default":  {"svcadm: No such instance \"svc:/gone:default\".\n", " x:default", 1},
	} {
		r := newRig(t)
		x := r.instance("x:default", "false", "")
		r.instance("inetd:default", "false", "")
		r.instance("many:one", "false", "")
		r.instance("many:two", "false", "")
		r.apply(func(b *repo.Batch) { b.SetProperty(x, "general", str("restarter", restarter)) })
		r.says("enable -r x", "", want.errs, want.code)
		if got := r.enabledAll(); got != want.enabled {
			t.Errorf("%s: enabled are%s", restarter, got)
		}
	}
	r := newRig(t)
	x := r.instance("x:default", "false", "")
	for _, c := range []struct {
		p    tree.Property
		errs string
	}{
		{str("restarter", "a", "b"), "svcadm: \"svc:/x:default\" is misconfigured (\"general/restarter\" property is not single-valued).\n"},
		{integer("restarter", "7"), "svcadm: \"svc:/x:default\" is misconfigured (\"general/restarter\" property is not of astring type).\n"},
	} {
		r.apply(func(b *repo.Batch) { b.SetProperty(x, "general", c.p) })
		r.says("enable -r x", "", c.errs, 0)
	}
}

// TestRecursiveRunning: what it runs with counts, not what it will run with.
func TestRecursiveRunning(t *testing.T) {
	r := newRig(t)
	x := r.instance("x:default", "false", "", requires("svc:/y:default"))
	r.instance("y:default", "false", "")
	r.instance("z:default", "false", "")
	r.apply(func(b *repo.Batch) {
		b.TakeSnapshot(x, repo.Running)
		b.SetProperty(x, "needs", tree.Property{Name: "entities", Type: prop.FMRI, Values: []string{"svc:/z:default"}})
	})
	r.says("-v enable -rt x", "svc:/x:default temporarily enabled.\nsvc:/y:default temporarily enabled.\n", "", 0)
	if got := r.values(entity(t, "y:default"), "general_ovr"); got != "enabled=true" {
		t.Errorf("%q", got)
	}
	if got := r.enabledAll(); got != "" {
		t.Errorf("enabled for good are%s", got)
	}
}

// TestDeep: a chain of dependencies has a limit, and far below it none.
func TestDeep(t *testing.T) {
	r := newRig(t)
	const deep = 50
	for i := range deep {
		r.instance("s"+strconv.Itoa(i)+":default", "false", "", requires("svc:/s"+strconv.Itoa(i+1)+":default"))
	}
	r.instance("s"+strconv.Itoa(deep)+":default", "false", "")
	r.says("enable -r s0", "", "", 0)
	for i := range deep + 1 {
		if got := r.values(entity(t, "s"+strconv.Itoa(i)+":default"), "general"); got != "enabled=true" {
			t.Fatalf("%d: %s", i, got)
		}
	}
	c := &climb{r: &run{env: &r.env, store: r.store}, active: map[string]bool{}, depth: depthMax}
	if how := c.enable("svc:/s0:default"); how != tooDeep {
		t.Errorf("%d", how)
	}
}
