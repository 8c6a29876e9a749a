package svcs

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// messages is where articles about the codes are; the group msg of svc.startd's instance can say
// another place, or, with base of no value, none.
const messages = "http://illumos.org/msg/"

// block is what -x says of an instance.
type block struct {
	p     *picture
	in    *instance
	base  string // where articles are; empty: there are none
	lines []string
	// detail is what is told with the next reason: most often what the restarter said besides.
	detail string
}

// explain is -x.
func (r *run) explain(l *listing) error {
	p, err := r.draw(l)
	if err != nil {
		return err
	}
	var chosen []*instance
	if len(r.order.operands) > 0 {
		if chosen, err = r.chosen(l); err != nil {
			return err
		}
	} else {
		r.ignored(l)
		chosen = p.worst()
	}
	if len(chosen) == 0 {
		return nil
	}
	base, err := r.base(l)
	if err != nil {
		return err
	}
	for _, in := range chosen {
		switch {
		case group(in.now, groupRestarter) == nil:
			r.say(in.fmri + " has no \"" + groupRestarter + "\" property group; ignoring.")
			continue
		case !in.spoken():
			r.say(in.fmri + " has no state that can be read; ignoring.")
			continue
		}
		b := &block{p: p, in: in, base: base}
		if err := b.fill(); err != nil {
			return err
		}
		r.paragraph()
		r.print(strings.Join(b.lines, "\n") + "\n")
	}
	return nil
}

// ignored says of how many instances nothing is known.
func (r *run) ignored(l *listing) {
	n := 0
	for _, in := range l.all {
		if group(in.now, groupRestarter) == nil {
			n++
		}
	}
	if n > 0 {
		r.say(strconv.Itoa(n) + " of " + strconv.Itoa(len(l.all)) + " instances have no \"" + groupRestarter + "\" property group, since no restarter has looked at them yet; ignoring.")
	}
}

// worst are the root causes, those first that keep most others from running.
func (p *picture) worst() []*instance {
	roots := p.roots()
	size := map[*instance]int{}
	for _, in := range roots {
		size[in] = len(p.impact(in))
	}
	slices.SortStableFunc(roots, func(a, b *instance) int {
		return cmp.Or(size[b]-size[a], strings.Compare(a.fmri, b.fmri))
	})
	return roots
}

// base is where articles are.
func (r *run) base(l *listing) (string, error) {
	in := l.byFMRI[startd]
	if in == nil {
		return messages, nil
	}
	g, err := l.store.Group(in.on, door.Composed, "msg")
	switch {
	case errors.Is(err, repo.ErrNotFound):
		return messages, nil
	case err != nil:
		return "", err
	}
	switch x := g.Prop("base"); {
	case x == nil || !x.Type.Is(prop.AString):
		return messages, nil
	case len(x.Values) != 1:
		return "", nil
	default:
		return printable.Text(x.Values[0]), nil
	}
}

func (b *block) say(line string) { b.lines = append(b.lines, line) }

// reason says why, and where more of it is said.
func (b *block) reason(text, code string) {
	b.say("Reason: " + text)
	if b.detail != "" {
		b.say("        " + b.detail)
		b.detail = ""
	}
	b.see(code)
}

func (b *block) see(code string) {
	if b.base != "" {
		b.say("   See: " + b.base + code)
	}
}

// fill makes the block. Of an instance that has gone meanwhile there is no name, and no documents.
func (b *block) fill() error {
	groups, err := b.p.store.Groups(b.in.on, door.Effective)
	gone := errors.Is(err, repo.ErrNotFound)
	if err != nil && !gone {
		return err
	}
	name := ""
	if !gone {
		name = " (" + cmp.Or(commonName(groups), "?") + ")"
	}
	b.say(b.in.fmri + name)
	if b.p.zone != "" {
		b.say("  Zone: " + b.p.zone)
	}
	state := " State: " + b.in.state()
	if at, is := b.in.since(); is {
		state += " since " + b.p.r.fullTime(at)
	}
	b.say(state)
	b.reasons()
	if !gone {
		b.documents(groups)
		b.logs(b.in)
	}
	b.impact()
	return nil
}

// documents names manual pages and other documents.
func (b *block) documents(groups []door.Group) {
	for i := range groups {
		g := &groups[i].Group
		switch {
		case g.Type != typeTemplate:
		case strings.HasPrefix(g.Name, "tm_man_"):
			b.manual(g)
		case strings.HasPrefix(g.Name, "tm_doc_"):
			if uri := oneOf(g, "uri"); uri != "" {
				b.say("   See: " + oneLine(uri))
			}
		}
	}
}

func (b *block) manual(g *tree.Group) {
	title, section, path := oneLine(oneOf(g, "title")), oneLine(oneOf(g, "section")), oneLine(oneOf(g, "manpath"))
	if path == ":default" {
		path = "/usr/share/man"
	}
	switch {
	case title == "" || section == "":
	case !b.p.r.order.verbose:
		b.say("   See: " + title + "(" + section + ")")
	case path != "":
		b.say("   See: man -M " + path + " -s " + section + " " + title)
	}
}

func (b *block) logs(in *instance) {
	for _, name := range []string{"alt_logfile", "logfile"} {
		if log := in.of(name); log != "" {
			b.say("   See: " + log)
		}
	}
}

// impact says who does not run because of the instance.
func (b *block) impact() {
	names := b.p.impact(b.in)
	verbose := b.p.r.order.verbose
	text := ""
	switch {
	case len(names) == 0 && running(b.in):
		b.say("Impact: None.")
		return
	case len(names) == 0:
		b.say("Impact: This service is not running.")
		return
	case len(names) == 1:
		text = "1 dependent service is not running"
	default:
		text = strconv.Itoa(len(names)) + " dependent services are not running"
	}
	if !verbose {
		b.say("Impact: " + text + ".  (Use -v for list.)")
		return
	}
	b.say("Impact: " + text + ":")
	for _, name := range names {
		b.say("        " + name)
	}
}
