package record_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/tree"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var full = record.Record{
	State: graph.Online, Next: graph.Offline, Stamp: time.Unix(1796023276, 5000), Aux: "ct_ev_signal",
	AuxFMRI: "svc:/system/other:default", AuxTTY: true, Detail: "killed by SIGKILL from pid 812 (pkill)",
	Primary: []contract.ID{7, 9}, Transient: 12, Method: "stop", MethodPid: 4711, StartPid: 4700,
	StartAt: time.Unix(1796023270, 0), StartStatus: 95 << 8, Started: true,
	StartDeadline: time.Unix(1796023300, 0), StatusText: "reading 12 files",
	Log: "/var/svc/log/system-x:default.log", EarlyLog: "/etc/svc/volatile/system-x:default.log",
}

// TestGroup: names, types and values are those that scripts know.
func TestGroup(t *testing.T) {
	g := full.Tree()
	if g.Name != "restarter" || g.Type != "framework" || g.Flags != tree.NonPersistent {
		t.Errorf("%s %s %v", g.Name, g.Type, g.Flags)
	}
	want := []tree.Property{
		{Name: "alt_logfile", Type: prop.AString, Values: []string{full.EarlyLog}},
		{Name: "auxiliary_detail", Type: prop.AString, Values: []string{full.Detail}},
		{Name: "auxiliary_fmri", Type: prop.AString, Values: []string{full.AuxFMRI}},
		{Name: "auxiliary_state", Type: prop.AString, Values: []string{"ct_ev_signal"}},
		{Name: "auxiliary_tty", Type: prop.Boolean, Values: []string{"true"}},
		{Name: "contract", Type: prop.Count, Values: []string{"7", "9"}},
		{Name: "logfile", Type: prop.AString, Values: []string{full.Log}},
		{Name: "method", Type: prop.AString, Values: []string{"stop"}},
		{Name: "method_pid", Type: prop.Count, Values: []string{"4711"}},
		{Name: "next_state", Type: prop.AString, Values: []string{"offline"}},
		{Name: "start_deadline", Type: prop.Time, Values: []string{"1796023300"}},
		{Name: "start_method_timestamp", Type: prop.Time, Values: []string{"1796023270"}},
		{Name: "start_method_waitstatus", Type: prop.Integer, Values: []string{"24320"}},
		{Name: "start_pid", Type: prop.Count, Values: []string{"4700"}},
		{Name: "state", Type: prop.AString, Values: []string{"online"}},
		{Name: "state_timestamp", Type: prop.Time, Values: []string{"1796023276.000005000"}},
		{Name: "status_text", Type: prop.AString, Values: []string{"reading 12 files"}},
		{Name: "transient_contract", Type: prop.Count, Values: []string{"12"}},
	}
	if !reflect.DeepEqual(g.Props, want) {
		t.Errorf("%+v\nwant %+v", g.Props, want)
	}
	for _, p := range g.Props {
		for _, v := range p.Values {
			if is, err := prop.Canonical(p.Type, v); err != nil || is != v {
				t.Errorf("%s: %q is written %q, %v", p.Name, v, is, err)
			}
		}
	}
	rest := record.Record{State: graph.Disabled}
	if g := rest.Tree(); len(g.Props) != 2 {
		t.Errorf("at rest: %+v", g.Props)
	}
	if g := new(record.Record).Tree(); len(g.Props) != 0 {
		t.Errorf("of nothing: %+v", g.Props)
	}
}

// TestWhole: the test's own record has a value in each field, and each comes back.
func TestWhole(t *testing.T) {
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("no %s", v.Type().Field(i).Name)
		}
	}
	g := full.Tree()
	if got := record.Of(&g); !reflect.DeepEqual(got, full) {
		t.Errorf("%+v\nwant %+v", got, full)
	}
	if got := record.Of(nil); !reflect.DeepEqual(got, record.Record{}) {
		t.Errorf("of no group: %+v", got)
	}
}

// TestRoundTrip: whatever svc.startd keeps it finds again.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"", "none", "a b", "svc:/x:y"})
		when := rapid.Custom(func(t *rapid.T) time.Time {
			if rapid.Bool().Draw(t, "never") {
				return time.Time{}
			}
			return time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns"))
		})
		r := record.Record{
			State: graph.State(rapid.IntRange(1, 6).Draw(t, "state")), Next: graph.State(rapid.IntRange(0, 6).Draw(t, "next")),
			Stamp: when.Draw(t, "stamp"), Aux: word.Draw(t, "aux"), AuxFMRI: word.Draw(t, "fmri"), AuxTTY: rapid.Bool().Draw(t, "tty"),
			Detail: word.Draw(t, "detail"), Transient: contract.ID(rapid.Uint32Range(0, 1<<31-1).Draw(t, "transient")),
			Method: word.Draw(t, "method"), MethodPid: rapid.IntRange(0, 1<<22).Draw(t, "pid"), StartPid: rapid.IntRange(0, 1<<22).Draw(t, "start"),
			StartAt: when.Draw(t, "at"), StartDeadline: when.Draw(t, "deadline"), StatusText: word.Draw(t, "text"), Log: word.Draw(t, "log"), EarlyLog: word.Draw(t, "early"),
		}
		for _, n := range rapid.SliceOfN(rapid.Uint32Range(1, 1<<31-1), 0, 3).Draw(t, "contracts") {
			r.Primary = append(r.Primary, contract.ID(n))
		}
		if r.Started = rapid.Bool().Draw(t, "started"); r.Started {
			r.StartStatus = rapid.IntRange(-1<<31, 1<<31-1).Draw(t, "status")
		}
		g := r.Tree()
		if got := record.Of(&g); !reflect.DeepEqual(got, r) {
			t.Fatalf("%+v\nwant %+v", got, r)
		}
	})
}

// TestOthersWork: what makes no sense is as if it were not there, and never harms.
func TestOthersWork(t *testing.T) {
	g := full.Tree()
	for i := range g.Props {
		for _, bad := range []tree.Property{
			{Type: prop.Boolean, Values: []string{"maybe"}}, {Type: prop.AString, Values: []string{"a", "b"}},
			{Type: prop.AString}, {Type: prop.Count, Values: []string{"18446744073709551615"}}, {Type: prop.Count, Values: []string{"-1"}},
			{Type: prop.Time, Values: []string{"."}}, {Type: prop.Time, Values: []string{"1.x"}}, {Type: prop.Integer, Values: []string{"99999999999"}},
		} {
			h := g.Clone()
			bad.Name = h.Props[i].Name
			h.Props[i] = bad
			got := record.Of(&h)
			if got.State != full.State && bad.Name != record.State {
				t.Errorf("%+v took the state with it: %+v", bad, got)
			}
			if got.Transient < 0 || got.StartPid < 0 || got.MethodPid < 0 {
				t.Errorf("%+v: %+v", bad, got)
			}
		}
	}
}
