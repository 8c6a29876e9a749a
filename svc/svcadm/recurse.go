package svcadm

import (
	"errors"
	"strconv"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/operand"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// depthMax is how far enable -r goes from one dependency to the next. Chains of real systems have
// some twenty.
const depthMax = 4096

// outcome is what became of one dependency of enable -r.
type outcome uint8

const (
	fine    outcome = iota
	invalid         // it is no FMRI
	several         // it is a service of several instances
	cycle
	tooDeep
)

// climb is enable -r of one operand: an instance, its restarter, and all that it needs.
type climb struct {
	r         *run
	temporary bool
	// active are the FMRIs on the way here; false: one that is done.
	active map[string]bool
	depth  int
}

// enableAll enables an instance and, from it on, what it requires. Dependencies that are optional or
// exclude are left alone, and of those that require any one are followed that leave no choice.
func (r *run) enableAll(on repo.Entity, temporary bool) error {
	c := &climb{r: r, temporary: temporary, active: map[string]bool{}}
	switch c.enable(on.String()) {
	case cycle:
		r.fail(on.String() + ": Dependency cycle detected.")
	case tooDeep:
		r.fail(on.String() + ": its dependencies are nested deeper than " + strconv.Itoa(depthMax) + ".")
	}
	return nil
}

// enable goes on with what an FMRI stands for.
func (c *climb) enable(text string) outcome {
	f, err := fmri.Parse(text)
	if err != nil {
		return invalid
	}
	name := f.String()
	if active, seen := c.active[name]; seen {
		if active {
			return cycle
		}
		return fine
	}
	if c.depth == depthMax {
		return tooDeep
	}
	on, how := c.instance(f)
	if how != fine || on.Instance == "" {
		return how
	}
	c.depth++
	c.active[name] = true
	how = c.below(on)
	c.active[name] = false
	c.depth--
	return how
}

// instance is the one that an FMRI stands for; none, when it was told why there is none.
func (c *climb) instance(f fmri.FMRI) (on repo.Entity, how outcome) {
	r, name := c.r, f.String()
	switch {
	case f.Scheme == fmri.Legacy:
		r.fail("FMRI \"" + name + "\" is a legacy service.")
		return on, fine
	case f.Scheme != fmri.Service || f.Group != "":
		r.fail("FMRI \"" + name + "\" does not designate a service or instance.")
		return on, fine
	}
	e := repo.Entity{Service: f.Service, Instance: f.Instance}
	is, err := r.store.Exists(e)
	switch {
	case err != nil:
		r.failed(e, err)
		return on, fine
	case !is && e.Instance == "":
		r.fail("No such service \"" + name + "\".")
		return on, fine
	case !is:
		r.fail("No such instance \"" + name + "\".")
		return on, fine
	case e.Instance != "":
		return e, fine
	}
	matches, err := operand.Find(r.store, name, operand.Instances)
	var none *operand.NoMatchError
	switch {
	case errors.As(err, &none):
		r.fail("Service \"" + name + "\" has no instances.")
		return on, fine
	case err != nil:
		r.failed(e, err)
		return on, fine
	case len(matches) > 1:
		return on, several
	}
	return matches[0].On, fine
}

// below enables an instance, its restarter, and what it requires as it runs.
func (c *climb) below(on repo.Entity) outcome {
	r, name := c.r, on.String()
	if err := r.set(on, true, c.temporary); err != nil {
		r.failed(on, err)
		return fine
	}
	groups, err := r.store.Groups(on, door.Effective)
	if err != nil {
		r.failed(on, err)
		return fine
	}
	var general *tree.Group
	for i := range groups {
		if groups[i].Name == graphcfg.General {
			general = &groups[i].Group
		}
	}
	if how := c.restarter(name, general); how != fine {
		return how
	}
	for i := range groups {
		if groups[i].Type != graphcfg.Dependency {
			continue
		}
		if how := c.dependency(name, &groups[i].Group); how != fine {
			return how
		}
	}
	return fine
}

func (c *climb) restarter(name string, general *tree.Group) outcome {
	if general == nil { // only until the override was made permanent
		return fine
	}
	text, problem := word(general, "restarter")
	switch {
	case problem == lacking:
		return fine
	case problem != "":
		c.r.say("\"" + name + "\" is misconfigured (\"" + graphcfg.General + "/restarter\" property " + problem + ").")
		return fine
	}
	switch how := c.enable(text); how {
	case invalid:
		c.r.say("Restarter FMRI for \"" + name + "\" is invalid.")
	case several:
		c.r.say("Restarter FMRI for \"" + name + "\" identifies a service with multiple instances.")
	default:
		return how
	}
	return fine
}

// lacking is a property that is not there.
const lacking = "is absent"

// word is the one string of a property; problem: what is wrong with it.
func word(g *tree.Group, name string) (value, problem string) {
	p := g.Prop(name)
	switch {
	case p == nil:
		return "", lacking
	case len(p.Values) != 1:
		return "", "is not single-valued"
	case !p.Type.Is(prop.AString):
		return "", "is not of astring type"
	}
	return p.Values[0], ""
}

// dependency enables what a group of type dependency requires.
func (c *climb) dependency(name string, g *tree.Group) outcome {
	kind, ok := c.word(name, g, "type")
	if !ok || kind != "service" {
		return fine
	}
	grouping, ok := c.word(name, g, "grouping")
	switch {
	case !ok, grouping == "exclude_all", grouping == "optional_all":
		return fine
	case grouping != "require_all" && grouping != "require_any":
		c.r.say("Dependency \"" + g.Name + "\" of \"" + name + "\" has unknown type \"" + grouping + "\".")
		return fine
	}
	entities := g.Prop("entities")
	switch {
	case entities == nil:
		c.misconfigured(name, g, "entities", lacking)
		return fine
	case !entities.Type.Is(prop.AString):
		c.r.say("\"" + name + "\" is misconfigured (property \"" + g.Name + "/entities\" is not of fmri type).")
		return fine
	case grouping == "require_any" && c.choice(entities.Values):
		c.r.print(name + " requires one of:")
		for _, entity := range entities.Values {
			c.r.print("  " + entity)
		}
		return fine
	}
	return c.members(name, g.Name, entities.Values)
}

func (c *climb) members(name, group string, entities []string) outcome {
	for _, entity := range entities {
		switch how := c.enable(entity); how {
		case fine:
		case invalid:
			c.r.say("\"" + group + "\" dependency of \"" + name + "\" has invalid FMRI \"" + entity + "\".")
		case several:
			c.r.say(name + " depends on " + entity + ", which has multiple instances.")
		default:
			return how
		}
	}
	return fine
}

// choice says whether there are several instances to choose from.
func (c *climb) choice(entities []string) bool {
	count := 0
	for _, entity := range entities {
		matches, err := operand.Find(c.r.store, entity, operand.Instances)
		if f, bad := fmri.Parse(entity); err == nil && bad == nil && f.Scheme == fmri.Service {
			count += len(matches)
		}
	}
	return count > 1
}

func (c *climb) word(name string, g *tree.Group, property string) (value string, ok bool) {
	value, problem := word(g, property)
	if problem != "" {
		c.misconfigured(name, g, property, problem)
	}
	return value, problem == ""
}

// misconfigured says what is wrong with a dependency, which is passed over then.
func (c *climb) misconfigured(name string, g *tree.Group, property, problem string) {
	if problem == lacking {
		c.r.say("\"" + name + "\" is misconfigured (\"" + g.Name + "\" dependency lacks \"" + property + "\" property.)")
		return
	}
	c.r.say("\"" + name + "\" is misconfigured (\"" + g.Name + "/" + property + "\" property " + problem + ".)")
}
