package svccfg

import (
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

const (
	typeNotify = "notify_params"
	propActive = "active"
	propTo     = "to"
)

// problemInstance has the notification parameters of problems. Source: libscf.h.
var problemInstance = repo.Entity{Service: "system/fm/notify-params", Instance: "default"}

// notifiers are the ways in which people are told, by the scheme of a URI.
var notifiers = map[string]string{"mailto": "smtp", "snmp": "snmp", "syslog": "syslog"}

// notification is what a command about notifications is told.
type notification struct {
	on       repo.Entity // has the parameters
	events   []manifest.Event
	problems bool
}

// notification reads events, and finds whose parameters are meant.
func (s *Session) notification(text string, global bool) (n notification, err error) {
	n.events, n.problems, err = manifest.Events(text)
	switch {
	case errors.Is(err, manifest.ErrMixedEvents):
		return n, problem("Can't mix SMF and FMA event definitions")
	case err != nil:
		return n, problem("Invalid input.")
	case n.problems && global:
		return n, problem("Can't use option '-g' with FMA event definitions")
	}
	if _, err := s.open(); err != nil {
		return n, err
	}
	switch {
	case n.problems:
		n.on = problemInstance
	case global:
		n.on = globalInstance
	case s.snapshot != "":
		return n, problem("Invalid operation on a snapshot.")
	case s.at.Service == "":
		return n, errNoEntity
	default:
		n.on = s.at
	}
	return n, nil
}

// setnotify sets parameters of events, and leaves those that are not named.
func (s *Session) setnotify(a *args) error {
	n, err := s.notification(a.word(0), a.option)
	if err != nil {
		return err
	}
	props, err := parameters(a.words[1:])
	if err != nil {
		return err
	}
	// Nobody reads them there: those of all instances are the global instance's. Manifests cannot say
	// them either.
	if !n.problems && n.on.Service == globalInstance.Service && n.on.Instance == "" {
		return problem("Can't set events for global service")
	}
	return s.renotify(&n, func(b *repo.Batch, name string, g *door.Group) {
		if g == nil {
			b.ExpectGroup(n.on, name, 0)
			b.CreateGroup(n.on, name, typeNotify, 0)
		} else {
			b.ExpectGroup(n.on, name, g.Generation)
		}
		for _, p := range props {
			b.SetProperty(n.on, name, p)
		}
	})
}

// delnotify takes the parameters of events away. Those that have none need not be told.
func (s *Session) delnotify(a *args) error {
	n, err := s.notification(a.word(0), a.option)
	if err != nil {
		return err
	}
	return s.renotify(&n, func(b *repo.Batch, name string, g *door.Group) {
		if g != nil {
			b.ExpectGroup(n.on, name, g.Generation)
			b.DeleteGroup(n.on, name)
		}
	})
}

// renotify changes the groups of events, which may not be there, and makes what they say what counts.
func (s *Session) renotify(n *notification, plan func(b *repo.Batch, name string, g *door.Group)) error {
	err := s.change(func(b *repo.Batch) error {
		switch is, err := s.store.Exists(n.on); {
		case err != nil:
			return err
		case !is:
			return repo.ErrNotFound
		}
		for _, e := range n.events {
			g, err := s.store.Group(n.on, door.Direct, e.Group)
			switch {
			case errors.Is(err, repo.ErrNotFound):
				plan(b, e.Group, nil)
			case err != nil:
				return err
			case g.Type != typeNotify:
				return problem("Property group \"" + e.Group + "\" is not of type \"" + typeNotify + "\".")
			default:
				plan(b, e.Group, &g)
			}
		}
		return s.planRefreshAll(b, n.on)
	})
	if errors.Is(err, repo.ErrNotFound) && n.on != s.at {
		return problem("No such instance " + n.on.String() + ".")
	}
	return err
}

// planRefreshAll refreshes an instance, or all of a service.
func (s *Session) planRefreshAll(b *repo.Batch, e repo.Entity) error {
	if e.Instance != "" {
		return s.planRefresh(b, e)
	}
	names, err := s.store.Instances(e.Service)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.planRefresh(b, repo.Entity{Service: e.Service, Instance: name}); err != nil {
			return err
		}
	}
	return nil
}

