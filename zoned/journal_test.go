package zoned

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/linuxzones/zones/configs"
	"github.com/linuxzones/zones/zoned/api"
	"github.com/linuxzones/zones/zoned/remains"
)

// life is what a boot, a login's halt and another boot write.
func life(boot string) []*record {
	d := func(id int) *stepData { return &stepData{ZoneID: id, Cgroup: fmt.Sprintf("/zones/z/g%d", id)} }
	return []*record{
		{Type: recOpen, Version: journalVersion, Boot: boot},
		{Type: recOp, Op: &operation{ID: "a", Verb: api.VerbBoot, Phases: toBoot}},
		{Type: recDo, Step: "id", Data: &stepData{}},
		{Type: recDone, Step: "id", Data: d(1)},
		{Type: recDo, Step: "cgroup", Data: d(1)},
		{Type: recDone, Step: "cgroup", Data: d(1)},
		{Type: recDo, Step: "platform", Data: d(1)},
		{Type: recDone, Step: "platform", Data: &stepData{Cgroup: "/zones/z/g1", InitPid: 77, InitStart: 5}},
		{Type: recPhase, Phase: phaseReady},
		{Type: recDo, Step: "boot", Data: &stepData{}},
		{Type: recDone, Step: "boot", Data: &stepData{}},
		{Type: recPhase, Phase: phaseBoot},
		{Type: recEnd, Result: &result{ID: "a", Replies: []api.Reply{{Type: api.ReplyResult, State: "running"}}}},
		{Type: recShutdown, Shutdown: &shutdown{ID: "c", Until: 5, Reboot: true, BootArgs: "-s", BootArgsGiven: true}},
		{Type: recOp, Op: &operation{ID: "b", Verb: api.VerbHalt, Phases: halt}},
		{Type: recUndo, Step: "platform"},
		{Type: recUndone, Step: "platform"},
		{Type: recUndo, Step: "cgroup"},
	}
}

func lines(t *testing.T, records []*record) [][]byte {
	t.Helper()
	var out [][]byte
	for _, r := range records {
		l, err := appendLine(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// TestOthersReadTheSame: who looks for what dead generations left reads the journal with eyes of
// its own, and takes for living what its writer does, at every line.
func TestOthersReadTheSame(t *testing.T) {
	all := lines(t, life("boot"))
	for n := 1; n <= len(all); n++ {
		b := bytes.Join(all[:n], nil)
		h, err := replay(b, "boot")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, journalName), b, 0o600); err != nil {
			t.Fatal(err)
		}
		live, err := remains.Living(dir, "boot")
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]bool{}
		if inc := incarnationOf(h.steps); inc != nil && inc.id != 0 {
			want[inc.id] = true
		}
		if !reflect.DeepEqual(live, want) {
			t.Errorf("behind line %d: %v, want %v", n, live, want)
		}
		if live, err = remains.Living(dir, "another boot"); err != nil || len(live) > 0 {
			t.Errorf("behind line %d, of another boot: %v, %v", n, live, err)
		}
	}
}

// TestReplayOfEveryPrefix: a supervisor may be killed behind any byte it wrote. What is
// whole counts, what is torn does not, and nothing is refused.
func TestReplayOfEveryPrefix(t *testing.T) {
	all := bytes.Join(lines(t, life("boot")), nil)
	ends := map[int]bool{0: true}
	n := 0
	for _, l := range lines(t, life("boot")) {
		n += len(l)
		ends[n] = true
	}
	var last history
	for i := 0; i <= len(all); i++ {
		h, err := replay(all[:i], "boot")
		if err != nil {
			t.Fatalf("%d of %d bytes: %v", i, len(all), err)
		}
		// A line counts from its last byte before the newline on: its checksum is right then.
		if !ends[i] && !ends[i+1] && !reflect.DeepEqual(h, last) {
			t.Fatalf("%d bytes end inside a line and change the history", i)
		}
		last = h
	}
	if len(last.steps) != 3 || last.find("platform") >= 0 || last.open == nil || last.open.ID != "b" {
		t.Fatalf("the whole: %+v", last)
	}
	if r, ok := last.result("a"); !ok || r.Replies[0].State != "running" {
		t.Fatalf("the result of the first operation: %+v %v", r, ok)
	}
}

