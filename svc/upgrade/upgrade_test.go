package upgrade

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/tree"
)

// The tables name a case by three letters: what was imported last, what is there, and what the
// manifest says now; "-" is absent, equal letters are equal. What they expect is what is there
// afterwards, and what is said.

// outcome is what is expected.
type outcome struct {
	then string // a letter or "-"
	note string // of Note.Why's words below, or empty
}

var whys = map[Why]string{Customized: "customized", Deleted: "deleted", Retyped: "retyped", Refused: "refused"}

func letterGroup(kind string, letter byte) []tree.Group {
	if letter == '-' {
		return nil
	}
	return []tree.Group{{Name: "g", Type: kind, Props: []tree.Property{{Name: "p", Type: prop.AString, Values: []string{string(letter)}}}}}
}

// withProp is a group that is always there, in which a property is or is not.
func withProp(group, name string, letter byte) []tree.Group {
	g := tree.Group{Name: group, Type: "application", Props: []tree.Property{{Name: "other", Type: prop.Count, Values: []string{"1"}}}}
	if letter != '-' {
		g.Props = append(g.Props, tree.Property{Name: name, Type: prop.AString, Values: []string{string(letter)}})
	}
	groups := []tree.Group{g}
	tree.SortGroups(groups)
	return groups
}

// try runs one case and compares.
func try(t *testing.T, name string, in *Input, read func([]tree.Group) string, want outcome) {
	t.Helper()
	steps, notes := Plan(in)
	after := Apply(in.Current, steps)
	var said []string
	for _, n := range notes {
		said = append(said, whys[n.Why])
		if text := n.Text("svc:/x:default"); !strings.Contains(text, "svc:/x:default") || !strings.Contains(text, n.Group) || strings.Contains(text, "\n") {
			t.Errorf("%s: says %q", name, text)
		}
	}
	if got := read(after); got != want.then || strings.Join(said, " ") != want.note {
		t.Errorf("%s: then %q, said %v; want %q, %q; steps %+v", name, got, said, want.then, want.note, steps)
	}
	// The same manifest again changes nothing and says nothing new.
	again := *in
	again.Old, again.Current, again.HasOld, again.Marks = in.New, after, true, Marks{Delete: in.Marks.Delete}
	if steps, notes := Plan(&again); len(steps) > 0 || len(notes) > 0 {
		t.Errorf("%s: again: %+v %+v", name, steps, notes)
	}
}

func valueOf(group, name string) func([]tree.Group) string {
	return func(groups []tree.Group) string {
		g := find(groups, group)
		if g == nil {
			return "-"
		}
		p := g.Prop(name)
		if p == nil {
			return "-"
		}
		return strings.Join(p.Values, " ")
	}
}

var propCases = map[string]outcome{
	"---": {"-", ""}, "--a": {"a", ""}, "-a-": {"a", ""}, "-aa": {"a", ""}, "-ab": {"a", "customized"},
	"a--": {"-", ""}, "a-a": {"-", ""}, "a-b": {"-", "deleted"}, "aa-": {"-", ""}, "aaa": {"a", ""}, "aab": {"b", ""},
	"ab-": {"b", "customized"}, "aba": {"b", ""}, "abb": {"b", ""}, "abc": {"b", "customized"},
}

func TestProperty(t *testing.T) {
	for name, want := range propCases {
		in := &Input{HasOld: true, Old: withProp("g", "p", name[0]), Current: withProp("g", "p", name[1]), New: withProp("g", "p", name[2])}
		try(t, name, in, valueOf("g", "p"), want)
		// Overridden: the manifest's, unless it has none.
		if name[2] != '-' {
			want = outcome{name[2:], ""}
		}
		for _, mark := range []string{"g", "g/p"} {
			in.Marks.Override = map[string]bool{mark: true}
			try(t, name+" overriding "+mark, in, valueOf("g", "p"), want)
		}
	}
}

// A change of the type alone is a change.
func TestPropertyType(t *testing.T) {
	in := &Input{HasOld: true, Old: withProp("g", "p", '1'), Current: withProp("g", "p", '1'), New: withProp("g", "p", '1')}
	in.New[0].Props[1].Type = prop.Count
	steps, notes := Plan(in)
	if len(steps) != 1 || steps[0].Verb != SetProp || steps[0].Prop.Type != prop.Count || len(notes) > 0 {
		t.Errorf("%+v %+v", steps, notes)
	}
}

