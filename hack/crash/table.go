package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
)

const head = `# Crashes

What was killed where, and what became of it. Made by ` + "`make crash-matrix FULL=1`" + ` from the tests of
hack/e2e/crash, whose doc.go says how points are found: nobody writes this page. A point of zoned is a
line of its journal, before and after, or a place within a step; a point of another program is a system
call that changes something or waits for somebody, and a program that is killed at it does not make it.
After each kill the state that is listed, that of the status file and the kernel's were one, and at the
end of each group the host had what it had before.

`

// found is what the tests have said.
type found struct {
	rows    []crash
	figures [][2]string
	failed  []string
	told    io.Writer // what failed says, as it comes; nil: nobody is told
}

// crash is one program that was sent a signal at one point.
type crash struct{ program, signal, during, point, outcome, test string }

// read takes the events of test2json. What a test said before it failed is no finding.
func (f *found) read(from io.Reader) error {
	s := bufio.NewScanner(from)
	s.Buffer(nil, lineMax)
	bad := map[string]bool{}
	for s.Scan() {
		var e struct{ Action, Test, Output, Key, Value string }
		if json.Unmarshal(s.Bytes(), &e) != nil {
			return fmt.Errorf("go test says %q, which is no event", s.Text())
		}
		switch {
		case e.Action == "fail" || e.Action == "skip":
			bad[e.Test] = true
			f.failed = append(f.failed, e.Test)
		case (e.Action == "output" || e.Action == "build-output") && f.told != nil && !strings.HasPrefix(e.Output, "=== "):
			fmt.Fprint(f.told, e.Output)
		case e.Action != "attr":
		case e.Key == "crash":
			v := strings.Split(e.Value, "|")
			if len(v) != 5 || slices.Contains(v, "") {
				return fmt.Errorf("%s: %q is not program, signal, operation, point and outcome", e.Test, e.Value)
			}
			f.rows = append(f.rows, crash{v[0], v[1], v[2], v[3], v[4], e.Test})
		case e.Key == "figure":
			what, value, ok := strings.Cut(e.Value, "|")
			if !ok {
				return fmt.Errorf("%s: %q is not a figure and its value", e.Test, e.Value)
			}
			f.figures = append(f.figures, [2]string{what, value})
		}
	}
	f.rows = slices.DeleteFunc(f.rows, func(c crash) bool { return bad[c.test] })
	return s.Err()
}

// tables are the found things as markdown.
func (f *found) tables() string {
	var b strings.Builder
	total := 0
	b.WriteString("## By program and operation\n\n| program | signal | during | points | outcomes |\n|---|---|---|---:|---|\n")
	for _, g := range f.groups() {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s |\n", g[0].program, g[0].signal, g[0].during, len(distinct(g, crash.where)), outcomes(g))
		total += len(g)
	}
	fmt.Fprintf(&b, "\n%d signals sent.\n", total)
	if len(f.figures) > 0 {
		b.WriteString("\n## Figures\n\nOf the machine that made this page; they are held against each other, not against a time.\n\n| what | value |\n|---|---|\n")
		for _, v := range f.figures {
			fmt.Fprintf(&b, "| %s | %s |\n", v[0], v[1])
		}
	}
	b.WriteString(f.supervisor())
	return b.String()
}

func (c crash) where() string { return c.point }

// groups are the rows of each program, signal and operation, in the order in which they came.
func (f *found) groups() (list [][]crash) {
	at := map[[3]string]int{}
	for _, c := range f.rows {
		k := [3]string{c.program, c.signal, c.during}
		i, there := at[k]
		if !there {
			i = len(list)
			at[k], list = i, append(list, nil)
		}
		list[i] = append(list[i], c)
	}
	return list
}

func distinct(g []crash, of func(crash) string) map[string]int {
	n := map[string]int{}
	for _, c := range g {
		n[of(c)]++
	}
	return n
}

// outcomes are the words for what became of a group, the most frequent first.
func outcomes(g []crash) string {
	n := distinct(g, func(c crash) string { return c.outcome })
	var words []string
	for w := range n {
		words = append(words, w)
	}
	sort.Slice(words, func(i, j int) bool {
		if n[words[i]] != n[words[j]] {
			return n[words[i]] > n[words[j]]
		}
		return words[i] < words[j]
	})
	for i, w := range words {
		words[i] = fmt.Sprintf("%d %s", n[w], w)
	}
	return strings.Join(words, "; ")
}

// supervisor lists the points of zoned, which have names.
func (f *found) supervisor() string {
	in := map[string][]string{}
	for _, c := range f.rows {
		if c.program == "zoned" && c.signal == "SIGKILL" && !slices.Contains(in[c.point], c.during) {
			in[c.point] = append(in[c.point], c.during)
		}
	}
	if len(in) == 0 {
		return ""
	}
	var names []string
	for name := range in {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString("\n## Points of zoned\n\n| point | killed there during |\n|---|---|\n")
	for _, name := range names {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.Join(in[name], ", "))
	}
	return b.String()
}