func groupNamed(groups []door.Group, name string) *door.Group {
	i := slices.IndexFunc(groups, func(g door.Group) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return &groups[i]
}

// parameters are the properties that URIs mean. Of two for one way to tell the last counts.
func parameters(uris []string) (props []tree.Property, err error) {
	for _, uri := range uris {
		uri = strings.Trim(uri, " \t")
		scheme, rest, has := strings.Cut(uri, ":")
		if !has || scheme == "" {
			return nil, problem("'" + uri + "' is not an URI")
		}
		notifier, known := notifiers[scheme]
		if !known {
			return nil, problem("Unknown URI scheme: " + scheme)
		}
		of, ok := parametersOf(notifier, rest)
		if !ok {
			return nil, problem("Not valid parameters: '" + rest + "'")
		}
		for i := range of {
			for j, v := range of[i].Values {
				if of[i].Values[j], err = canonical(of[i].Type, v); err != nil {
					return nil, err
				}
			}
		}
		props = slices.DeleteFunc(props, func(p tree.Property) bool { return strings.HasPrefix(p.Name, notifier+",") })
		props = append(props, of...)
	}
	return props, nil
}

// parametersOf reads what follows a scheme: active, which is also meant by nothing; inactive; and of
// mail an address, with headers behind it: address?name=value&name=value.
func parametersOf(notifier, text string) (props []tree.Property, ok bool) {
	active := tree.Property{Name: notifier + "," + propActive, Type: prop.Boolean, Values: []string{"true"}}
	switch text {
	case "inactive":
		active.Values[0] = "false"
		fallthrough
	case "", "active":
		return []tree.Property{active}, true
	}
	isSign := func(c rune) bool { return c == '?' || c == '&' }
	if notifier != "smtp" || strings.IndexFunc(text, isSign) == 0 {
		return nil, false
	}
	headers := strings.FieldsFunc(text, isSign)
	headers[0] = propTo + "=" + headers[0]
	props = []tree.Property{active}
	for _, h := range headers {
		name, value, has := strings.Cut(h, "=")
		p := tree.Property{Name: notifier + "," + name, Type: prop.AString, Values: []string{value}}
		if !has || name == propActive || fmri.CheckName(p.Name) != nil {
			return nil, false
		}
		props = append(slices.DeleteFunc(props, func(x tree.Property) bool { return x.Name == p.Name }), p)
	}
	return props, true
}

// listnotify shows the parameters that count: those that the instance runs with, and of transitions for
// which it has none those of the global instance.
func (s *Session) listnotify(a *args) error {
	text := "all"
	if len(a.words) > 0 {
		text = a.word(0)
	}
	n, err := s.notification(text, a.option)
	if err != nil {
		return err
	}
	levels, err := s.notifyLevels(n.on)
	if errors.Is(err, repo.ErrNotFound) && n.on != s.at {
		return nil // nobody has set any
	}
	if err == nil && !n.problems && n.on != globalInstance {
		var global []notifyLevel
		global, err = s.notifyLevels(globalInstance)
		if errors.Is(err, repo.ErrNotFound) {
			err = nil
		}
		levels = append(levels, global...)
	}
	if err != nil {
		return err
	}
	for _, e := range n.events {
		s.listEvent(e, levels)
	}
	return nil
}

// notifyLevel is what is looked at for the groups of events.
type notifyLevel struct {
	of     repo.Entity
	own    []door.Group // says that a group is of this level
	groups []door.Group // with what they inherit
}

// notifyLevels are those of one entity. Without a snapshot running an instance's present groups count.
func (s *Session) notifyLevels(e repo.Entity) ([]notifyLevel, error) {
	groups, err := s.store.Groups(e, door.Effective)
	if err != nil || e.Instance == "" {
		return []notifyLevel{{e, groups, groups}}, err
	}
	own, err := s.store.Groups(e, door.SnapshotInstance(repo.Running))
	if errors.Is(err, repo.ErrNotFound) {
		own, err = s.store.Groups(e, door.Direct)
	}
	return []notifyLevel{{e, own, groups}, {repo.Entity{Service: e.Service}, groups, groups}}, err
}

// listEvent shows the parameters of an event; of a class of problems that has none, those of the next
// class above it.
func (s *Session) listEvent(e manifest.Event, levels []notifyLevel) {
	for name, more := e.Group, true; more; name, more = classAbove(name) {
		for _, l := range levels {
			g := groupNamed(l.groups, name)
			if g != nil && g.Type == typeNotify && groupNamed(l.own, name) != nil {
				s.printNotify(e.Name, l.of, &g.Group)
				return
			}
		}
	}
}

// classAbove is list.suspect,fmnotify for list.suspect.disk,fmnotify.
func classAbove(group string) (above string, has bool) {
	class, postfix, _ := strings.Cut(group, ",")
	at := strings.LastIndexByte(class, '.')
	if at < 0 {
		return "", false
	}
	return class[:at] + "," + postfix, true
}

func (s *Session) printNotify(event string, from repo.Entity, g *tree.Group) {
	last := ""
	for i := range g.Props { // in the order of names: those of one notifier follow each other
		notifier, name, has := strings.Cut(g.Props[i].Name, ",")
		if !has {
			continue
		}
		if notifier != last {
			if last == "" {
				s.print("    Event: " + event + " (source: " + from.String() + ")\n")
			} else {
				s.print("\n")
			}
			last = notifier
			s.print("        Notification Type: " + notifier + "\n")
			s.printActive(g.Prop(notifier + "," + propActive))
		}
		if name != propActive {
			s.print("            " + name + ": " + strings.Join(g.Props[i].Values, " ") + "\n")
		}
	}
	if last != "" {
		s.print("\n")
	}
}

func (s *Session) printActive(p *tree.Property) {
	if p == nil || p.Type != prop.Boolean || len(p.Values) == 0 {
		s.say("Missing 'active' property")
		return
	}
	s.print("            Active: " + p.Values[0] + "\n")
}