// Without a last import only what is missing is added.
func TestWithoutLastImport(t *testing.T) {
	for name, want := range map[string]outcome{
		"---": {"-", ""}, "--a": {"a", ""}, "-a-": {"a", ""}, "-aa": {"a", ""}, "-ab": {"a", ""},
	} {
		in := &Input{Current: withProp("g", "p", name[1]), New: withProp("g", "p", name[2])}
		try(t, name, in, valueOf("g", "p"), want)
		for _, kind := range []string{"application", dependencyType} {
			in := &Input{Current: letterGroup(kind, name[1]), New: letterGroup(kind, name[2])}
			try(t, name+" of a "+kind, in, valueOf("g", "p"), want)
		}
	}
}

func TestGroup(t *testing.T) {
	cases := map[string]outcome{}
	for name, want := range propCases {
		cases[name] = want
	}
	for _, kind := range []string{"application", "framework", "method"} {
		for name, want := range cases {
			in := &Input{HasOld: true, Old: letterGroup(kind, name[0]), Current: letterGroup(kind, name[1]), New: letterGroup(kind, name[2])}
			try(t, kind+" "+name, in, valueOf("g", "p"), want)
			in.Marks.Delete = map[string]bool{"g": true}
			in.New = nil // a manifest that deletes a group does not describe it
			try(t, kind+" "+name+" deleted", in, valueOf("g", "p"), outcome{"-", ""})
		}
	}
}

// A dependency is taken or left as a whole: never half of each.
func TestDependency(t *testing.T) {
	dep := func(letter byte) []tree.Group {
		if letter == '-' {
			return nil
		}
		v := []string{string(letter)}
		return []tree.Group{{Name: "g", Type: dependencyType, Props: []tree.Property{
			{Name: "entities", Type: prop.FMRI, Values: v}, {Name: "grouping", Type: prop.AString, Values: v}, {Name: "p", Type: prop.AString, Values: v}}}}
	}
	for name, want := range propCases {
		in := &Input{HasOld: true, Old: dep(name[0]), Current: dep(name[1]), New: dep(name[2])}
		whole := func(groups []tree.Group) string {
			g := find(groups, "g")
			if g == nil {
				return "-"
			}
			for _, p := range g.Props {
				if p.Values[0] != g.Props[0].Values[0] {
					return fmt.Sprintf("a mixture: %+v", g)
				}
			}
			return g.Props[0].Values[0]
		}
		try(t, name, in, whole, want)
	}
	// One property changed by the administrator, another by the manifest.
	in := &Input{HasOld: true, Old: dep('a'), Current: dep('a'), New: dep('a')}
	in.Current[0].Props[1].Values = []string{"mine"}
	in.New[0].Props[0].Values = []string{"theirs"}
	if steps, notes := Plan(in); len(steps) != 0 || len(notes) != 1 || notes[0] != (Note{Customized, "g", ""}) {
		t.Errorf("%+v %+v", steps, notes)
	}
	in.Marks.Override = map[string]bool{"g": true}
	steps, _ := Plan(in)
	if after := Apply(in.Current, steps); !after[0].Equal(&in.New[0]) {
		t.Errorf("overridden: %+v", after)
	}
}

// A group whose type has changed is another one.
func TestGroupType(t *testing.T) {
	kind := func(letter byte) []tree.Group {
		if letter == '-' {
			return nil
		}
		return []tree.Group{{Name: "g", Type: string(letter)}}
	}
	read := func(groups []tree.Group) string {
		if g := find(groups, "g"); g != nil {
			return g.Type
		}
		return "-"
	}
	for name, want := range map[string]outcome{
		"aab": {"b", ""}, "aba": {"b", ""}, "abc": {"b", "retyped"}, "-ab": {"a", "retyped"}, "abb": {"b", ""}, "aa-": {"-", ""}, "ab-": {"b", "customized"},
	} {
		in := &Input{HasOld: true, Old: kind(name[0]), Current: kind(name[1]), New: kind(name[2])}
		try(t, name, in, read, want)
		if name[2] != '-' {
			in.Marks.Override = map[string]bool{"g": true}
			try(t, name+" overridden", in, read, outcome{name[2:], ""})
		}
	}
}

