package manifest

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/prop"
)

// Services that notification is special for. Source: libscf.h.
const (
	notifyInstance = "svc:/system/fm/notify-params:default" // has the parameters of events that are no transitions
	globalService  = "svc:/system/svc/global"
	notifyPostfix  = ",fmnotify"
)

var notifyStates = []string{"uninitialized", "maintenance", "offline", "disabled", "online", "degraded"}

// problemTags are the names that people use for classes of events.
var problemTags = []struct{ tag, class string }{
	{"problem-diagnosed", "list.suspect"},
	{"problem-updated", "list.updated"},
	{"problem-repaired", "list.repaired"},
	{"problem-resolved", "list.resolved"},
}

// Event is what people can be told of: that an instance comes into a state or leaves it, or a class
// of problems.
type Event struct {
	Name  string // as people call it: to-online, problem-diagnosed
	Group string // the property group that says who is told of it, and how
}

// EventNames are what people call events, for who wants to choose.
func EventNames() []string {
	names := []string{"all"}
	for _, e := range transitions("all") {
		names = append(names, e.Name)
	}
	for _, t := range problemTags {
		names = append(names, t.tag)
	}
	return names
}

// Events are those that a text names, each once: with commas between, transitions (to-online,
// from-online, online for both, all) or problems (problem-diagnosed, list.suspect.*). problems says
// that it is these. ErrEvent, ErrMixedEvents.
func Events(text string) (events []Event, problems bool, err error) {
	var classes []Event
	for token := range strings.SplitSeq(text, ",") {
		e, known := problem(token)
		states := transitions(token)
		switch {
		case states != nil:
			events = append(events, states...)
		case known:
			classes = append(classes, e)
		default:
			return nil, false, &eventError{token}
		}
	}
	if events != nil && classes != nil {
		return nil, false, ErrMixedEvents
	}
	if classes != nil {
		return once(classes), true, nil
	}
	all := transitions("all") // in an order that does not depend on who names them
	return slices.DeleteFunc(all, func(e Event) bool { return !slices.Contains(events, e) }), false, nil
}

func once(events []Event) (list []Event) {
	for _, e := range events {
		if !slices.ContainsFunc(list, func(x Event) bool { return x.Group == e.Group }) {
			list = append(list, e)
		}
	}
	return list
}

// problem is the class that a token names, by itself or by a name of it. It stands for those below it,
// whether the token says so, by .* at its end, or not.
func problem(token string) (e Event, ok bool) {
	class := strings.TrimRight(strings.TrimSuffix(token, "*"), ".")
	e.Name = token
	for _, t := range problemTags {
		if t.tag == token || t.class == class {
			e.Name, class = t.tag, t.class
		}
	}
	e.Group = class + notifyPostfix
	root, _, _ := strings.Cut(class, ".")
	return e, (root == "list" || root == "ireport") && fmri.CheckName(e.Group) == nil
}

// transitions are those that a token names.
func transitions(token string) (events []Event) {
	prefixes := []string{"to-", "from-"}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(token, p); ok {
			prefixes, token = []string{p}, rest
			break
		}
	}
	for _, state := range notifyStates {
		if token == state || token == "all" {
			for _, p := range prefixes {
				events = append(events, Event{p + state, p + state})
			}
		}
	}
	return events
}

func (h *holder) notification(n *node) {
	var event *node
	for _, kid := range n.kids {
		if kid.name != "event" {
			continue
		}
		if event != nil {
			h.faults.invalid(kid, "there cannot be more than one in a notification parameter")
			return
		}
		event = kid
	}
	if event == nil {
		h.faults.invalid(n, "lacks a <event>")
		return
	}
	for _, name := range h.events(event) {
		g := h.group(n, name, typeNotify)
		for _, kid := range n.kids {
			if kid.name == "type" {
				g.notificationType(kid)
			}
		}
	}
}

// events are the groups that an event names.
func (h *holder) events(n *node) []string {
	events, problems, err := Events(n.attr("value"))
	switch {
	case err != nil:
		h.faults.invalid(n, "%v", err)
		return nil
	case problems && h.self() != notifyInstance:
		h.faults.invalid(n, "non-SMF transition events must go to %s", notifyInstance)
		return nil
	case !problems && h.self() == globalService:
		h.faults.invalid(n, "can't set events for global service")
		return nil
	}
	var names []string
	for _, e := range events {
		names = append(names, e.Group)
	}
	slices.Sort(names)
	return names
}

func (g *group) notificationType(n *node) {
	name := n.attr("name")
	for _, kid := range n.kids {
		property := name + "," + kid.attr("name")
		if kid.name == "paramval" {
			if kid.attr("value") == "" {
				g.holder.faults.invalid(kid, "property value missing for property %s", quote(g.Name+"/"+property))
				continue
			}
			g.set(kid, property, prop.AString, kid.attr("value"))
			continue
		}
		var values []string
		for _, v := range kid.kids {
			values = append(values, v.attr("value"))
		}
		g.set(kid, property, prop.AString, values...)
	}
	g.set(n, name+",active", prop.Boolean, n.attr("active"))
}
