package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// file is what is made, below the module's root.
const file = "docs/CONFORMANCE.md"

func main() {
	all := flag.Bool("all", false, "run also the tests that need root, contracts or zones")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: conformance [-all]")
		os.Exit(2)
	}
	root, err := moduleRoot()
	if err == nil {
		err = write(root, *all)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
		os.Exit(1)
	}
}

// moduleRoot is the next directory upwards that has a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("there is no go.mod here or above: run it in the repository")
		}
	}
	return "", err
}

func write(root string, all bool) error {
	text, wrong, err := build(root, all)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s is not written: %d things are wrong\n%s", file, len(wrong), strings.Join(wrong, "\n"))
	}
	return os.WriteFile(filepath.Join(root, file), []byte(text), 0o644)
}

// build makes the page. What is wrong is said in lines.
func build(root string, all bool) (text string, wrong []string, err error) {
	sources, err := readSources(root)
	if err != nil {
		return "", nil, err
	}
	wrong = checkCatalogue(root, catalogue)
	claims, bad := readClaims(sources)
	wrong = append(wrong, bad...)
	rooms, limit := runRooms, runLimit
	if all {
		rooms, limit = nil, runLimitAll
		for _, c := range claims {
			if !slices.Contains(rooms, c.room) {
				rooms = append(rooms, c.room)
			}
		}
	}
	ran, err := runTests(root, claims, rooms, limit)
	if err != nil {
		return "", nil, err
	}
	var run []claim
	for _, c := range claims {
		if slices.Contains(rooms, c.room) {
			run = append(run, c)
		} else if what := checkUnrun(sources, c); what != "" {
			wrong = append(wrong, what)
		}
	}
	failed := ran.checkRun(run)
	wrong = append(wrong, failed...)
	if len(failed) > 0 && ran.said.Len() > 0 {
		wrong = append(wrong, "the tests say:\n"+ran.said.String())
	}
	text, bad = page(catalogue, claims, ran.cells)
	return text, append(wrong, bad...), nil
}
