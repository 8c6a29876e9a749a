package server

import (
	"testing"

	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

var (
	service  = repo.Entity{Service: "network/web"}
	instance = repo.Entity{Service: "network/web", Instance: "default"}
)

func str(name string, values ...string) tree.Property {
	return tree.Property{Name: name, Type: prop.AString, Values: values}
}

func boolean(name, value string) tree.Property {
	return tree.Property{Name: name, Type: prop.Boolean, Values: []string{value}}
}

func group(name, groupType string, props ...tree.Property) *tree.Group {
	g := []tree.Group{{Name: name, Type: groupType, Props: props}}
	tree.SortGroups(g)
	return &g[0]
}

func volatile(name, groupType string, props ...tree.Property) *tree.Group {
	g := group(name, groupType, props...)
	g.Flags = tree.NonPersistent
	return g
}

func set(group string, p tree.Property) repo.Op {
	return repo.Op{Verb: repo.SetProperty, On: instance, Name: group, Prop: p}
}

func values(group string, p tree.Property) repo.Op {
	return repo.Op{Verb: repo.SetValues, On: instance, Name: group, Prop: p}
}

func remove(group, property string) repo.Op {
	return repo.Op{Verb: repo.DeleteProperty, On: instance, Name: group, Prop: tree.Property{Name: property}}
}

func create(name, groupType string, flags tree.Flags) repo.Op {
	return repo.Op{Verb: repo.CreateGroup, On: instance, Name: name, Type: groupType, Flags: flags}
}

func put(g *tree.Group) repo.Op { return repo.Op{Verb: repo.PutGroup, On: instance, Tree: g} }

func onService(o repo.Op) repo.Op { o.On = service; return o }

// decision is an operation, and what is enough for it: each of some, and nothing else of all.
type decision struct {
	name  string
	op    repo.Op
	now   scene
	each  []string // each of these alone is enough
	both  []string // these together are enough, and none of them alone
	names string   // what is named as missing to who has nothing
}

const (
	modify      = "solaris.smf.modify"
	modifyApp   = "solaris.smf.modify.application"
	modifyFrame = "solaris.smf.modify.framework"
	manage      = "solaris.smf.manage"
)

// all are the authorizations that decisions are tried with.
var all = []string{
	modify, modifyApp, modifyFrame, "solaris.smf.modify.method", "solaris.smf.modify.dependency", manage,
	"site.modify", "site.value", "site.read", "site.action", "site.service", "solaris.other",
}

var (
	nothing = scene{}
	app     = group("config", application, str("a", "1"), boolean("b", "true"))
	guarded = group("config", application, str("a", "1"), str(modifyAuthorization, "site.modify"), str(valueAuthorization, "site.value", "site.other"), str(readAuthorization, "site.read"))
	shared  = group("config", application, str("a", "1"), str(valueAuthorization, "site.value"))
	open    = scene{now: app}
	held2   = scene{now: guarded}
	below   = scene{now: app, inherited: guarded}
	mine    = scene{now: group("config", application, str("a", "1"), str(modifyAuthorization, "site.service")), inherited: guarded}
	wrong   = scene{now: group("config", application, str("a", "1"), tree.Property{Name: valueAuthorization, Type: prop.UString, Values: []string{"site.value"}})}
	gen     = group(general, framework, boolean("enabled", "true"), str(actionAuthorization, "site.action"))
	switchy = scene{now: gen, general: gen}
	plain   = group(general, framework, boolean("enabled", "true"))
	acting  = scene{now: volatile(actions, framework), general: plain, serviceGeneral: gen}
	over    = scene{now: volatile(generalOverride, framework, boolean("enabled", "false")), general: gen}
)

var decisions = []decision{
	{name: "expect", op: repo.Op{Verb: repo.ExpectGroup, On: instance, Name: "config"}, now: held2, each: all},
	{name: "create a service", op: repo.Op{Verb: repo.Create, On: service}, each: []string{modify}, names: modify},
	{name: "ensure an instance", op: repo.Op{Verb: repo.Ensure, On: instance}, each: []string{modify}, names: modify},
	{name: "delete an instance", op: repo.Op{Verb: repo.Delete, On: instance}, now: switchy, each: []string{modify}, names: modify},
	{name: "take a snapshot", op: repo.Op{Verb: repo.TakeSnapshot, On: instance, Name: "s"}, now: switchy, each: []string{modify}, names: modify},
	{name: "put a snapshot", op: repo.Op{Verb: repo.PutSnapshot, On: instance, Name: "s"}, each: []string{modify}, names: modify},
	{name: "revert", op: repo.Op{Verb: repo.Revert, On: instance, Name: "s"}, both: []string{modify, manage}, names: modify},
	{name: "no operation", op: repo.Op{Verb: 200, On: instance}, each: []string{modify}, names: modify},

	{name: "create an application group", op: create("config", application, 0), each: []string{modify, modifyApp}, names: modifyApp},
	{name: "create a method", op: create("start", "method", 0), each: []string{modify, "solaris.smf.modify.method"}, names: "solaris.smf.modify.method"},
	{name: "create a dependency", op: create("fs", "dependency", 0), each: []string{modify, "solaris.smf.modify.dependency"}, names: "solaris.smf.modify.dependency"},
	{name: "create a group of another type", op: create("x", "template", 0), each: []string{modify}, names: modify},
	{name: "create a group below a guarded one", op: create("config", application, 0), now: scene{inherited: guarded}, each: []string{modify, modifyApp}, names: modifyApp},
	{name: "create actions", op: create(actions, framework, tree.NonPersistent), now: switchy, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},
	{name: "create an override", op: create(generalOverride, framework, tree.NonPersistent), now: scene{serviceGeneral: gen}, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},
	{name: "create persistent actions", op: create(actions, framework, 0), now: switchy, each: []string{modify, modifyFrame}, names: modifyFrame},
	{name: "create actions of another type", op: create(actions, application, tree.NonPersistent), now: switchy, each: []string{modify, modifyApp}, names: modifyApp},
	{name: "create actions of a service", op: onService(create(actions, framework, tree.NonPersistent)), now: switchy, each: []string{modify, modifyFrame}, names: modifyFrame},
	{name: "create general", op: create(general, framework, 0), each: []string{modify, modifyFrame}, names: modifyFrame},

	{name: "delete an application group", op: repo.Op{Verb: repo.DeleteGroup, On: instance, Name: "config"}, now: held2, each: []string{modify, modifyApp}, names: modifyApp},
	{name: "delete no group", op: repo.Op{Verb: repo.DeleteGroup, On: instance, Name: "config"}, each: []string{modify}, names: modify},
	{name: "delete an override", op: repo.Op{Verb: repo.DeleteGroup, On: instance, Name: generalOverride}, now: over, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},
	{name: "delete actions", op: repo.Op{Verb: repo.DeleteGroup, On: instance, Name: actions}, now: acting, each: []string{modify, modifyFrame}, names: modifyFrame},
	{name: "delete general with who may act", op: repo.Op{Verb: repo.DeleteGroup, On: instance, Name: general}, now: switchy, both: []string{modifyFrame, manage}, names: modifyFrame},

	{name: "set in no group", op: set("config", str("a", "2")), each: []string{modify}, names: modify},
	{name: "change a value", op: set("config", str("a", "2")), now: open, each: []string{modify, modifyApp}, names: modifyApp},
	{name: "change a guarded value", op: values("config", str("a", "2")), now: held2, each: []string{modify, modifyApp, "site.modify", "site.value"}, names: "site.value"},
	{name: "set a guarded value", op: set("config", str("a", "2")), now: held2, each: []string{modify, modifyApp, "site.modify", "site.value"}, names: "site.value"},
	{name: "keep the type of a guarded value", op: values("config", tree.Property{Name: "a", Values: []string{"2"}}), now: held2, each: []string{modify, modifyApp, "site.modify", "site.value"}, names: "site.value"},
	{name: "change a guarded type", op: set("config", boolean("a", "true")), now: held2, each: []string{modify, modifyApp, "site.modify"}, names: "site.modify"},
	{name: "add to a guarded group", op: set("config", str("new", "2")), now: held2, each: []string{modify, modifyApp, "site.modify"}, names: "site.modify"},
	{name: "delete from a guarded group", op: remove("config", "a"), now: held2, each: []string{modify, modifyApp, "site.modify"}, names: "site.modify"},
	{name: "change who may modify", op: values("config", str(modifyAuthorization, "x")), now: held2, each: []string{modify, modifyApp, "site.modify"}, names: "site.modify"},
	{name: "change who may change values", op: values("config", str(valueAuthorization, "x")), now: held2, each: []string{modify, modifyApp, "site.modify", "site.value"}, names: "site.value"},
	{name: "inherited from the service", op: values("config", str("a", "2")), now: below, each: []string{modify, modifyApp, "site.modify", "site.value"}, names: "site.value"},
	{name: "the instance's own come first", op: remove("config", "a"), now: mine, each: []string{modify, modifyApp, "site.service"}, names: "site.service"},
	{name: "of another type they are none", op: values("config", str("a", "2")), now: wrong, each: []string{modify, modifyApp}, names: modifyApp},

	{name: "enable", op: set(general, boolean("enabled", "false")), now: switchy, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},
	{name: "enable for now", op: set(generalOverride, boolean("enabled", "true")), now: over, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},
	{name: "comment", op: set(generalOverride, str("comment", "why")), now: over, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},
	{name: "no longer overridden", op: remove(generalOverride, "enabled"), now: over, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},
	{name: "something else in an override", op: set(generalOverride, str(modifyAuthorization, "x")), now: over, each: []string{modify, modifyFrame}, names: modifyFrame},
	{name: "enable a service", op: onService(set(general, boolean("enabled", "false"))), now: scene{now: plain}, each: []string{modify, modifyFrame}, names: modifyFrame},
	{name: "enabled elsewhere", op: set("config", boolean("enabled", "false")), now: scene{now: app, general: gen}, each: []string{modify, modifyApp}, names: modifyApp},
	{name: "general of another type", op: set(general, boolean("enabled", "false")), now: scene{now: group(general, application), general: gen}, each: []string{modify, modifyApp}, names: modifyApp},
	{name: "something else in general", op: set(general, str("restarter", "x")), now: switchy, each: []string{modify, modifyFrame}, names: modifyFrame},
	{name: "who may act", op: values(general, str(actionAuthorization, "x")), now: switchy, both: []string{modifyFrame, manage}, names: modifyFrame},
	{name: "who may act, of a service", op: onService(set(general, str(actionAuthorization, "x"))), now: scene{now: plain}, both: []string{modify, manage}, names: modifyFrame},
	{name: "restart", op: set(actions, tree.Property{Name: "restart", Type: prop.Integer, Values: []string{"1"}}), now: acting, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},

	{name: "put a new group", op: put(guarded), each: []string{modify, modifyApp}, names: modifyApp},
	{name: "put the same", op: put(app), now: open, each: all},
	{name: "put the same secret", op: put(guarded), now: held2, each: []string{modify, modifyApp, "site.modify", "site.read"}, names: "site.value"},
	{name: "put another value", op: put(group("config", application, str("a", "2"), shared.Props[1])), now: scene{now: shared}, each: []string{modify, modifyApp, "site.value"}, names: "site.value"},
	{name: "put another value beside a secret", op: put(group("config", application, str("a", "2"), guarded.Props[1], guarded.Props[2], guarded.Props[3])), now: held2, each: []string{modify, modifyApp, "site.modify"}, names: "site.value"},
	{name: "put one less", op: put(group("config", application, guarded.Props[1], guarded.Props[2], guarded.Props[3])), now: held2, each: []string{modify, modifyApp, "site.modify"}, names: "site.modify"},
	{name: "put another type", op: put(group("config", framework)), now: held2, each: []string{modify}, both: []string{modifyApp, modifyFrame}, names: modifyApp},
	{name: "put other flags", op: put(volatile("config", application)), now: held2, each: []string{modify, modifyApp}, names: modifyApp},
	{name: "put an override", op: put(volatile(generalOverride, framework, boolean("enabled", "true"))), now: scene{general: gen}, each: []string{modify, modifyFrame, manage, "site.action"}, names: manage},
	{name: "put an override with more", op: put(volatile(generalOverride, framework, boolean("enabled", "true"), str("more", "x"))), now: scene{general: gen}, each: []string{modify, modifyFrame}, names: manage},
	{name: "put general with who may act", op: put(gen), both: []string{modifyFrame, manage}, names: modifyFrame},
	{name: "put general without who may act", op: put(plain), now: switchy, both: []string{modifyFrame, manage}, names: modifyFrame},
	{name: "put nothing", op: repo.Op{Verb: repo.PutGroup, On: instance}, each: []string{modify}, names: modify},
}

// TestPermissions: of each operation, what is enough, that nothing else is, and what is named.
func TestPermissions(t *testing.T) {
	for _, d := range decisions {
		t.Run(d.name, func(t *testing.T) {
			if got := missing(auth.Set{}, &d.op, &d.now); got != d.names {
				t.Errorf("missing is %q, want %q", got, d.names)
			}
			enough := map[string]bool{}
			for _, a := range d.each {
				enough[a] = true
			}
			for _, a := range all {
				if got := missing(auth.Of(a), &d.op, &d.now); (got == "") != enough[a] {
					t.Errorf("with %s missing is %q", a, got)
				}
			}
			if len(d.both) > 0 && missing(auth.Of(d.both...), &d.op, &d.now) != "" {
				t.Errorf("%q are not enough", d.both)
			}
			if got := missing(auth.Of("solaris.*"), &d.op, &d.now); got != "" {
				t.Errorf("with everything missing is %q", got)
			}
		})
	}
}

func TestProtection(t *testing.T) {
	secret := group("config", application, str("password", "x"), str(readAuthorization, "site.read"))
	for name, c := range map[string]struct {
		shown, now, inherited *tree.Group
		property              string
		enough                []string
		names                 string
	}{
		"open":               {app, app, nil, "a", all, ""},
		"secret":             {secret, secret, nil, "password", []string{modify, modifyApp, "site.read"}, "site.read"},
		"guarded":            {guarded, guarded, nil, "a", []string{modify, modifyApp, "site.read", "site.modify", "site.value"}, "site.read"},
		"who may modify":     {guarded, guarded, nil, modifyAuthorization, []string{modify, modifyApp, "site.read", "site.modify"}, "site.read"},
		"inherited":          {app, app, guarded, "a", []string{modify, modifyApp, "site.read", "site.modify", "site.value"}, "site.read"},
		"not an application": {group("config", framework, secret.Props...), group("config", framework, secret.Props...), nil, "password", all, ""},
		"of another type":    {group("config", application, tree.Property{Name: readAuthorization, Type: prop.UString}), nil, nil, "a", all, ""},
		"empty":              {group("config", application, str(readAuthorization)), nil, nil, "a", []string{modify, modifyApp}, modifyApp},
		"secret since":       {app, secret, nil, "a", []string{modify, modifyApp, "site.read"}, "site.read"},
		"secret before":      {secret, app, nil, "password", []string{modify, modifyApp}, modifyApp},
		"gone since":         {secret, nil, nil, "password", []string{modify, modifyApp, "site.read"}, "site.read"},
	} {
		p := protect(c.shown, c.now, c.inherited)
		if got := unreadable(auth.Set{}, p, c.property); got != c.names {
			t.Errorf("%s: missing is %q, want %q", name, got, c.names)
		}
		enough := map[string]bool{}
		for _, a := range c.enough {
			enough[a] = true
		}
		for _, a := range all {
			if got := unreadable(auth.Of(a), p, c.property); (got == "") != enough[a] {
				t.Errorf("%s: with %s missing is %q", name, a, got)
			}
		}
	}
}