// Whether an instance is enabled, and its restarter, are the administrator's from the first
// import on.
func TestNeverUpgraded(t *testing.T) {
	for _, name := range []string{"enabled", "restarter"} {
		for letters, want := range map[string]outcome{
			"aab": {"a", "refused"}, "aba": {"b", ""}, "abc": {"b", "refused"}, "aaa": {"a", ""}, "-aa": {"a", ""}, "-ab": {"a", "refused"}, "aa-": {"a", "refused"},
		} {
			in := &Input{HasOld: true, Old: withProp("general", name, letters[0]), Current: withProp("general", name, letters[1]), New: withProp("general", name, letters[2])}
			try(t, name+" "+letters, in, valueOf("general", name), want)
		}
	}
	in := &Input{HasOld: true, Old: withProp("general", "enabled", '-'), Current: withProp("general", "enabled", '-'), New: withProp("general", "enabled", 'a')}
	try(t, "missing", in, valueOf("general", "enabled"), outcome{"a", ""})
	if steps, _ := Plan(&Input{HasOld: true, Old: withProp("general", "enabled", 'a'), Current: withProp("general", "enabled", 'a'), New: withProp("general", "single_instance", 'a')}); slices.ContainsFunc(steps, func(s Step) bool { return s.Prop.Name == "enabled" }) {
		t.Errorf("%+v", steps)
	}
}

// Groups that end with the boot take no part.
func TestNonPersistent(t *testing.T) {
	state := letterGroup("framework", 'a')
	state[0].Flags = tree.NonPersistent
	in := &Input{HasOld: true, Old: letterGroup("framework", 'b'), Current: state}
	if steps, notes := Plan(in); len(steps)+len(notes) > 0 {
		t.Errorf("%+v %+v", steps, notes)
	}
}

// A manifest that has what is there as a group that ends with the boot is told, once.
func TestNonPersistentOfTheName(t *testing.T) {
	state := letterGroup("framework", 'a')
	state[0].Flags = tree.NonPersistent
	in := &Input{HasOld: true, Current: state, New: letterGroup("framework", 'b')}
	if steps, notes := Plan(in); len(steps) != 0 || len(notes) != 1 || notes[0] != (Note{Retyped, "g", ""}) {
		t.Errorf("%+v %+v", steps, notes)
	}
	in.Old = in.New
	if steps, notes := Plan(in); len(steps)+len(notes) != 0 {
		t.Errorf("again: %+v %+v", steps, notes)
	}
}

// general holds what manifests say and what administrators do. A manifest that says nothing of it
// any longer takes its own away, and nothing else.
func TestGeneralGone(t *testing.T) {
	general := func(words ...string) []tree.Group {
		g := tree.Group{Name: "general", Type: "framework"}
		for _, w := range words {
			name, value, _ := strings.Cut(w, "=")
			g.Props = append(g.Props, tree.Property{Name: name, Type: prop.AString, Values: []string{value}})
		}
		return []tree.Group{g}
	}
	for name, c := range map[string]struct {
		old, cur, then string
		note           string
	}{
		"enabled is nobody's change": {"entity_stability=x", "enabled=true entity_stability=x", "enabled=true", ""},
		"customized":                 {"entity_stability=x", "enabled=true entity_stability=y", "enabled=true entity_stability=y", "customized"},
		"restarter stays":            {"restarter=r single_instance=s", "enabled=true restarter=r single_instance=s", "enabled=true restarter=r", "refused"},
		"restarter alone":            {"restarter=r", "restarter=r", "restarter=r", "refused"},
	} {
		in := &Input{HasOld: true, Old: general(strings.Fields(c.old)...), Current: general(strings.Fields(c.cur)...)}
		read := func(groups []tree.Group) string {
			var words []string
			for _, g := range groups {
				for _, p := range g.Props {
					words = append(words, p.Name+"="+p.Values[0])
				}
			}
			return strings.Join(words, " ")
		}
		try(t, name, in, read, outcome{c.then, c.note})
		in.Marks.Delete = map[string]bool{"general": true}
		steps, notes := Plan(in)
		if got := read(Apply(in.Current, steps)); strings.Contains(got, "stability") || strings.Contains(got, "single") || len(notes) > 0 ||
			strings.Contains(c.cur, "enabled") != strings.Contains(got, "enabled") {
			t.Errorf("%s, deleted: %q, %+v", name, got, notes)
		}
	}
}

