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
	skippedNames            []string
}

func (t *tally) pass() { t.passed++ }

// fail counts and shows a failure with everything that it printed.
func (t *tally) fail(name, output string) {
	t.failed++
	t.failedNames = append(t.failedNames, name)
	fmt.Fprintf(t.out, "--- FAIL: %s\n", name)
	for line := range strings.Lines(output) {
		fmt.Fprintf(t.out, "    %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// countFail counts a failure whose output is on the screen already.
func (t *tally) countFail(name string) {
	t.failed++
	t.failedNames = append(t.failedNames, name)
}

// skip counts a skipped test and shows why, since the reason is what is to be judged.
func (t *tally) skip(name, output string) {
	t.skipped++
	t.skippedNames = append(t.skippedNames, name)
	fmt.Fprintf(t.out, "--- SKIP: %s\n", name)
	for line := range strings.Lines(output) {
		fmt.Fprintf(t.out, "    %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// finish prints the summary and gives the exit status.
func (t *tally) finish() int {
	status := 0
	for _, name := range t.failedNames {
		fmt.Fprintf(t.out, "failed: %s\n", name)
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
