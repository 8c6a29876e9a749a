package contracts

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// stormPause is between two kills: a keeper whose supervisor dies more than ten times in ten
// seconds waits before it starts the next, which is not what is looked at here.
const stormPause = 1050 * time.Millisecond

// TestKilledWhileContractsAreMade kills the supervisor again and again while a zone makes
// contracts, one after the other, and reads their events in two ways: its own through the
// library, everybody's with cat.
func TestKilledWhileContractsAreMade(t *testing.T) {
	t.Parallel()
	z := testenv.Instance(t)
	booted(t, z, "a")
	before := z.Status("a")
	run(t, z, "a", "exec cat /system/contract/process/bundle > /var/tmp/bundle")
	cat := hostPid(t, z, "a", "cat /system/contract/process/bundle")
	testenv.Eventually(t, func() bool { return hasOpen(cat, "/bundle") }, "cat to open the bundle")
	run(t, z, "a", "exec env "+as("births", "/var/tmp/stop", "/var/tmp/record"))
	kills := count(50)
	for i := range kills {
		time.Sleep(stormPause + time.Duration(i*7%50)*time.Millisecond)
		successor(t, z, "a", z.KillZoned("a"))
	}
	awaitFile(t, z, "a", "/var/tmp/record", "some contracts to be made", func(text string) bool {
		return strings.Count(text, "made ") >= 10 || strings.Contains(text, "failed")
	})
	must(t, os.WriteFile(inside(z, "a", "/var/tmp/stop"), nil, 0o644))
	record := awaitFile(t, z, "a", "/var/tmp/record", "the workload's end", func(text string) bool {
		return strings.HasSuffix(text, "done\n") || strings.Contains(text, "failed")
	})
	if i := strings.Index(record, "failed"); i >= 0 {
		t.Fatalf("the zone noticed: %s", record[i:])
	}
	made, last := compareRecord(t, record)
	bundle := awaitFile(t, z, "a", "/var/tmp/bundle", "the last event to be in the bundle", func(text string) bool {
		return strings.Contains(text, "\n"+last+" ") && strings.HasSuffix(text, "\n")
	})
	compareBundle(t, bundle, made)
	if processState(cat) == "" {
		t.Error("the reader of the bundle has ended")
	}
	if after := z.Status("a"); after.Init != before.Init || after.ID != before.ID {
		t.Errorf("init was %+v, is %+v", before.Init, after.Init)
	}
	t.Logf("%d kills, %d contracts", kills, len(made))
	silent(t, z, "a", "halt")
	nothingRuns(t, z)
}

// birth is a contract's only process.
type birth struct{ pid, status string }

// compareRecord holds what the workload was told against what it did: of each contract a birth,
// an end and emptiness, each once, in this order, with the right numbers. It gives what was
// made, and the last event as "CTID EVID".
func compareRecord(t *testing.T, record string) (made map[string]birth, last string) {
	t.Helper()
	made = map[string]birth{}
	told := map[string][]string{}
	lastID := 0
	for line := range strings.Lines(record) {
		f := strings.Fields(line)
		switch f[0] {
		case "made":
			if _, again := made[f[1]]; again {
				t.Errorf("contract %s was made twice", f[1])
			}
			made[f[1]] = birth{pid: f[2], status: f[3]}
		case "told":
			told[f[1]] = append(told[f[1]], strings.Join(f[3:], " "))
			id, _ := strconv.Atoi(f[2])
			if id <= lastID {
				t.Errorf("event %d came after %d", id, lastID)
			}
			lastID, last = id, f[1]+" "+f[2]
		}
	}
	if len(made) < 10 {
		t.Errorf("only %d contracts were made", len(made))
	}
	for ct, b := range made {
		want := []string{"fork " + b.pid + " 0", "exit " + b.pid + " " + b.status, "empty " + b.pid + " 0"}
		if got := told[ct]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("of contract %s was told %q, want %q", ct, got, want)
		}
		delete(told, ct)
	}
	if len(told) > 0 {
		t.Errorf("it was told of contracts that it did not make: %v", told)
	}
	return made, last
}

// compareBundle holds the bundle that cat has read against what was made.
func compareBundle(t *testing.T, bundle string, made map[string]birth) {
	t.Helper()
	told := map[string][]string{}
	for line := range strings.Lines(bundle) {
		f := strings.Fields(line)
		if len(f) < 7 || f[4] != "process" {
			t.Errorf("line %q", line)
			continue
		}
		if _, ours := made[f[0]]; ours {
			told[f[0]] = append(told[f[0]], f[5])
		} else if f[5] == "lost" {
			t.Errorf("events were lost: %s", line)
		}
	}
	missing := 0
	for ct := range made {
		if got := strings.Join(told[ct], " "); got != "fork exit empty" {
			if missing++; missing < 10 {
				t.Errorf("the bundle has %q of contract %s", got, ct)
			}
		}
	}
	if missing > 0 {
		t.Errorf("of %d contracts of %d the bundle does not have everything", missing, len(made))
	}
}
