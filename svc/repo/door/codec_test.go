package door

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/linuxzones/zones/internal/wire"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

var (
	on    = repo.Entity{Service: "network/web", Instance: "default"}
	value = tree.Property{Name: "x", Type: prop.Count, Values: []string{"1", "2"}}
	some  = tree.Group{Name: "g", Type: "application", Flags: tree.NonPersistent, Props: []tree.Property{value, {Name: "y", Type: prop.AString}}}
)

// everything is a batch with every operation, each with all that it can have.
func everything() *repo.Batch {
	b := &repo.Batch{}
	for _, v := range operations[1:] {
		b.Ops = append(b.Ops, repo.Op{
			Verb: v, On: on, Name: "n", From: "f", Type: "t", Flags: 1, Prop: value, Tree: &some,
			Frozen: &repo.Frozen{Service: []tree.Group{some}, Instance: []tree.Group{some, some}}, Children: repo.WithChildren, Generation: 1 << 63,
		}, repo.Op{Verb: v, On: on})
	}
	return b
}

func requests() []Request {
	q := Query{On: on, Levels: Services | Instances, View: Snapshot("running"), Names: true, Groups: []string{"a", "b"}, Types: []string{"t"}}
	return []Request{
		{Verb: VerbGeneration},
		{Verb: VerbExists, On: on},
		{Verb: VerbSnapshots, On: on},
		{Verb: VerbProperty, On: on, View: Effective, Group: "g", Property: "p"},
		{Verb: VerbGroup, On: on, View: SnapshotService("s"), Group: "g"},
		{Verb: VerbScan, Query: q, After: Cursor{on, "g"}, Generation: 77, Try: 3},
		{Verb: VerbScan, Query: Query{View: Direct}},
		{Verb: VerbApply, ID: [IDBytes]byte{1, 2, 15: 9}, Again: true, Batch: everything()},
		{Verb: VerbApply, Batch: &repo.Batch{}},
		{Verb: VerbWatch, Filter: repo.Filter{On: on, Groups: []string{"g"}, Types: []string{"t", "u"}}},
		{Verb: VerbWatch},
		{Verb: VerbBackup, Name: "boot"},
		{Verb: VerbVerify},
	}
}

func TestRequests(t *testing.T) {
	seen := map[Verb]bool{}
	for _, r := range requests() {
		seen[r.Verb] = true
		p := r.Append(nil)
		got, err := ParseRequest(p, true)
		if err != nil || !reflect.DeepEqual(*got, r) {
			t.Errorf("%v: %+v, want %+v; %v", r.Verb, got, r, err)
		}
		if got, err := ParseRequest(append(p, 0), true); err == nil {
			t.Errorf("%v with a byte more: %+v", r.Verb, got)
		}
		for n := range p {
			if got, err := ParseRequest(p[:n], true); err == nil {
				t.Errorf("%v cut to %d of %d: %+v", r.Verb, n, len(p), got)
			}
		}
		p[0]++
		if _, err := ParseRequest(p, true); !errors.Is(err, ErrVersion) {
			t.Errorf("%v of another version: %v", r.Verb, err)
		}
	}
	for v := VerbGeneration; v < verbCount; v++ {
		if !seen[v] || CallersOf(v) == Nobody || strings.HasPrefix(v.String(), "verb ") || Verbs[v].Since == 0 {
			t.Errorf("%v is not in the table, or was not tried", v)
		}
	}
	for _, v := range []Verb{0, verbCount, 255} {
		if _, err := ParseRequest([]byte{Version, byte(v)}, true); !errors.Is(err, ErrProtocol) || CallersOf(v) != Nobody {
			t.Errorf("%v: %v", v, err)
		}
	}
}

