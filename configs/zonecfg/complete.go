package zonecfg

import (
	"slices"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/configs/zonecfg/lang"
)

// Complete offers the words that can stand at the end of line. keep is what of the line
// stays before any of them; a word that ends in = or a blank asks for more.
func (s *Session) Complete(line string) (keep string, words []string) {
	start := strings.LastIndexAny(line, ";") + 1
	command := strings.TrimLeft(line[start:], " \t")
	at := strings.LastIndexAny(command, " \t=") + 1
	keep, part := line[:len(line)-len(command)+at], command[at:]
	var before []string
	for _, w := range strings.Fields(strings.ReplaceAll(command[:at], "=", "= ")) {
		if w == "=" && len(before) > 0 {
			before[len(before)-1] += w
			continue
		}
		before = append(before, w)
	}
	for _, w := range s.offers(before) {
		if strings.HasPrefix(w, part) {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	return keep, slices.Compact(words)
}

// offers lists all words that can follow those before.
func (s *Session) offers(before []string) []string {
	if len(before) == 0 {
		var out []string
		for _, v := range verbs() {
			if c := commands[v].scope; c == anywhere || (c == inResource) == (s.scope != nil) {
				out = append(out, v+" ")
			}
		}
		return out
	}
	verb, rest := before[0], before[1:]
	last := ""
	if len(rest) > 0 {
		last = rest[len(rest)-1]
	}
	switch {
	case strings.HasSuffix(last, "="):
		if s.scope == nil && verb != "set" {
			return s.existing(rest[0], strings.TrimSuffix(last, "="))
		}
		return s.valuesOf(strings.TrimSuffix(last, "="))
	case verb == "help" || verb == "?":
		return append(verbs(), "commands", "syntax", "usage")
	case verb == "create" && (last == "-t" || last == "-Ft"):
		return s.templates()
	case verb == "create" && last != "-a":
		return []string{"-F ", "-a ", "-b", "-t "}
	case s.scope != nil:
		return s.scopeOffers(verb, rest)
	}
	return s.globalOffers(verb, rest)
}

func (s *Session) globalOffers(verb string, rest []string) []string {
	if len(rest) > 0 && rest[0] == "-F" {
		rest = rest[1:]
	}
	switch verb {
	case "set":
		if len(rest) == 0 {
			return suffixed(globalNames(), "=")
		}
	case "clear":
		if len(rest) == 0 {
			return globalNames()
		}
	case "add", "select", "remove", "info":
		if len(rest) > 0 {
			k := findResource(rest[0])
			if k == nil || verb == "add" {
				return nil
			}
			return suffixed(k.names(simple), "=")
		}
		if verb == "info" {
			return append(resourceNames(), globalNames()...)
		}
		return resourceNames()
	}
	return nil
}

func (s *Session) scopeOffers(verb string, rest []string) []string {
	if len(rest) > 0 {
		return nil
	}
	k := s.scope.kind
	switch verb {
	case "set":
		return suffixed(k.propertyNames(), "=")
	case "clear":
		var out []string
		for _, p := range k.props {
			if p.need == optional {
				out = append(out, p.name)
			}
		}
		return out
	case "add", "remove":
		return suffixed(append(k.names(list), k.names(complexes)...), " ")
	}
	return nil
}

// names lists the properties of one shape.
func (k *resource) names(of shape) []string {
	var out []string
	for _, p := range k.props {
		if p.shape == of {
			out = append(out, p.name)
		}
	}
	return out
}

func suffixed(names []string, suffix string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n + suffix
	}
	return out
}

// valuesOf lists the values that a property can have, where they are few.
func (s *Session) valuesOf(name string) []string {
	if s.scope == nil {
		if g := findGlobal(name); g != nil {
			return g.values
		}
		return nil
	}
	switch s.scope.kind.name + "." + name {
	case "attr.type":
		return configs.AttrTypes
	case "admin.auths":
		return configs.Auths
	case "fs.type":
		return []string{"ext4", "lofs", "tmpfs", "xfs"}
	}
	return nil
}

// existing lists the values that a property has in the zone's resources.
func (s *Session) existing(kind, property string) []string {
	k := findResource(kind)
	if k == nil || s.work == nil {
		return nil
	}
	var out []string
	for _, r := range k.load(s.work) {
		if v := r.text(property); v != "" {
			out = append(out, lang.Quote(v))
		}
	}
	return out
}

// templates lists what create -t can name.
func (s *Session) templates() []string {
	out := s.Store.Templates()
	entries, err := s.Store.Index()
	if err != nil {
		return out
	}
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return out
}
