package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// rule is one thing that the original does.
type rule struct {
	id   string // section/name
	text string
	is   standing
}

// standing is how it is with a rule here.
type standing struct {
	file, words string // where it stands that it is otherwise, or not there
	why         string // it is not met
}

// met is the usual standing.
var met = standing{}

// differs: it is otherwise on purpose, and words of file say so.
func differs(file, words string) standing { return standing{file: file, words: words} }

func notMet(why string) standing { return standing{why: why} }

// notThere: it is not met, which docs/DIFFERENCES.md says in these words.
func notThere(why, words string) standing { return standing{differences, words, why} }

const (
	differences = "docs/DIFFERENCES.md"
	ofInstance  = "svc/instance/doc.go"
	ofGraph     = "svc/graph/doc.go"
)

// section is a part of the catalogue.
type section struct {
	number, title string
	rules         []rule
	grids         []grid
}

// grid is a matrix of tests. Its id is the rule's that it shows.
type grid struct {
	id, title string
	words     [][2]string // a cell's word, and what it means
}

var catalogue = []section{
	{"3.1", "States and events of an instance", rules31, grids31},
	{"3.2", "Durations", rules32, grids32},
	{"3.3", "Methods", append(slices.Clip(rules33), rules33more...), grids33},
	{"3.4", "What is written", rules34, nil},
	{"3.5", "A svc.startd after another", rules35, nil},
	{"3.6", "The graph", rules36, grids36},
}

// checkCatalogue says what is wrong with the catalogue itself.
func checkCatalogue(root string, catalogue []section) (wrong []string) {
	seen := map[string]bool{}
	for _, s := range catalogue {
		for _, r := range s.rules {
			name, ok := strings.CutPrefix(r.id, s.number+"/")
			switch {
			case !ok || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
				wrong = append(wrong, fmt.Sprintf("%s: no name of a rule of section %s", r.id, s.number))
			case seen[r.id]:
				wrong = append(wrong, r.id+": it is there twice")
			case r.text == "" || strings.ContainsAny(r.text, "|\n"):
				wrong = append(wrong, r.id+": its text does not fit in a row")
			}
			seen[r.id] = true
			if r.is.file != "" && !stands(root, r.is) {
				wrong = append(wrong, fmt.Sprintf("%s: %q does not stand in %s", r.id, r.is.words, r.is.file))
			}
		}
		for _, g := range s.grids {
			if !slices.ContainsFunc(s.rules, func(r rule) bool { return r.id == g.id }) {
				wrong = append(wrong, g.id+": a grid for no rule")
			}
		}
	}
	return wrong
}

// stands says whether the words that explain a difference are where they are said to be: lines of
// comments and their breaks do not count.
func stands(root string, is standing) bool {
	text, err := os.ReadFile(filepath.Join(root, is.file))
	plain := strings.Join(strings.Fields(strings.ReplaceAll(string(text), "\n//", "\n")), " ")
	return err == nil && is.words != "" && strings.Contains(plain, is.words)
}

// gridOf finds a grid of the catalogue.
func gridOf(catalogue []section, id string) *grid {
	for i := range catalogue {
		for j := range catalogue[i].grids {
			if g := &catalogue[i].grids[j]; g.id == id {
				return g
			}
		}
	}
	return nil
}