// TestOperationsAreComplete: each verb and kind of package repo has its number here.
func TestOperationsAreComplete(t *testing.T) {
	for v := repo.Verb(1); v.String() != repo.Verb(0).String(); v++ {
		d := decoder{s: string(appendVerb(nil, v))}
		if got := d.verb(); got != v {
			t.Errorf("%v becomes %v", v, got)
		}
	}
	if got := appendVerb(nil, 255); got[0] != 0 {
		t.Errorf("an unknown verb is %d", got)
	}
	for i, k := range events[1:] {
		e := repo.Event{Kind: k, Generation: 9, On: on, Name: "n", Type: "t"}
		a, err := ParseAnswer(AppendEvent(Begin(nil, Change, 9), &e)[wire.HeaderBytes:])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Event(); err != nil || got != e || int(k) > len(events) {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
	}
}

func TestGroups(t *testing.T) {
	for _, g := range []Group{{}, {Group: some}, {Group: some, Generation: 1 << 63, Withheld: true}, {Group: tree.Group{Flags: 1<<32 - 1}, Withheld: true}} {
		a, err := ParseAnswer(AppendGroup(Begin(nil, Done, 1), &g)[wire.HeaderBytes:])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Group(); err != nil || !reflect.DeepEqual(got, g) {
			t.Errorf("%+v, want %+v; %v", got, g, err)
		}
	}
}

func TestStrangersSendLess(t *testing.T) {
	r := Request{Verb: VerbApply, Batch: &repo.Batch{Ops: make([]repo.Op, strangerOpsMax+1)}}
	p := r.Append(nil)
	if _, err := ParseRequest(p, true); err != nil {
		t.Error(err)
	}
	if _, err := ParseRequest(p, false); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
	if err := CheckBatch(&repo.Batch{Ops: make([]repo.Op, opsMax+1)}); !errors.Is(err, repo.ErrLimit) {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	for _, s := range sentinels {
		for _, err := range []error{
			s, errors.Join(s, errors.New("more")), &repo.OpError{Index: 7, Verb: repo.SetProperty, On: on, Name: "g/p", Err: s},
			&repo.LimitError{What: "things", Max: 3}, &DeniedError{"solaris.smf.modify"},
			&repo.OpError{Verb: repo.Create, On: on, Err: &DeniedError{"solaris.smf.modify"}},
		} {
			a, perr := ParseAnswer(AppendFailure(Begin(nil, Failed, 1), err)[wire.HeaderBytes:])
			if perr != nil {
				t.Fatal(perr)
			}
			got := a.Failure()
			if got.Error() != err.Error() {
				t.Errorf("%q, want %q", got, err)
			}
			for _, x := range sentinels {
				if errors.Is(got, x) != errors.Is(err, x) {
					t.Errorf("%v: %v is %v: %v", err, got, x, errors.Is(got, x))
				}
			}
			var op, wantOp *repo.OpError
			if errors.As(got, &op) != errors.As(err, &wantOp) || op != nil && (op.Index != wantOp.Index || op.Verb != wantOp.Verb || op.On != wantOp.On || op.Name != wantOp.Name) {
				t.Errorf("%+v, want %+v", op, wantOp)
			}
			var limit, wantLimit *repo.LimitError
			if errors.As(got, &limit) != errors.As(err, &wantLimit) || limit != nil && *limit != *wantLimit {
				t.Errorf("%+v, want %+v", limit, wantLimit)
			}
			var denied, wantDenied *DeniedError
			if errors.As(got, &denied) != errors.As(err, &wantDenied) || denied != nil && *denied != *wantDenied {
				t.Errorf("%+v, want %+v", denied, wantDenied)
			}
		}
	}
}

// TestFrames: however the bytes come, and across errors, frames are as they were sent.
func TestFrames(t *testing.T) {
	large := bytes.Repeat([]byte("large"), 100_000)
	var stream []byte
	want := [][]byte{{1}, []byte("two"), large, {3}, bytes.Repeat([]byte{4}, frameBytes), {5}}
	for _, p := range want {
		stream = wire.Append(stream, p)
	}
	for name, r := range map[string]io.Reader{
		"at once":      bytes.NewReader(stream),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves":       iotest.HalfReader(bytes.NewReader(stream)),
		"with errors":  &halting{r: iotest.HalfReader(bytes.NewReader(stream))},
	} {
		f := Frames{R: r}
		for i := 0; i < len(want); {
			p, err := f.Next(len(large))
			if errors.Is(err, errHalt) {
				continue
			}
			if err != nil || !bytes.Equal(p, want[i]) {
				t.Fatalf("%s: frame %d: %d bytes, %v", name, i, len(p), err)
			}
			i++
		}
		for {
			if _, err := f.Next(1); err == io.EOF {
				break
			} else if !errors.Is(err, errHalt) {
				t.Fatalf("%s: at the end: %v", name, err)
			}
		}
	}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"half a header": {[]byte{0, 0}, wire.ErrShort}, "half a payload": {[]byte{0, 0, 0, 4, 'a'}, wire.ErrShort},
		"empty": {[]byte{0, 0, 0, 0}, wire.ErrEmpty}, "too long": {[]byte{0, 0, 0, 9}, wire.ErrTooLong}, "4 GiB": {[]byte{255, 255, 255, 255}, wire.ErrTooLong},
	} {
		if _, err := (&Frames{R: bytes.NewReader(c.in)}).Next(8); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLengthCostsNothing: memory grows with what has come, not with what was promised.
func TestLengthCostsNothing(t *testing.T) {
	f := Frames{R: &halting{r: bytes.NewReader([]byte{0, 255, 255, 255, 'x'})}}
	for range 10 {
		_, _ = f.Next(1 << 24)
	}
	if cap(f.buf) > 2*frameStepBytes {
		t.Errorf("%d bytes for five", cap(f.buf))
	}
}

var errHalt = errors.New("halt")

// halting gives an error with every other read.
type halting struct {
	r io.Reader
	n int
}

func (h *halting) Read(p []byte) (int, error) {
	if h.n++; h.n%2 == 0 {
		return 0, errHalt
	}
	return h.r.Read(p)
}

func FuzzRequest(f *testing.F) {
	for _, r := range requests() {
		f.Add(r.Append(nil))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, root := range []bool{false, true} {
			r, err := ParseRequest(p, root)
			if err != nil {
				continue
			}
			again, err := ParseRequest(r.Append(nil), root)
			if err != nil || !reflect.DeepEqual(r, again) {
				t.Fatalf("%+v becomes %+v, %v", r, again, err)
			}
		}
	})
}

func FuzzAnswer(f *testing.F) {
	g := Group{Group: some, Generation: 3, Withheld: true}
	frame := func(s Status, body func([]byte) []byte) { f.Add(body(Begin(nil, s, 5))[wire.HeaderBytes:]) }
	frame(Hello, func(b []byte) []byte { return AppendEpoch(b, 1<<63) })
	frame(Done, func(b []byte) []byte { return AppendGroup(b, &g) })
	frame(Done, func(b []byte) []byte { return AppendProperty(b, &value) })
	frame(Done, func(b []byte) []byte { return AppendNames(b, []string{"a", "b"}) })
	frame(More, func(b []byte) []byte { return AppendEntryGroup(AppendEntry(b, on), &g) })
	frame(Failed, func(b []byte) []byte { return AppendFailure(b, &repo.OpError{On: on, Err: repo.ErrStale}) })
	frame(Change, func(b []byte) []byte { return AppendEvent(b, &repo.Event{Kind: repo.GroupChanged, On: on, Name: "g"}) })
	frame(Done, func(b []byte) []byte { return AppendBackup(b, "/p", true) })
	f.Fuzz(func(t *testing.T, p []byte) {
		whole, err := ParseAnswer(p)
		if err != nil {
			return
		}
		for _, read := range []func(a *Answer) error{
			func(a *Answer) error { _, err := a.Epoch(); return err },
			(*Answer).Empty,
			func(a *Answer) error { _, err := a.Flag(); return err },
			func(a *Answer) error { _, err := a.Property(); return err },
			func(a *Answer) error { _, err := a.Names(); return err },
			func(a *Answer) error { _, _, err := a.Backup(); return err },
			func(a *Answer) error { _, err := a.Event(); return err },
		} {
			a := whole
			_ = read(&a)
		}
		a := whole
		if g, err := a.Group(); err == nil && !bytes.Equal(AppendGroup(nil, &g), []byte(whole.body.s)) {
			t.Fatalf("%+v was something else", g)
		}
		a = whole
		if a.Failure() == nil {
			t.Fatal("a failure is none")
		}
		a = whole
		var r Result
		if _, err := a.Page(&r); err == nil {
			var b []byte
			for _, e := range r.Entries {
				b = AppendEntry(b, e.On)
				for i := range e.Groups {
					b = AppendEntryGroup(b, &e.Groups[i])
				}
			}
			if string(b) != whole.body.s {
				t.Fatalf("%+v was something else", r)
			}
		}
	})
}