func TestReplayRefusals(t *testing.T) {
	ls := lines(t, life("boot"))
	damaged := bytes.Join(ls, nil)
	damaged[len(ls[0])+12] ^= 1
	other := lines(t, []*record{{Type: recOpen, Version: journalVersion + 1, Boot: "boot"}})
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"a flipped bit":    {damaged, "damaged before its end"},
		"a later version":  {append(other[0], ls[1]...), "version 2"},
		"no first line":    {bytes.Join(ls[1:], nil), "version 0"},
		"garbage lines":    {[]byte("hello\nworld\n"), "damaged"},
		"a line of spaces": {append([]byte("   \n"), ls[0]...), "damaged"},
	} {
		if _, err := replay(c.in, "boot"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if h, err := replay(bytes.Join(ls, nil), "another boot"); err != nil || len(h.steps) != 0 || h.open != nil {
		t.Errorf("a journal of another boot is dead: %+v, %v", h, err)
	}
}

// TestJournalRewrittenSaysTheSame: an operation begins a new file; what lives must survive
// that, at every point of a zone's life.
func TestJournalRewrittenSaysTheSame(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range life(j.boot)[1:] {
		if err := j.log(r); err != nil {
			t.Fatal(err)
		}
		want := j.hist
		again, err := openJournal(dir)
		if err != nil {
			t.Fatalf("after %d records: %v", i+1, err)
		}
		if got := again.hist; !reflect.DeepEqual(normal(got), normal(want)) {
			t.Fatalf("after %d records:\n%+v\nwant\n%+v", i+1, got, want)
		}
		j.file.Close()
		j = again
	}
	j.file.Close()
}

// normal makes empty and nil lists the same.
func normal(h history) string {
	return fmt.Sprintf("%+v %+v %+v %v %+v", h.steps, h.results, h.open, h.down, h.asked)
}

// TestJournalKeepsWhatIsToBeDone: a boot that waits, and a failure that is being undone.
func TestJournalKeepsWhatIsToBeDone(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	reopen := func() {
		t.Helper()
		j.file.Close()
		if j, err = openJournal(dir); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		reopen()
	}
	wait := &revival{At: 7, Delay: 9}
	must(j.begin(&operation{Verb: api.VerbHalt, Phases: halt, Revive: wait}))
	if j.hist.revive != nil || j.hist.open == nil || *j.hist.open.Revive != *wait {
		t.Errorf("under way: %+v", j.hist)
	}
	must(j.end(result{}))
	if j.hist.open != nil || j.hist.revive == nil || *j.hist.revive != *wait {
		t.Errorf("waiting: %+v", j.hist)
	}
	must(j.begin(&operation{ID: "a", Verb: api.VerbBoot, Phases: toBoot}))
	must(j.log(&record{Type: recFailed, Replies: []api.Reply{message(api.LevelError, keyDestroy)}}))
	if h := j.hist; h.revive != nil || h.open == nil || len(h.open.Failed) != 1 || h.open.Failed[0].Key != keyDestroy {
		t.Errorf("failed: %+v", h.open)
	}
	must(j.end(result{ID: "a"}))
	if j.hist.open != nil || j.hist.revive != nil {
		t.Errorf("ended: %+v", j.hist)
	}
	j.file.Close()
}

// TestJournalKeepsShutdown: a shutdown that waits is known to every successor, whatever else is
// done meanwhile, until it has its result or its second half begins.
func TestJournalKeepsShutdown(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := shutdown{ID: "s", Until: 77, Reboot: true, BootArgs: "-m quiet", BootArgsGiven: true}
	step := func(what string, err error, waits bool) {
		t.Helper()
		for range 2 {
			if err != nil {
				t.Fatal(what, err)
			}
			if got := j.hist.asked; (got != nil) != waits || got != nil && *got != want {
				t.Fatalf("%s: %+v", what, got)
			}
			j.file.Close()
			j, err = openJournal(dir)
		}
	}
	ask := func() error { return j.log(&record{Type: recShutdown, Shutdown: &want}) }
	step("asked", ask(), true)
	step("a halt overtakes it", j.begin(&operation{ID: "h", Verb: api.VerbHalt, Phases: halt}), true)
	step("the halt has ended", j.end(result{ID: "h"}), true)
	step("one from inside", j.begin(&operation{Verb: api.VerbHalt, Phases: halt}), true)
	step("it has ended", j.end(result{}), true)
	step("its boot begins", j.begin(&operation{ID: "s", Verb: api.VerbShutdown, Phases: toBoot}), false)
	step("its boot has ended", j.end(result{ID: "s"}), false)
	want.ID = "n"
	step("asked again", ask(), true)
	step("told", j.end(result{ID: "n", Replies: []api.Reply{{Type: api.ReplyResult, Rval: -1}}}), false)
	if r, ok := j.hist.result("n"); !ok || r.Replies[0].Rval != -1 {
		t.Errorf("what its caller is told: %+v %v", r, ok)
	}
	if _, err := replay(append(lines(t, []*record{{Type: recOpen, Version: journalVersion, Boot: j.boot}, {Type: recShutdown}})[1], "x\n"...), j.boot); err == nil {
		t.Error("a record of no shutdown is taken")
	}
	j.file.Close()
}

// TestJournalDoesNotGrow: a thousand operations leave a file of a few lines.
func TestJournalDoesNotGrow(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { j.file.Close() }()
	for i := 0; i < 1000; i++ {
		if err := j.begin(&operation{ID: fmt.Sprint(i), Verb: api.VerbBoot, Phases: toBoot}); err != nil {
			t.Fatal(err)
		}
		if err := j.end(result{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	st, err := os.Stat(filepath.Join(dir, journalName))
	if err != nil || st.Size() > 16<<10 {
		t.Fatalf("%d bytes after 1000 operations (%v)", st.Size(), err)
	}
	if len(j.hist.results) != resultsMax {
		t.Fatalf("%d results are kept, want %d", len(j.hist.results), resultsMax)
	}
}

// TestStateOf: what a successor concludes from the steps of its predecessor.
func TestStateOf(t *testing.T) {
	step := func(name string, done bool) liveStep { return liveStep{Name: name, Done: done} }
	built := []liveStep{step("snapshot", true), step("id", true), step("cgroup", true), step("platform", true)}
	for name, c := range map[string]struct {
		h    history
		want configs.State
	}{
		"nothing":        {history{}, configs.Installed},
		"half built":     {history{steps: built[:2]}, configs.ShuttingDown},
		"in the middle":  {history{steps: []liveStep{step("snapshot", true), step("id", false)}}, configs.ShuttingDown},
		"platform built": {history{steps: built}, configs.Ready},
		"init started":   {history{steps: append(built[:4:4], step("boot", true))}, configs.Running},
		"init starting":  {history{steps: append(built[:4:4], step("boot", false))}, configs.ShuttingDown},
		"a failed halt":  {history{steps: built, down: true}, configs.Down},
	} {
		if got := stateOf(&c.h); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestStepBegunAgain: a step that a supervisor was killed in and the next one did again is one step:
// the one after that must not take the zone for half built.
func TestStepBegunAgain(t *testing.T) {
	all := life("boot")
	for i, r := range all {
		if r.Type == recDone && r.Step == "boot" {
			all = append(slices.Clone(all[:i]), &record{Type: recDo, Step: "boot", Data: &stepData{}}, &record{Type: recDo, Step: "boot", Data: &stepData{}}, r)
			break
		}
	}
	b := bytes.Join(lines(t, all), nil)
	h, err := replay(b, "boot")
	if err != nil || stateOf(&h) != configs.Running || len(h.steps) != 4 {
		t.Errorf("%s of %+v, %v", stateOf(&h), h.steps, err)
	}
	h.apply(&record{Type: recUndone, Step: "boot"})
	if stateOf(&h) != configs.Ready {
		t.Errorf("behind its undo: %s of %+v", stateOf(&h), h.steps)
	}
}

// TestIncarnationOfAnyOrder: a journal in which later steps live on without the first must
// not end the supervisor that is to clean up.
func TestIncarnationOfAnyOrder(t *testing.T) {
	names := []string{"snapshot", "id", "range", "cgroup", "platform", "boot", "unknown"}
	for i := range names {
		for j := range names {
			steps := []liveStep{{Name: names[i]}, {Name: names[j]}}
			inc := incarnationOf(steps)
			if (inc != nil) != (names[i] == "id" || names[j] == "id") {
				t.Errorf("%s, %s: %+v", names[i], names[j], inc)
			}
		}
	}
}

// TestRecordsKeepAllTheirFields: a field of the journal that json leaves out is lost with
// the supervisor.
func TestRecordsKeepAllTheirFields(t *testing.T) {
	for _, v := range []any{record{}, operation{}, result{}, stepData{}, shutdown{}} {
		typ := reflect.TypeOf(v)
		for i := 0; i < typ.NumField(); i++ {
			f := typ.Field(i)
			if tag := f.Tag.Get("json"); !f.IsExported() || tag == "" || strings.HasPrefix(tag, "-") {
				t.Errorf("%s.%s is not saved", typ.Name(), f.Name)
			}
		}
	}
}

func FuzzReplay(f *testing.F) {
	var all []byte
	for _, r := range life("boot") {
		all, _ = appendLine(all, r)
	}
	f.Add(all)
	f.Add(all[:len(all)/2])
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := replay(in, "boot")
		if err != nil {
			return
		}
		_ = stateOf(&h)
		_ = incarnationOf(h.steps)
	})
}
