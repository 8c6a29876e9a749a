package zonecfg

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/configs/zonecfg/lang"
)

// info shows the configuration, or the part that was asked for.
func (s *Session) info(a args) error {
	if s.scope != nil {
		if err := a.none(); err != nil {
			return err
		}
		showRecord(s.Out, s.scope.kind, s.scope.now)
		return nil
	}
	if len(a.rest) == 0 {
		if err := s.load(); err != nil {
			return err
		}
		s.infoAll()
		return nil
	}
	name, err := a.word("a resource type or a property name")
	if err != nil {
		return err
	}
	k := findResource(name)
	if k == nil {
		if err := a.none(); err != nil {
			return err
		}
		return s.infoGlobal(name)
	}
	conditions, err := a.conditions(k)
	if err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	shown := 0
	for _, r := range k.load(s.work) {
		if r.matches(k, conditions) {
			showRecord(s.Out, k, r)
			shown++
		}
	}
	if shown == 0 && len(conditions) > 0 {
		fmt.Fprintf(s.Out, "No such %s resource.\n", k.name)
	}
	return nil
}

func (s *Session) infoAll() {
	host := s.name == configs.GlobalName
	for _, g := range globals {
		if !host || g.onHost {
			fmt.Fprintln(s.Out, g.name+": "+g.get(s.work))
		}
	}
	for _, a := range configs.RctlAliases() {
		s.showAlias(a)
	}
	for _, k := range schema {
		for _, r := range k.load(s.work) {
			showRecord(s.Out, k, r)
		}
	}
}

func (s *Session) infoGlobal(name string) error {
	alias, isAlias := configs.LookupAlias(name)
	g := findGlobal(name)
	if g == nil && !isAlias {
		return fmt.Errorf("%.40s: No such resource type or property, allowed are %s", name,
			strings.Join(append(resourceNames(), globalNames()...), ", "))
	}
	if err := s.load(); err != nil {
		return err
	}
	if isAlias {
		s.showAlias(alias)
		return nil
	}
	fmt.Fprintln(s.Out, g.name+": "+g.get(s.work))
	return nil
}

// showAlias shows a resource control through its alias, in brackets; what the alias
// cannot express is seen in the rctl alone.
func (s *Session) showAlias(a configs.RctlAlias) {
	limit, ok, err := s.work.Alias(a)
	if !ok || err != nil {
		return
	}
	text := fmt.Sprint(limit)
	if a.Memory {
		text = configs.FormatMemory(limit)
	}
	fmt.Fprintf(s.Out, "[%s: %s]\n", a.Name, text)
}

// showRecord shows a resource as the original does: lists in brackets, one line for
// each complex value, aliases of resource controls in brackets.
func showRecord(w io.Writer, k *resource, r record) {
	fmt.Fprintf(w, "%s:\n", k.name)
	for _, p := range k.props {
		switch v := r[p.name]; {
		case p.shape == list:
			fmt.Fprintf(w, "\t%s: %s\n", p.name, lang.Value{Kind: lang.List, List: v})
		case p.shape == complexes:
			for _, e := range v {
				fmt.Fprintf(w, "\t%s: %s\n", p.name, e)
			}
		case len(v) == 0 && (p.need == required || p.missed):
			fmt.Fprintf(w, "\t%s not specified\n", p.name)
		case len(v) == 0:
		case p.aliased:
			fmt.Fprintf(w, "\t[%s: %s]\n", p.name, v[0].Text)
		case strings.Contains(v[0].Text, " "):
			fmt.Fprintf(w, "\t%s: \"%s\"\n", p.name, v[0].Text)
		default:
			fmt.Fprintf(w, "\t%s: %s\n", p.name, v[0].Text)
		}
	}
}

// export prints the commands that make the configuration again.
func (s *Session) export(a args) error {
	if err := a.none(); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	text := exportText(s.work)
	file, ok := a.flags['f']
	if !ok {
		_, err := io.WriteString(s.Out, text)
		return err
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("opening file %s: %w", file, err)
	}
	return nil
}

// exportText writes a configuration as commands. Swap, locked and cpu caps are written
// as the resource controls that they are, as in the original; so is every alias.
func exportText(z *configs.Zone) string {
	var b strings.Builder
	host := z.Name == configs.GlobalName
	b.WriteString("create -b\n")
	for _, g := range globals {
		v := g.get(z)
		if g.name != "zonename" && v != "" && (!host || g.onHost) {
			fmt.Fprintf(&b, "set %s=%s\n", g.name, lang.Quote(v))
		}
	}
	for _, k := range schema {
		if k.name == "capped-cpu" {
			continue
		}
		for _, r := range k.load(z) {
			if k.name == "capped-memory" {
				r = fixed("physical", r.text("physical"))
				if len(r) == 0 {
					continue
				}
			}
			fmt.Fprintf(&b, "add %s\n", k.name)
			for _, p := range k.props {
				for _, v := range r[p.name] {
					if p.shape == simple {
						fmt.Fprintf(&b, "set %s=%s\n", p.name, v)
					} else {
						fmt.Fprintf(&b, "add %s %s\n", p.name, v)
					}
				}
			}
			b.WriteString("end\n")
		}
	}
	return b.String()
}
