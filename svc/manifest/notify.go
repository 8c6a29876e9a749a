package manifest

import (
	"slices"
	"strings"

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

// problemClass is the class that a token of an event names; empty if it names none.
func problemClass(token string) string {
	for _, t := range problemTags {
		if t.tag == token {
			return t.class
		}
	}
	if strings.HasPrefix(token, "list.") || strings.HasPrefix(token, "ireport.") {
		return token
	}
	return ""
}

// transitions are the groups that a token names: to-online, from-online, online for both, all.
func transitions(token string) []string {
	prefixes := []string{"to-", "from-"}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(token, p); ok {
			prefixes, token = []string{p}, rest
			break
		}
	}
	var names []string
	for _, state := range notifyStates {
		if token == state || token == "all" {
			for _, p := range prefixes {
				names = append(names, p+state)
			}
		}
	}
	return names
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
	var states, problems []string
	for token := range strings.SplitSeq(n.attr("value"), ",") {
		if names := transitions(token); names != nil {
			states = append(states, names...)
		} else if class := problemClass(token); class != "" {
			problems = append(problems, class+notifyPostfix)
		} else {
			h.faults.invalid(n, "%s is no event", quote(token))
			return nil
		}
	}
	switch {
	case states != nil && problems != nil:
		h.faults.invalid(n, "can't mix SMF and FMA event definitions")
		return nil
	case problems != nil && h.self() != notifyInstance:
		h.faults.invalid(n, "non-SMF transition events must go to %s", notifyInstance)
		return nil
	case states != nil && h.self() == globalService:
		h.faults.invalid(n, "can't set events for global service")
		return nil
	}
	names := append(states, problems...)
	slices.Sort(names)
	return slices.Compact(names)
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
