package tool

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
)

var update = flag.Bool("update", false, "write the golden files")

// fake is a source that has what it is told to have.
type fake struct {
	zone     string
	statuses []contract.Status
	events   map[contract.ID][]contract.Event // by the endpoint; 0: the bundle
	err      error                            // of everything
	end      error                            // of each stream; nil: io.EOF
	opened   []Watch
	closed   int
}

func (f *fake) Zone() string { return f.zone }

func (f *fake) Statuses(ids []contract.ID) ([]contract.Status, error) {
	var list []contract.Status
	for _, st := range f.statuses {
		wanted := len(ids) == 0
		for _, id := range ids {
			wanted = wanted || id == st.ID
		}
		if wanted {
			list = append(list, st)
		}
	}
	return list, f.err
}

func (f *fake) Open(id contract.ID, w Watch) (Stream, error) {
	if f.err != nil {
		return nil, f.err
	}
	events, ok := f.events[id]
	if !ok {
		return nil, &os.PathError{Op: "open", Path: "events", Err: unix.ENOENT}
	}
	f.opened = append(f.opened, w)
	return &fakeStream{f, events}, nil
}

type fakeStream struct {
	f    *fake
	left []contract.Event
}

func (s *fakeStream) Next(context.Context) (contract.Event, error) {
	if len(s.left) == 0 {
		if s.f.end != nil {
			return contract.Event{}, s.f.end
		}
		return contract.Event{}, io.EOF
	}
	e := s.left[0]
	s.left = s.left[1:]
	return e, nil
}

func (s *fakeStream) Close() error {
	s.f.closed++
	return nil
}

// host is the environment of a host's program without a server of its own contracts.
func host(sources ...Source) (env *Env, out, errs *bytes.Buffer) {
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	none := func() (*contract.FS, error) { return nil, contract.ErrNoFS }
	return &Env{
		Out: out, Err: errs, Open: none, Find: none,
		Serve:   func() error { return errors.New("not in this test") },
		Sources: func() ([]Source, error) { return sources, nil },
	}, out, errs
}

var moment = time.Date(2026, 11, 20, 14, 40, 0, 123456789, time.UTC)

func webStatuses() []contract.Status {
	return []contract.Status{
		{ID: 12, Zone: "web", ZoneID: 3, State: contract.Owned, Holder: 4711, Unacked: 1, NegotiateMs: -1, QuantumMs: -1,
			Terms: contract.Terms{Cookie: 0x20, Informative: contract.Core | contract.Signal, Critical: contract.Empty | contract.Hwerr, Fatal: contract.Hwerr,
				Params: contract.Inherit | contract.Regent, FMRI: "svc:/network/http:apache", Aux: "start"},
			FMRICT: 12, Creator: "svc.startd", Members: []int32{4800, 4801}, Inherits: []contract.ID{7, 9}, Sources: "bpf cgroup"},
		{ID: 3, Zone: "web", ZoneID: 3, State: contract.Inherited, Holder: 12, NegotiateMs: -1, QuantumMs: -1, Terms: contract.DefaultTerms(), FMRICT: 1, Creator: "init", Sources: "bpf cgroup"},
		{ID: 4, Zone: "web", ZoneID: 3, State: contract.Dead, Unacked: 2, NegotiateMs: -1, QuantumMs: -1, Sources: "bpf cgroup"},
	}
}

func mailStatuses() []contract.Status {
	return []contract.Status{
		{ID: 2147483647, Zone: "mail\x1b[2J", ZoneID: 123456789, State: contract.Orphan, NegotiateMs: 100, QuantumMs: 50,
			Terms: contract.Terms{FMRI: "svc:/\x1b]0;x\x07\u009b", Aux: "a\nb"}, Creator: "\xff\xfe\u2028x", Members: []int32{1}, Sources: "cgroup", LostEvents: 17},
	}
}

func webEvents() []contract.Event {
	from := contract.Sender{Kind: contract.FromProcess, Pid: 99, CT: 3, UID: 0, Comm: "kill\x1b[2J", Zone: "global"}
	list := []contract.Event{
		{Kind: contract.Fork, Pid: 4800, PPid: 4711, Critical: true},
		{Kind: contract.Exit, Pid: 4800, Status: 3 << 8},
		{Kind: contract.Exit, Pid: 4800, Status: 9},
		{Kind: contract.Exit, Pid: 4800, Status: 11 | 0x80},
		{Kind: contract.Exit, Pid: 4800, Status: 40},
		{Kind: contract.Exit, Pid: 4800, Status: 0x7f},
		{Kind: contract.Core, Pid: 4801, Sig: 11, CoreFile: true},
		{Kind: contract.Core, Pid: 4801, Sig: 6},
		{Kind: contract.Signal, Pid: 4802, Sig: 9, Sender: from, Critical: true, Acked: true},
		{Kind: contract.Signal, Pid: 4802, Sig: 15, Sender: contract.Sender{Kind: contract.FromProcess, UID: -1}},
		{Kind: contract.Signal, Pid: 4802, Sig: 15, Sender: contract.Sender{Kind: contract.FromOutside}},
		{Kind: contract.Signal, Pid: 4802, Sig: 2, Sender: contract.Sender{Kind: contract.FromKernel}},
		{Kind: contract.Signal, Pid: 4802, Sig: 9, Sender: contract.Sender{Kind: contract.FromOOM}},
		{Kind: contract.Signal, Pid: 4802, Sig: 9, Sender: contract.Sender{Kind: contract.FromContract}},
		{Kind: contract.Hwerr, Pid: 4803, Critical: true},
		{Kind: contract.Lost, Count: 4711},
		{Kind: contract.Left, Pid: 4804},
		{Kind: contract.Empty, Pid: 4805, Critical: true},
	}
	for i := range list {
		list[i].CT, list[i].ID, list[i].Time = 12, contract.EventID(100+i), moment
	}
	return list
}

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
	}
	for _, c := range got {
		if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			t.Errorf("%s: a control character, %q", name, c)
		}
	}
}
