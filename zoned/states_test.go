package zoned

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/api"
)

var update = flag.Bool("update", false, "write golden files")

var verbs = []api.Verb{
	api.VerbReady, api.VerbBoot, api.VerbHalt, api.VerbShutdown, api.VerbReboot, api.VerbNoteUninstalling,
}

// table prints transitions as the document that administrators read.
func table() string {
	var b bytes.Buffer
	b.WriteString("# Commands and states\n\nMade from `zoned/states.go` by `go test ./zoned -run TestStatesDocument -update`.\n\n")
	b.WriteString("| state | " + join(verbs) + " |\n|" + strings.Repeat("---|", len(verbs)+1) + "\n")
	for s := configs.Configured; s <= configs.Down; s++ {
		fmt.Fprintf(&b, "| %s |", s)
		for _, v := range verbs {
			b.WriteString(" " + describeCell(transitions[s][v]) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func join(vs []api.Verb) string {
	var s []string
	for _, v := range vs {
		s = append(s, string(v))
	}
	return strings.Join(s, " | ")
}

func describeCell(c cell) string {
	switch {
	case c.note != "":
		return "note: " + english[c.note]
	case c.shutdown:
		return "ask init to go down, then wait"
	case c.leave:
		return "tell the console, leave"
	case len(c.phases) == 0:
		return "refused"
	}
	var s []string
	for _, p := range c.phases {
		s = append(s, string(p))
	}
	return strings.Join(s, ", ")
}

func TestStatesDocument(t *testing.T) {
	const name = "../docs/states.md"
	got := table()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || string(want) != got {
		t.Fatalf("%s does not say what states.go says (run with -update): %v", name, err)
	}
}

// TestTransitions holds the table against zoneadmd's, written down here a second time in the
// order of zones.md 1.3: what a halt finds already halted, and so on.
func TestTransitions(t *testing.T) {
	for _, c := range []struct {
		state configs.State
		verb  api.Verb
		want  string
	}{
		{configs.Configured, api.VerbReady, "refused"},
		{configs.Configured, api.VerbHalt, "refused"},
		{configs.Incomplete, api.VerbBoot, "refused"},
		{configs.Installed, api.VerbReady, "ready"},
		{configs.Installed, api.VerbBoot, "ready, boot"},
		{configs.Installed, api.VerbHalt, "note: zone is already halted"},
		{configs.Installed, api.VerbShutdown, "note: zone is already halted"},
		{configs.Installed, api.VerbReboot, "refused"},
		{configs.Ready, api.VerbReady, "note: zone is already ready"},
		{configs.Ready, api.VerbBoot, "boot"},
		{configs.Ready, api.VerbHalt, "halt"},
		{configs.Ready, api.VerbReboot, "refused"},
		{configs.Ready, api.VerbShutdown, "refused"},
		{configs.Ready, api.VerbNoteUninstalling, "refused"},
		{configs.Running, api.VerbReady, "halt, ready"},
		{configs.Running, api.VerbBoot, "note: zone is already booted"},
		{configs.Running, api.VerbHalt, "halt"},
		{configs.Running, api.VerbReboot, "halt, ready, boot"},
		{configs.Running, api.VerbNoteUninstalling, "refused"},
		{configs.Down, api.VerbHalt, "halt"},
		{configs.Down, api.VerbReboot, "halt, ready, boot"},
		{configs.Mounted, api.VerbHalt, "refused"},
	} {
		if got := describeCell(transitions[c.state][c.verb]); got != c.want {
			t.Errorf("%s in state %s: %s, want %s", c.verb, c.state, got, c.want)
		}
	}
}

// TestTransitionsAreComplete: a state that is not in the table would refuse everything
// silently, and a halt that is not first in a list would build over what is there.
func TestTransitionsAreComplete(t *testing.T) {
	for s := configs.Configured; s <= configs.Down; s++ {
		row, ok := transitions[s]
		if !ok {
			t.Errorf("state %s is not in the table", s)
		}
		for v, c := range row {
			if _, ok := callers[v]; !ok {
				t.Errorf("verb %s has nobody who may call it", v)
			}
			for i, p := range c.phases {
				if p == phaseHalt && i != 0 {
					t.Errorf("%s in state %s halts in the middle", v, s)
				}
			}
			if s > configs.Ready && len(c.phases) > 0 && c.phases[0] != phaseHalt {
				t.Errorf("%s in state %s builds over what is there", v, s)
			}
			if c.note != "" && english[c.note] == "" {
				t.Errorf("note %q has no text", c.note)
			}
		}
	}
}
