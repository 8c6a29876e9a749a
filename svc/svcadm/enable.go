package svcadm

import (
	"strconv"

	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/svcadm/actions"
	"github.com/linuxzones/zones/svc/tree"
)

const (
	propEnabled   = "enabled"
	propComment   = "comment"
	propMilestone = "milestone"

	groupOptions         = "options"
	groupOptionsOverride = "options_ovr"
)

// startd is svc.startd's own instance, which has the milestone.
var startd = repo.Entity{Service: "system/svc/restarter", Instance: "default"}

func (r *run) enable() error {
	temporary := r.order.has("t")
	if r.order.has("r") {
		return r.switches(func(on repo.Entity) error { return r.enableAll(on, temporary) }, true)
	}
	return r.switches(func(on repo.Entity) error { return r.set(on, true, temporary) }, true)
}

func (r *run) disable() error {
	temporary := r.order.has("t")
	return r.switches(func(on repo.Entity) error { return r.set(on, false, temporary) }, false)
}

// switches enables or disables what is meant, and waits with -s. Operands that stand for nothing keep
// nobody from waiting for the others, but are status 1 in the end; an instance that could not be
// switched does, as with the original.
func (r *run) switches(set func(on repo.Entity) error, enabled bool) error {
	all, err := r.targets()
	before := r.code
	r.code = exitOK
	for _, on := range all {
		if err := set(on); err != nil {
			r.failed(on, err)
		}
	}
	if err == nil && r.order.has("s") && r.code == exitOK {
		err = r.wait(all, enabled)
	}
	if before != exitOK {
		r.code = before
	}
	return err
}

// set enables or disables an instance, for good or for this boot. What is for good counts at once:
// the override goes in the same batch.
func (r *run) set(on repo.Entity, enabled, temporary bool) error {
	err := r.apply(func(b *repo.Batch, _ bool) error { return r.planSet(b, on, enabled, temporary) })
	if err != nil {
		return err
	}
	word := " disabled."
	if enabled {
		word = " enabled."
	}
	if temporary {
		word = " temporarily" + word
	}
	r.tell(on.String() + word)
	return nil
}

func (r *run) planSet(b *repo.Batch, on repo.Entity, enabled, temporary bool) error {
	over, overAt, err := r.read(on, graphcfg.Override)
	if err != nil {
		return err
	}
	b.ExpectGroup(on, graphcfg.Override, overAt)
	if temporary {
		r.put(b, on, over, &tree.Group{Name: graphcfg.Override, Type: actions.Type, Flags: tree.NonPersistent}, enabled)
		return nil
	}
	general, generalAt, err := r.read(on, graphcfg.General)
	if err != nil {
		return err
	}
	b.ExpectGroup(on, graphcfg.General, generalAt)
	r.put(b, on, general, &tree.Group{Name: graphcfg.General, Type: actions.Type}, enabled)
	for _, name := range []string{propEnabled, propComment} {
		if over != nil && over.Prop(name) != nil {
			b.DeleteProperty(on, graphcfg.Override, name)
		}
	}
	return nil
}

// put writes enabled and the comment into a group, now nil when there is none.
func (r *run) put(b *repo.Batch, on repo.Entity, now, want *tree.Group, enabled bool) {
	if now == nil {
		b.CreateGroup(on, want.Name, want.Type, want.Flags)
	}
	b.SetProperty(on, want.Name, tree.Property{Name: propEnabled, Type: prop.Boolean, Values: []string{strconv.FormatBool(enabled)}})
	switch {
	case !enabled && r.order.comment != "":
		b.SetProperty(on, want.Name, tree.Property{Name: propComment, Type: prop.AString, Values: []string{r.order.comment}})
	case now != nil && now.Prop(propComment) != nil:
		b.DeleteProperty(on, want.Name, propComment)
	}
}

// milestone sets it: for this boot, or for good.
func (r *run) milestone() error {
	temporary := !r.order.has("d")
	err := r.apply(func(b *repo.Batch, _ bool) error {
		over, overAt, err := r.read(startd, groupOptionsOverride)
		if err != nil {
			return err
		}
		b.ExpectGroup(startd, groupOptionsOverride, overAt)
		p := tree.Property{Name: propMilestone, Type: prop.AString, Values: []string{r.order.word}}
		if temporary {
			if over == nil {
				b.CreateGroup(startd, groupOptionsOverride, actions.Type, tree.NonPersistent)
			}
			b.SetProperty(startd, groupOptionsOverride, p)
			return nil
		}
		options, optionsAt, err := r.read(startd, groupOptions)
		if err != nil {
			return err
		}
		b.ExpectGroup(startd, groupOptions, optionsAt)
		if options == nil {
			b.CreateGroup(startd, groupOptions, actions.Type, 0)
		}
		b.SetProperty(startd, groupOptions, p)
		if over != nil && over.Prop(propMilestone) != nil {
			b.DeleteProperty(startd, groupOptionsOverride, propMilestone)
		}
		return nil
	})
	if err != nil {
		r.failed(startd, err)
	}
	return nil
}