// Without a last import nobody knows whose a dependency is, or a group of another type: both stay
// whole, unless overridden.
func TestWholeWithoutLastImport(t *testing.T) {
	two := func(kind, entities, grouping string) []tree.Group {
		g := tree.Group{Name: "g", Type: kind, Props: []tree.Property{{Name: "entities", Type: prop.AString, Values: []string{entities}}}}
		if grouping != "" {
			g.Props = append(g.Props, tree.Property{Name: "grouping", Type: prop.AString, Values: []string{grouping}})
		}
		return []tree.Group{g}
	}
	for name, c := range map[string]struct {
		cur, fresh []tree.Group
		notes      []Note
	}{
		"dependency": {two(dependencyType, "mine", ""), two(dependencyType, "theirs", "require_all"), nil},
		"type":       {two("application", "mine", ""), two("method", "mine", "x"), []Note{{Retyped, "g", ""}}},
	} {
		in := &Input{Current: c.cur, New: c.fresh}
		if steps, notes := Plan(in); len(steps) != 0 || !slices.Equal(notes, c.notes) {
			t.Errorf("%s: %+v %+v", name, steps, notes)
		}
		in.Marks.Override = map[string]bool{"g": true}
		steps, _ := Plan(in)
		if after := Apply(in.Current, steps); !equalGroups(after, c.fresh) {
			t.Errorf("%s overridden: %+v", name, after)
		}
	}
	// One property of a dependency that overrides is all of it.
	in := &Input{HasOld: true, Old: two(dependencyType, "old", "old"), Current: two(dependencyType, "mine", "old"), New: two(dependencyType, "theirs", "theirs"),
		Marks: Marks{Override: map[string]bool{"g/entities": true}}}
	steps, notes := Plan(in)
	if after := Apply(in.Current, steps); !equalGroups(after, in.New) || len(notes) > 0 {
		t.Errorf("%+v %+v", after, notes)
	}
}

func genGroups(t *rapid.T, label string) []tree.Group {
	var groups []tree.Group
	for _, name := range []string{"a", "b", "c"} {
		if !rapid.Bool().Draw(t, label+name) {
			continue
		}
		g := tree.Group{Name: name, Type: rapid.SampledFrom([]string{"application", "dependency"}).Draw(t, "type")}
		for _, p := range []string{"p", "q"} {
			if rapid.Bool().Draw(t, "there") {
				g.Props = append(g.Props, tree.Property{Name: p, Type: prop.AString, Values: []string{rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "value")}})
			}
		}
		groups = append(groups, g)
	}
	return groups
}

func equalGroups(a, b []tree.Group) bool {
	return slices.EqualFunc(a, b, func(x, y tree.Group) bool { return x.Equal(&y) })
}

// Whatever the three are: an import is idempotent; what nobody changed becomes the manifest's;
// a manifest that did not change changes nothing; the input is left alone.
func TestPropertiesOfAnyUpgrade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := &Input{HasOld: true, Old: genGroups(t, "old"), Current: genGroups(t, "current"), New: genGroups(t, "new")}
		kept := Apply(in.Current, nil)
		steps, _ := Plan(in)
		after := Apply(in.Current, steps)
		if !equalGroups(kept, in.Current) {
			t.Fatal("the input was changed")
		}
		if again, notes := Plan(&Input{HasOld: true, Old: in.New, Current: after, New: in.New}); len(again)+len(notes) > 0 {
			t.Fatalf("again: %+v %+v", again, notes)
		}
		untouched, notes := Plan(&Input{HasOld: true, Old: in.Old, Current: in.Old, New: in.New})
		if got := Apply(in.Old, untouched); !equalGroups(got, in.New) || len(notes) > 0 {
			t.Fatalf("untouched: %+v, want %+v; %+v", got, in.New, notes)
		}
		same, notes := Plan(&Input{HasOld: true, Old: in.Old, Current: in.Current, New: in.Old})
		if len(same)+len(notes) > 0 {
			t.Fatalf("the same manifest: %+v %+v", same, notes)
		}
	})
}
