package server

import (
	"slices"

	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// protection is a group whose values are not everybody's, as smf_security(7) has it: one of type
// application that has read_authorization. Where a group is looked at in a snapshot, it is
// protected also when it is so now: what was read by everybody when the snapshot was taken may have
// become a secret since, and the other way round it was one.
type protection struct {
	on                  bool
	modify, value, read []string // authorizations that the group holds
}

// protect decides whether a group is protected: as it is shown, and as it is now on the instance
// and the service.
func protect(shown, now, inherited *tree.Group) protection {
	var p protection
	for _, g := range []*tree.Group{shown, now, inherited} {
		if g == nil || g.Type != application {
			continue
		}
		read := g.Prop(readAuthorization)
		p.on = p.on || read != nil && read.Type == prop.AString
	}
	if !p.on {
		return p
	}
	// Who may read is said by what is so now, where it says anything.
	said := func(name string) []string {
		if now == nil && inherited == nil {
			return held(shown, nil, name)
		}
		return held(now, inherited, name)
	}
	p.modify, p.value, p.read = said(modifyAuthorization), said(valueAuthorization), said(readAuthorization)
	return p
}

// unreadable says which authorization is missing to read the values of a property; none when they
// may be read.
func unreadable(have auth.Set, p protection, property string) string {
	if !p.on {
		return ""
	}
	words := slices.Concat(p.read, p.modify)
	if property != modifyAuthorization {
		words = append(words, p.value...)
	}
	return anyOf(have, append(words, ofType(application)...)...)
}

func protectionOf(v *repo.Reader, e repo.Entity, shown *tree.Group) (protection, error) {
	if shown.Type != application {
		return protection{}, nil
	}
	now, err := groupOf(v, e, shown.Name)
	if err != nil {
		return protection{}, err
	}
	var inherited *tree.Group
	if e.Instance != "" {
		inherited, err = groupOf(v, repo.Entity{Service: e.Service}, shown.Name)
	}
	return protect(shown, now, inherited), err
}

// withhold takes values out of a group that the user may not read. Names and types stay.
func (c *conn) withhold(v *repo.Reader, e repo.Entity, g *door.Group) error {
	if c.uid == 0 {
		return nil
	}
	p, err := protectionOf(v, e, &g.Group)
	if err != nil || !p.on {
		return err
	}
	have := c.authorizations()
	g.Props = slices.Clone(g.Props)
	for i := range g.Props {
		if unreadable(have, p, g.Props[i].Name) != "" {
			g.Props[i].Values = nil
			g.Withheld = true
		}
	}
	return nil
}
