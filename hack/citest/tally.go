package main

import (
	"fmt"
	"io"
	"strings"
)

// tally counts results and prints them.
type tally struct {
	out    io.Writer
	strict bool

	passed, failed, skipped int
	failedNames             []string
	again                   map[string]string // what is shown at the end too, by the name of a failure
	skippedNames            []string
}

func (t *tally) pass() { t.passed++ }

// fail counts and shows a failure with everything that it printed.
func (t *tally) fail(name, output string) {
	t.failed++
	t.failedNames = append(t.failedNames, name)
	fmt.Fprintf(t.out, "--- FAIL: %s\n", name)
	t.show(output)
}

// countFail counts a failure whose output is on the screen already, and is shown again at the end.
func (t *tally) countFail(name, output string) {
	t.failed++
	t.failedNames = append(t.failedNames, name)
	if t.again == nil {
		t.again = map[string]string{}
	}
	t.again[name] = output
}

// show prints output, indented.
func (t *tally) show(output string) {
	for line := range strings.Lines(output) {
		fmt.Fprintf(t.out, "    %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// skip counts a skipped test and shows why, since the reason is what is to be judged.
func (t *tally) skip(name, output string) {
	t.skipped++
	t.skippedNames = append(t.skippedNames, name)
	fmt.Fprintf(t.out, "--- SKIP: %s\n", name)
	t.show(output)
}

// finish prints the summary and gives the exit status.
func (t *tally) finish() int {
	status := 0
	for _, name := range t.failedNames {
		fmt.Fprintf(t.out, "failed: %s\n", name)
		t.show(tail(t.again[name], againLines))
		status = 1
	}
	for _, name := range t.skippedNames {
		fmt.Fprintf(t.out, "skipped: %s\n", name)
	}
	if t.strict && t.skipped > 0 {
		fmt.Fprintln(t.out, "a skipped test is a failure in CI")
		status = 1
	}
	if t.passed+t.failed == 0 {
		fmt.Fprintln(t.out, "no test ran")
		status = 1
	}
	if status == 0 {
		fmt.Fprintln(t.out, "PASS")
	} else {
		fmt.Fprintln(t.out, "FAIL")
	}
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	return status
}

// againLines is how much of a failure's output is shown again.
const againLines = 40

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines-1):], "")
}
