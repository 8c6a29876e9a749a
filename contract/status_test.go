package contract

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

var statuses = map[string]Status{
	"owned": {ID: 12, Zone: "web", ZoneID: 3, State: Owned, Holder: 4711, Unacked: 1, NegotiateMs: -1, QuantumMs: -1,
		Terms:  Terms{Cookie: 0x20, Informative: Core | Signal, Critical: Empty | Hwerr, Fatal: Hwerr, Params: Inherit | Regent, FMRI: "svc:/network/http:apache", Aux: "start method\n"},
		FMRICT: 12, Creator: "svc.startd", Members: []int32{4800, 4801, 1 << 30}, Inherits: []ID{7, 9}, Initial: Initial{Pid: 4800, Start: 1 << 40},
		Born: time.Unix(1763650000, 5), LastEvent: time.Unix(1763650001, 999999999), Sources: "bpf cgroup", LostEvents: 3, Within: Within{Project: &Project{ID: 100, Name: "user.web"}, Pool: "fast"}},
	"inherited": {ID: 1<<31 - 1, Zone: "web", ZoneID: 3, State: Inherited, Holder: 12, NegotiateMs: -1, QuantumMs: -1, Terms: DefaultTerms(), Creator: "-"},
	"dead":      {ID: 1, ZoneID: -1, State: Dead, NegotiateMs: -1, QuantumMs: -1},
	"odd":       {ID: 2, Zone: "-", State: Orphan, Holder: -5, NegotiateMs: 10, QuantumMs: 0, NegotiateEv: 9, Terms: Terms{FMRI: "-", Aux: `\055 `}, Born: time.Unix(-1, 0)},
}

func TestStatusGolden(t *testing.T) {
	for name, s := range statuses {
		text := AppendStatus(nil, &s)
		golden := filepath.Join("testdata", "status-"+name+".golden")
		if *update {
			if err := os.WriteFile(golden, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(text) != string(want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, text, want)
		}
		back, err := ParseStatus(text)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s is read as\n%+v, %v\nnot\n%+v", name, back, err, s)
		}
	}
}

// Every field of a status is in its text, but the term that only templates have.
func TestStatusIsWhole(t *testing.T) {
	full := statuses["owned"]
	full.NegotiateEv = 1
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test's own status has no %s", v.Type().Field(i).Name)
		}
	}
	back, err := ParseStatus(AppendStatus(nil, &full))
	if err != nil || !reflect.DeepEqual(back, full) {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestStatusOfNewerServer(t *testing.T) {
	s, err := ParseStatus([]byte("id 4\ncolour blue\nstate owned"))
	if want := (Status{ID: 4, ZoneID: -1, State: Owned, NegotiateMs: -1, QuantumMs: -1}); err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestBadStatuses(t *testing.T) {
	full := statuses["owned"]
	text := string(AppendStatus(nil, &full))
	change := func(old, new string) string { return strings.Replace(text, old, new, 1) }
	for _, bad := range []string{
		"", "\n", "id", "id -\n", "id 0\n", "state owned\n", "id 4\n\n", change("id 12", "id 4294967296"), change("id 12", "id -1"),
		change("type process", "type device"), change("state owned", "state lost"), change("holder 4711", "holder me"),
		change("4800 4801", "4800  4801"), change("4800 4801", "4800,4801"), change("1073741824", "2147483648"), change("contracts 7", "contracts -7"),
		change("1763650000.000000005", "1763650000"), change("params inherit", "params inherits"), change("0x20", "0x"), change(`\012`, `\12`),
		change("lost 3", "lost three"), change("initial 4800 1099511627776", "initial 4800"), change("initial 4800 ", "initial 0 "), change("initial 4800 ", "initial -1 "), change("initial 4800 1099511627776", "initial 4800 -"), change("qtime -", "qtime"), change("zoneid 3", "zoneid -"),
	} {
		if bad == text {
			t.Fatal("a change changes nothing")
		}
		if s, err := ParseStatus([]byte(bad)); err != ErrText {
			t.Errorf("%q is taken for %+v, %v", bad, s, err)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	for _, s := range statuses {
		f.Add(AppendStatus(nil, &s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseStatus(text)
		if err != nil {
			return
		}
		again := AppendStatus(nil, &s)
		back, err := ParseStatus(again)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%q means %+v, is written %q, and that means %+v, %v", text, s, again, back, err)
		}
	})
}

func FuzzParseTermLine(f *testing.F) {
	d := DefaultTerms()
	for line := range strings.Lines(string(AppendTerms(nil, &d))) {
		f.Add(strings.TrimSuffix(line, "\n"))
	}
	f.Fuzz(func(t *testing.T, line string) {
		k, v, err := ParseTermLine(line)
		if err != nil {
			return
		}
		var terms Terms
		terms.take(k, v)
		for again := range strings.Lines(string(AppendTerms(nil, &terms))) {
			if k2, v2, err := ParseTermLine(strings.TrimSuffix(again, "\n")); err != nil || k2 == k && v2 != v {
				t.Fatalf("%q is %v %+v, and written %q, which is %v %+v, %v", line, k, v, again, k2, v2, err)
			}
		}
	})
}

func FuzzCgroupMounts(f *testing.F) {
	f.Add("38 31 0:35 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n", "/a/b")
	f.Fuzz(func(t *testing.T, text, path string) {
		for _, m := range cgroupMounts(text) {
			m.below(path)
		}
	})
}
