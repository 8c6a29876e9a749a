package server

import (
	"errors"
	"slices"

	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// Authorizations of the whole, see smf_security(7). modify and a dot before a core group's type is
// the one for groups of that type.
const (
	authModify = "solaris.smf.modify"
	authManage = "solaris.smf.manage"
)

// Properties of a group that hold authorizations for it; of the group general, for actions. They
// count when they are of type astring.
const (
	modifyAuthorization = "modify_authorization"
	valueAuthorization  = "value_authorization"
	readAuthorization   = "read_authorization"
	actionAuthorization = "action_authorization"
)

// Groups whose change is an action on an instance.
const (
	general         = "general"
	generalOverride = "general_ovr"
	actions         = "restarter_actions"

	application = "application"
	framework   = "framework"
)

// switches are the properties of general and general_ovr that are actions: whether the instance is
// enabled, and what was said with that.
var switches = []string{"enabled", "comment"}

// coreTypes are the group types that have an authorization.
var coreTypes = []string{"method", "dependency", application, framework}

// scene is what a decision looks at: the group of the operation as it is, nil when there is none;
// of an instance's, the service's group of that name, from which authorizations are inherited;
// and the groups general of both.
type scene struct {
	now, inherited          *tree.Group
	general, serviceGeneral *tree.Group
}

// groupOf gives a group as it is, nil when there is none.
func groupOf(v *repo.Reader, e repo.Entity, name string) (*tree.Group, error) {
	if name == "" || e.Service == "" {
		return nil, nil
	}
	g, _, err := v.Group(e, name)
	switch {
	case errors.Is(err, repo.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &g, nil
}

// held gives the authorizations in a property of the group, or of the one it inherits from.
func held(g, inherited *tree.Group, name string) []string {
	for _, g := range []*tree.Group{g, inherited} {
		if g == nil {
			continue
		}
		if p := g.Prop(name); p != nil && p.Type == prop.AString {
			return p.Values
		}
	}
	return nil
}

// anyOf says which authorization is missing: none when one of them is had, else the first.
func anyOf(have auth.Set, words ...string) string {
	for _, w := range words {
		if have.Has(w) {
			return ""
		}
	}
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return authModify
}

// ofType are the authorizations for groups of a type.
func ofType(groupType string) []string {
	if slices.Contains(coreTypes, groupType) {
		return []string{authModify + "." + groupType, authModify}
	}
	return []string{authModify}
}

// missing decides: it gives the authorization that the operation takes and that is not had, empty
// when it is permitted. Of several that would do it is the narrowest.
//
//	verb                          one of
//	expect...                     nothing
//	create, ensure, delete        modify
//	snapshots                     modify
//	revert                        modify; and manage, since it may change who may act
//	create group, delete group    modify, modify.TYPE; of an override or of actions also manage,
//	                              action_authorization
//	a property                    modify, modify.TYPE, modify_authorization
//	  its values alone            also value_authorization, but of modify_authorization
//	  of actions, or a switch     also manage, action_authorization
//	  general/action_authorization  as any, and manage
//	put group                     what its differences take; what may not be read differs
func missing(have auth.Set, o *repo.Op, s *scene) string {
	if isExpectation(o.Verb) {
		return ""
	}
	switch o.Verb {
	case repo.CreateGroup:
		return s.create(have, o.On, &tree.Group{Name: o.Name, Type: o.Type, Flags: o.Flags})
	case repo.DeleteGroup:
		return s.remove(have, o.On)
	case repo.PutGroup:
		if o.Tree == nil {
			return anyOf(have, authModify)
		}
		return s.put(have, o.On, o.Tree)
	case repo.SetProperty, repo.SetValues, repo.DeleteProperty:
		if s.now == nil {
			return anyOf(have, authModify)
		}
		p := &o.Prop
		if o.Verb == repo.DeleteProperty {
			p = nil
		}
		return s.change(have, o.On, o.Prop.Name, p)
	case repo.Revert:
		if m := anyOf(have, authModify); m != "" {
			return m
		}
		return anyOf(have, authManage)
	}
	// Services, instances, snapshots, and what is no operation.
	return anyOf(have, authModify)
}

// isExpectation says whether the operation changes nothing: then nothing needs to be looked at.
func isExpectation(v repo.Verb) bool {
	switch v {
	case repo.ExpectRepository, repo.ExpectGroup, repo.ExpectExists, repo.ExpectAbsent:
		return true
	}
	return false
}

// manage are the authorizations for actions on the instance.
func (s *scene) manage() []string {
	return append([]string{authManage}, held(s.general, s.serviceGeneral, actionAuthorization)...)
}

// isAction says whether a group of an instance is there for actions: that of the override, or
// that of the actions themselves.
func isAction(e repo.Entity, g *tree.Group) bool {
	return e.Instance != "" && g.Type == framework && g.Flags&tree.NonPersistent != 0 &&
		(g.Name == actions || g.Name == generalOverride)
}

// isSwitch says whether the property of an instance's group enables or disables it.
func isSwitch(e repo.Entity, g *tree.Group, property string) bool {
	return e.Instance != "" && g.Type == framework && (g.Name == general || g.Name == generalOverride) &&
		slices.Contains(switches, property)
}

func (s *scene) create(have auth.Set, e repo.Entity, g *tree.Group) string {
	words := ofType(g.Type)
	if isAction(e, g) {
		words = append(s.manage(), words...)
	}
	return anyOf(have, words...)
}

func (s *scene) remove(have auth.Set, e repo.Entity) string {
	if s.now == nil {
		return anyOf(have, authModify)
	}
	words := ofType(s.now.Type)
	if isAction(e, s.now) && s.now.Name == generalOverride {
		words = append(s.manage(), words...)
	}
	if m := anyOf(have, words...); m != "" || s.now.Name != general || s.now.Prop(actionAuthorization) == nil {
		return m
	}
	return anyOf(have, authManage)
}

// change decides about one property of the group; p is what it becomes, nil when it goes.
func (s *scene) change(have auth.Set, e repo.Entity, name string, p *tree.Property) string {
	g := s.now
	var words []string
	if isSwitch(e, g, name) || isAction(e, g) && g.Name == actions {
		words = s.manage()
	}
	if was := g.Prop(name); was != nil && p != nil && name != modifyAuthorization &&
		(p.Type == was.Type || p.Type == prop.Invalid) {
		words = append(words, held(g, s.inherited, valueAuthorization)...)
	}
	words = append(words, held(g, s.inherited, modifyAuthorization)...)
	if m := anyOf(have, append(words, ofType(g.Type)...)...); m != "" {
		return m
	}
	if g.Name == general && name == actionAuthorization {
		return anyOf(have, authManage)
	}
	return ""
}

// put decides about a group that becomes another one.
func (s *scene) put(have auth.Set, e repo.Entity, want *tree.Group) string {
	now := s.now
	if now == nil || now.Type != want.Type || now.Flags != want.Flags {
		// The group goes and another one comes.
		if now != nil {
			if m := s.remove(have, e); m != "" {
				return m
			}
		}
		if m := s.create(have, e, want); m != "" {
			return m
		}
		now = &tree.Group{Name: want.Name, Type: want.Type, Flags: want.Flags}
	}
	after := scene{now, s.inherited, s.general, s.serviceGeneral}
	// What is the same already is no change; of what the user may not read he would learn by that
	// whether he guessed it.
	guard := protect(now, now, s.inherited)
	for i := range want.Props {
		p := &want.Props[i]
		if was := now.Prop(p.Name); was != nil && was.Equal(p) && unreadable(have, guard, p.Name) == "" {
			continue
		}
		if m := after.change(have, e, p.Name, p); m != "" {
			return m
		}
	}
	for i := range now.Props {
		if want.Prop(now.Props[i].Name) == nil {
			if m := after.change(have, e, now.Props[i].Name, nil); m != "" {
				return m
			}
		}
	}
	return ""
}
