package svcs

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/fmri"
	"github.com/linuxzones/zones/svc/graphcfg"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// labelWidth is that of the longest label, and two blanks.
const labelWidth = len("contract_id") + 2

// item prints a line of -l.
func (r *run) item(label, text string) { r.print(pad(label, labelWidth) + text + "\n") }

// some is item, when there is anything to tell.
func (r *run) some(label, text string) {
	if text != "" {
		r.item(label, text)
	}
}

// paragraph begins one, with an empty line between it and the one before.
func (r *run) paragraph() {
	if r.parts++; r.parts > 1 {
		r.print("\n")
	}
}

// each is -l and -L.
func (r *run) each(l *listing) error {
	chosen := l.all
	if len(r.order.operands) > 0 {
		var err error
		if chosen, err = r.chosen(l); err != nil {
			return err
		}
	}
	if r.order.mode == 'L' {
		for _, in := range chosen {
			if log := in.of("logfile"); log != "" {
				r.print(log + "\n")
			}
		}
		return nil
	}
	var members func(*row) Held
	if r.order.processes {
		var rows []*row
		for _, in := range chosen {
			rows = append(rows, &row{in, l.zone})
		}
		of := r.members(rows)
		at := map[*instance]*row{}
		for _, x := range rows {
			at[x.instance] = x
		}
		members = func(x *row) Held { return of(at[x.instance]) }
	}
	for _, in := range chosen {
		if err := r.long(l, &row{in, l.zone}, members); err != nil {
			return err
		}
	}
	return nil
}

