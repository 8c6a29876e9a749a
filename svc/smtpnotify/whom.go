package smtpnotify

import (
	"errors"
	"fmt"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/outbox"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

const (
	// typeNotify is the type of groups of parameters.
	typeNotify = "notify_params"
	// addressesMax is how many one letter goes to; more is a list's work.
	addressesMax = 64
	// addressBytesMax is more than an address can have.
	addressBytesMax = 512
)

// everybody has the parameters of instances that have none.
var everybody = repo.Entity{Service: "system/svc/global", Instance: "default"}

// mail is the way that we know, active says that a way is used.
const mail, active = "smtp", "active"

// whom are the letters for a change. notes say what of the parameters is not understood.
func whom(s door.Store, c *outbox.Change) (letters []letter, notes []string, err error) {
	f, err := fmri.Parse(c.FMRI)
	if err != nil {
		return nil, nil, err
	}
	on := repo.Entity{Service: f.Service, Instance: f.Instance}
	var before *tree.Group
	for _, name := range []string{"to-" + c.To, "from-" + c.From} {
		g, err := parametersOf(s, on, name)
		if err != nil {
			return letters, notes, err
		}
		if g == nil || before != nil && alike(before, g) {
			continue
		}
		before = g
		l, ways, more := read(g)
		for _, way := range ways {
			notes = append(notes, "notification by "+way+" is not supported, and nobody is told that way: only mail is (mailto:)")
		}
		for _, n := range more {
			notes = append(notes, c.FMRI+": "+name+": "+n)
		}
		if l != nil {
			letters = append(letters, *l)
		}
	}
	return letters, notes, nil
}

// alike says whether two groups say the same.
func alike(a, b *tree.Group) bool { return fmt.Sprint(a.Props) == fmt.Sprint(b.Props) }

// parametersOf finds the group of an event: the instance's, or else everybody's; nil: there is none.
func parametersOf(s door.Store, on repo.Entity, name string) (*tree.Group, error) {
	for _, e := range []repo.Entity{on, everybody} {
		g, err := s.Group(e, door.Effective, name)
		switch {
		case errors.Is(err, repo.ErrNotFound):
		case err != nil:
			return nil, err
		case g.Type == typeNotify:
			return &g.Group, nil
		}
	}
	return nil, nil
}

// read takes a group apart. No letter: nobody is to be told by mail. ways are others that are on.
func read(g *tree.Group) (l *letter, ways, notes []string) {
	l = &letter{}
	is := false
	for i := range g.Props {
		p := &g.Props[i]
		way, name, has := strings.Cut(p.Name, ",")
		switch {
		case !has:
		case way != mail:
			if name == active && on(p) {
				ways = append(ways, printable.Cut(way, addressBytesMax))
			}
		case name == active:
			is = on(p)
		default:
			if what := l.take(name, p.Values); what != "" {
				notes = append(notes, what)
			}
		}
	}
	switch {
	case !is:
		return nil, ways, notes
	case len(l.to) == 0:
		return nil, ways, append(notes, "nobody is told: there is no address in "+mail+",to")
	case len(l.to)+len(l.cc)+len(l.bcc) > addressesMax:
		return nil, ways, append(notes, fmt.Sprintf("nobody is told: there are more than %d addresses; use a list", addressesMax))
	}
	return l, ways, notes
}

func on(p *tree.Property) bool {
	return p.Type == prop.Boolean && len(p.Values) == 1 && p.Values[0] == "true"
}

// take takes one header; what is wrong with it is said.
func (l *letter) take(name string, values []string) (wrong string) {
	lists := map[string]*[]string{"to": &l.to, "cc": &l.cc, "bcc": &l.bcc}
	single := map[string]*string{"from": &l.from, "reply-to": &l.replyTo}
	switch {
	case lists[name] != nil:
		for _, v := range values {
			for a := range strings.SplitSeq(v, ",") {
				if a = strings.TrimSpace(a); !plausible(a) {
					wrong = mail + "," + name + " has " + quoted(a) + ", which is no address: it is left out"
					continue
				}
				*lists[name] = append(*lists[name], a)
			}
		}
		return wrong
	case len(values) != 1:
		return mail + "," + name + " is not one value: it is left out"
	case single[name] != nil:
		if !plausible(values[0]) {
			return mail + "," + name + " is " + quoted(values[0]) + ", which is no address: it is left out"
		}
		*single[name] = values[0]
	case name == "subject":
		l.subject = values[0]
	case name == "msg_template":
		l.template = values[0]
	default:
		return mail + "," + name + " is not understood"
	}
	return ""
}

// plausible: what cannot be anything but one address, or would be taken for another header.
func plausible(a string) bool {
	return a != "" && strings.TrimSpace(a) == a && len(a) <= addressBytesMax && printable.Text(a) == a && !strings.ContainsAny(a, "\\\"") && a[0] != '-' && a[0] != '|' && a[0] != '/' && a[0] != ':'
}

func quoted(s string) string { return "\"" + printable.Cut(s, addressBytesMax) + "\"" }
