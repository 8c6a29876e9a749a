package main

import (
	"fmt"
	"slices"
	"strings"
)

const head = `# Conformance

What the original's restarter does, from svc.startd(8), smf_method(5), smf(7) and its sources, and the
test that shows that it is so here. The text of a rule is what the original does; where it is otherwise
here on purpose, the row says where that stands, and the test shows what is done instead.

Made by ` + "`make conformance`" + ` from what tests say of themselves, and from their runs: the package
hack/conformance says how, and its test fails when this page says anything else. Tests are named as
` + "`room: Test`" + `; rooms are directories of this repository, those of hack/e2e take real zones.

`

// page is the whole document, and what is wrong with what it is made of.
func page(catalogue []section, claims []claim, cells []cell) (text string, wrong []string) {
	by := map[string][]claim{}
	for _, c := range claims {
		by[c.rule] = append(by[c.rule], c)
	}
	known := map[string]bool{}
	var body strings.Builder
	rules, other, unmet := 0, 0, 0
	for _, s := range catalogue {
		fmt.Fprintf(&body, "\n## %s %s\n\n| rule | what | shown by |\n|---|---|---|\n", s.number, s.title)
		for _, r := range s.rules {
			known[r.id] = true
			rules++
			what, shown := r.text, tests(by[r.id])
			switch {
			case r.is.why != "":
				unmet++
				shown = "**not met**: " + r.is.why
				if r.is.file != "" {
					shown += fmt.Sprintf(" (%s, \"%s\")", r.is.file, r.is.words)
				}
				if len(by[r.id]) > 0 {
					wrong = append(wrong, fmt.Sprintf("%s is said not to be met, and %s shows it", r.id, by[r.id][0].test))
				}
			case len(by[r.id]) == 0:
				wrong = append(wrong, r.id+": no test shows it, and nothing says why")
			case r.is.file != "":
				other++
				what += fmt.Sprintf(" *Differs on purpose: %s, \"%s\".*", r.is.file, r.is.words)
			}
			fmt.Fprintf(&body, "| %s | %s | %s |\n", strings.TrimPrefix(r.id, s.number+"/"), what, shown)
		}
		for i := range s.grids {
			lines, bad := s.grids[i].draw(cells)
			body.WriteString(lines)
			wrong = append(wrong, bad...)
		}
	}
	for _, c := range claims {
		if !known[c.rule] {
			wrong = append(wrong, fmt.Sprintf("%s: %s is no rule of the catalogue", c.at, c.rule))
		}
	}
	for _, c := range cells {
		if gridOf(catalogue, c.grid) == nil {
			wrong = append(wrong, fmt.Sprintf("%s: %s is no grid of the catalogue", c.test, c.grid))
		}
	}
	sum := fmt.Sprintf("%d rules: %d are met, of which %d are otherwise on purpose; %d are not met. %d cells of matrices.\n",
		rules, rules-unmet, other, unmet, len(cells))
	return head + sum + body.String(), wrong
}

// tests names the tests of a rule, each room once.
func tests(claims []claim) string {
	var rooms []string
	of := map[string][]string{}
	for _, c := range claims {
		if of[c.room] == nil {
			rooms = append(rooms, c.room)
		}
		if !slices.Contains(of[c.room], c.test) {
			of[c.room] = append(of[c.room], c.test)
		}
	}
	for i, room := range rooms {
		rooms[i] = room + ": " + strings.Join(of[room], ", ")
	}
	return strings.Join(rooms, "; ")
}

// draw is a grid in fixed width. A column of the name a/b stands under a.
func (g *grid) draw(cells []cell) (text string, wrong []string) {
	var rows, columns []string
	words := map[string]string{}
	used := map[string]bool{}
	for _, c := range cells {
		if c.grid != g.id {
			continue
		}
		at := c.row + "|" + c.column
		if words[at] != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s is there twice", g.id, at))
		}
		words[at], used[c.word] = c.word, true
		if !slices.Contains(rows, c.row) {
			rows = append(rows, c.row)
		}
		if !slices.Contains(columns, c.column) {
			columns = append(columns, c.column)
		}
	}
	if len(rows) == 0 {
		return "", append(wrong, g.id+": no test fills the grid")
	}
	wrong = append(wrong, g.checkWords(used)...)
	for _, row := range rows {
		for _, column := range columns {
			if words[row+"|"+column] == "" {
				wrong = append(wrong, fmt.Sprintf("%s: nothing shows %s, %s", g.id, row, column))
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n**%s** (%s)\n\n```\n", g.title, strings.SplitN(g.id, "/", 2)[1])
	b.WriteString(layout(rows, columns, words))
	b.WriteString("```\n\n")
	for _, w := range g.words {
		fmt.Fprintf(&b, "- `%s`: %s\n", w[0], w[1])
	}
	return b.String(), wrong
}

// checkWords: each word of a cell is explained, and each that is explained is in a cell. Where none is
// the title explains them.
func (g *grid) checkWords(used map[string]bool) (wrong []string) {
	if g.words == nil {
		return nil
	}
	for _, w := range g.words {
		if !used[w[0]] {
			wrong = append(wrong, fmt.Sprintf("%s: no cell has %q", g.id, w[0]))
		}
		delete(used, w[0])
	}
	for word := range used {
		wrong = append(wrong, fmt.Sprintf("%s: nothing explains %q", g.id, word))
	}
	slices.Sort(wrong)
	return wrong
}

func layout(rows, columns []string, words map[string]string) string {
	left := 0
	for _, row := range rows {
		left = max(left, len(row))
	}
	var above, below, rest strings.Builder
	fmt.Fprintf(&above, "%-*s", left, "")
	fmt.Fprintf(&below, "%-*s", left, "")
	widths := make([]int, len(columns))
	group := ""
	for i, column := range columns {
		over, under, split := strings.Cut(column, "/")
		if !split {
			over, under = "", column
		}
		widths[i] = len(under)
		for _, row := range rows {
			widths[i] = max(widths[i], len(words[row+"|"+column]))
		}
		if over != group { // its name stands over its first column
			group = over
			fmt.Fprintf(&above, "%-*s", max(below.Len()-above.Len(), 0), "")
			fmt.Fprintf(&above, "  %s", over)
		}
		fmt.Fprintf(&below, "  %-*s", widths[i], under)
	}
	for _, row := range rows {
		line := fmt.Sprintf("%-*s", left, row)
		for i, column := range columns {
			line += fmt.Sprintf("  %-*s", widths[i], words[row+"|"+column])
		}
		rest.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	text := strings.TrimRight(below.String(), " ") + "\n" + rest.String()
	if strings.TrimSpace(above.String()) != "" {
		text = strings.TrimRight(above.String(), " ") + "\n" + text
	}
	return text
}