// long is the paragraph of one instance.
func (r *run) long(l *listing, x *row, members func(*row) Held) error {
	groups, err := l.store.Groups(x.on, door.Effective)
	if errors.Is(err, repo.ErrNotFound) { // it has gone meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	r.paragraph()
	r.item("fmri", x.fmri)
	r.some("name", commonName(groups))
	r.some("zone", x.zone)
	if enabled, temporary, is := x.effective(); is {
		text := strconv.FormatBool(enabled)
		if temporary {
			text += " (temporary)"
		}
		r.item("enabled", text)
	}
	r.some("comment", x.comment())
	r.some("state", x.of("state"))
	r.some("next_state", x.of("next_state"))
	if at, is := x.since(); is {
		r.item("state_time", r.fullTime(at))
	}
	r.some(record.StatusText, x.of(record.StatusText))
	r.some("alt_logfile", x.of("alt_logfile"))
	r.some("logfile", x.of("logfile"))
	r.item("restarter", x.restarter())
	if p := x.property(groupRestarter, "contract", prop.Count, 0, contractsMax); p != nil {
		text := ""
		for _, id := range x.contracts("contract") {
			text += strconv.FormatUint(id, 10) + " "
		}
		r.item("contract_id", text)
	}
	if err := r.manifests(l, x); err != nil {
		return err
	}
	for i := range groups {
		if groups[i].Type == graphcfg.Dependency {
			r.dependency(l, &groups[i].Group)
		}
	}
	if members != nil {
		held := members(x)
		if p := held.Within.Project; p != nil {
			r.item("project", strconv.FormatUint(uint64(p.ID), 10)+" ("+printable.Text(p.Name)+")")
		}
		r.some("pool", printable.Text(held.Within.Pool))
		r.longProcesses(held.Pids)
	}
	if r.order.verbose {
		r.application(groups)
	}
	return nil
}

// groupManifests tells which manifests an instance, or its service, is from.
const groupManifests = "manifestfiles"

// manifests names the manifests that the instance is from, as they are noted now.
func (r *run) manifests(l *listing, x *row) error {
	g, err := l.store.Group(x.on, door.Composed, groupManifests)
	switch {
	case errors.Is(err, repo.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	for i := range g.Props {
		if p := &g.Props[i]; p.Type.Is(prop.AString) && len(p.Values) == 1 {
			r.some("manifest", printable.Text(p.Values[0]))
		}
	}
	return nil
}

// dependency is the line of one group, with the states of what it names.
func (r *run) dependency(l *listing, g *tree.Group) {
	entities := g.Prop("entities")
	if entities == nil || entities.Type != prop.FMRI {
		return
	}
	text := orMark(g, "grouping") + "/" + orMark(g, "restart_on")
	for _, entity := range entities.Values {
		text += " " + printable.Text(entity) + " (" + r.stateOf(l, entity) + ")"
	}
	r.item("dependency", text)
}

func orMark(g *tree.Group, name string) string {
	p := g.Prop(name)
	if p == nil || !p.Type.Is(prop.AString) || len(p.Values) != 1 || p.Values[0] == "" {
		return "?"
	}
	return printable.Text(p.Values[0])
}

// stateOf is that of what a dependency names: of a service that of its only instance. A file is
// online when it is there.
func (r *run) stateOf(l *listing, entity string) string {
	f, err := fmri.Parse(entity)
	switch {
	case err != nil, f.Group != "", f.Scheme == fmri.Legacy:
		return "invalid"
	case f.Scheme == fmri.File && l.zone != "":
		return "unknown"
	case f.Scheme == fmri.File && r.env.Present(f.Path):
		return online
	case f.Scheme == fmri.File:
		return "absent"
	}
	if f.Instance != "" {
		if in := l.byFMRI[f.String()]; in != nil {
			return orDash(in.of("state"))
		}
		return "absent"
	}
	switch all := l.below[f.Service]; len(all) {
	case 0:
		return "absent"
	case 1:
		return orDash(all[0].of("state"))
	}
	return "multiple"
}

// argsMax is how much of a command line is shown, as the original's.
const argsMax = 80

func (r *run) longProcesses(pids []int) {
	for _, pid := range pids {
		text := strconv.Itoa(pid)
		if p, is := r.env.Process(pid); is {
			text += " " + printable.Text(p.Args[:min(len(p.Args), argsMax)])
		}
		r.item("process", text)
	}
}

// application shows the groups of that type, with what templates say of them. A template is of a
// group when its target is the group's name, as the importer writes it.
func (r *run) application(groups []door.Group) {
	hidden, told := templates(groups)
	for i := range groups {
		g := &groups[i]
		if g.Type != "application" {
			continue
		}
		r.print(g.Name + " (" + g.Type + ")\n")
		r.indented(told[g.Name])
		for j := range g.Props {
			p := &g.Props[j]
			name := g.Name + "/" + p.Name
			if hidden[name] {
				continue
			}
			r.print(name + " (" + p.Type.String() + ") =")
			for _, v := range p.Values {
				r.print(" " + quoted(v))
			}
			r.print("\n")
			r.indented(told[name])
		}
	}
}

func (r *run) indented(text string) {
	if text != "" {
		r.print("  " + text + "\n")
	}
}

// quoted is a value in a line of several.
func quoted(v string) string {
	if v != "" && !strings.ContainsAny(v, " \t\n\"()") {
		return printable.Text(v)
	}
	return `"` + printable.Text(strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(v)) + `"`
}

// templates are what an instance's own templates say of groups and properties: which are hidden, and
// how they are described.
func templates(groups []door.Group) (hidden map[string]bool, told map[string]string) {
	hidden, told = map[string]bool{}, map[string]string{}
	names := map[string]string{} // of templates of groups, to what they are about
	for i := range groups {
		if g := &groups[i].Group; g.Type == "template_pg_pattern" {
			if name := oneOf(g, "name"); name != "" {
				names[g.Name] = name
				told[name] = description(g)
			}
		}
	}
	for i := range groups {
		g := &groups[i].Group
		about := names[oneOf(g, "pg_pattern")]
		if g.Type != "template_prop_pattern" || about == "" {
			continue
		}
		name := about + "/" + oneOf(g, "name")
		told[name] = description(g)
		hidden[name] = oneOf(g, "visibility") == "hidden"
	}
	return hidden, told
}

// oneOf is a property's only value; empty when there is none.
func oneOf(g *tree.Group, name string) string {
	if p := g.Prop(name); p != nil && len(p.Values) == 1 {
		return p.Values[0]
	}
	return ""
}

// description is one in the language of all programs, or else in any.
func description(g *tree.Group) string {
	const prefix = "description_"
	if text := oneOf(g, prefix+"C"); text != "" {
		return oneLine(text)
	}
	at := slices.IndexFunc(g.Props, func(p tree.Property) bool { return strings.HasPrefix(p.Name, prefix) && len(p.Values) == 1 })
	if at < 0 {
		return ""
	}
	return oneLine(g.Props[at].Values[0])
}
