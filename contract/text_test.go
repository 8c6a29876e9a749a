package contract

import (
	"strings"
	"testing"
	"time"
)

func TestSetsAsWords(t *testing.T) {
	for e := Events(0); e <= AllEvents; e++ {
		back, err := ParseEvents(e.String())
		if err != nil || back != e {
			t.Fatalf("%#x is written %q and read %#x, %v", uint32(e), e, uint32(back), err)
		}
	}
	for p := Params(0); p <= AllParams; p++ {
		back, err := ParseParams(p.String())
		if err != nil || back != p {
			t.Fatalf("%#x is written %q and read %#x, %v", uint32(p), p, uint32(back), err)
		}
	}
	if got, want := AllEvents.String(), "core empty exit fork hwerr signal"; got != want {
		t.Errorf("all events: %q, want %q", got, want)
	}
	if got, err := ParseEvents(" signal,core, empty\tcore"); err != nil || got != Signal|Core|Empty {
		t.Errorf("mixed separators: %v, %v", got, err)
	}
	for _, bad := range []string{"", " ,", "none core", "lost", "left", "Core", "core;exit", "0x20"} {
		if e, err := ParseEvents(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, e)
		}
		if p, err := ParseParams(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, p)
		}
	}
}

func TestTermLines(t *testing.T) {
	for _, c := range []struct {
		line string
		key  TermKey
		v    TermValue
	}{
		{"informative core,exit", TermInformative, TermValue{Number: uint64(Core | Exit)}},
		{"critical none", TermCritical, TermValue{}},
		{"fatal hwerr signal", TermFatal, TermValue{Number: uint64(Hwerr | Signal)}},
		{"params regent", TermParams, TermValue{Number: uint64(Regent)}},
		{"cookie 0xffffffffffffffff", TermCookie, TermValue{Number: 1<<64 - 1}},
		{"cookie 010", TermCookie, TermValue{Number: 8}},
		{"cookie 10 ", TermCookie, TermValue{Number: 10}},
		{"transfer 7", TermTransfer, TermValue{Number: 7}},
		{`svc_fmri svc:/a\040b c`, TermFMRI, TermValue{Text: "svc:/a b c"}},
		{"svc_aux", TermAux, TermValue{}},
	} {
		key, v, err := ParseTermLine(c.line)
		if err != nil || key != c.key || v != c.v {
			t.Errorf("%q: %v %+v %v, want %v %+v", c.line, key, v, err, c.key, c.v)
		}
	}
	for _, bad := range []string{
		"", "cookie", "cookie -1", "cookie 1_0", "cookie +1", "cookie 0x1ffffffffffffffff", "cookie 1 2", "transfer 4294967296", "transfer x",
		"fatal exit", "informative", "informative lost", "colour red", "state active", "svc_fmri \\", "svc_fmri \\400", "svc_aux \\08x",
		"svc_fmri " + strings.Repeat("x", FMRIMax+1), "svc_aux " + strings.Repeat("x", AuxMax+1),
	} {
		if key, v, err := ParseTermLine(bad); err == nil {
			t.Errorf("%.40q is taken for %v %+v", bad, key, v)
		}
	}
}

func TestTermsReadBack(t *testing.T) {
	terms := Terms{
		Cookie: 0x1234, Informative: AllEvents, Critical: Empty, Fatal: AllFatal, Params: AllParams,
		Transfer: 9, FMRI: "svc:/x y\n\\z", Aux: "\x00\x7fü",
	}
	var back Terms
	for line := range strings.Lines(string(AppendTerms(nil, &terms))) {
		if err := ParseTerm(&back, strings.TrimSuffix(line, "\n")); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if back != terms {
		t.Errorf("read back %+v, want %+v", back, terms)
	}
}

func TestEventLines(t *testing.T) {
	at := time.Unix(1700000000, 42)
	process := Sender{Kind: FromProcess, Pid: 9, CT: 3, UID: 0, Comm: "a b", Zone: "web"}
	for _, c := range []struct {
		e    Event
		host bool
		want string
	}{
		{Event{ID: 5, CT: 2, Kind: Empty, Critical: true, Pid: 7}, false, "2 5 crit noack process empty pid=7"},
		{Event{ID: 5, CT: 2, Kind: Fork, Pid: 7, PPid: 6}, false, "2 5 info noack process fork pid=7 ppid=6"},
		{Event{ID: 5, CT: 2, Kind: Exit, Critical: true, Acked: true, Pid: 7, Status: 256}, false, "2 5 crit ack process exit pid=7 status=256"},
		{Event{ID: 5, CT: 2, Kind: Core, Pid: 7, Sig: 11, CoreFile: true}, false, "2 5 info noack process core pid=7 signal=11 core=yes"},
		{Event{ID: 5, CT: 2, Kind: Core, Pid: 7, Sig: 6}, false, "2 5 info noack process core pid=7 signal=6 core=no"},
		{Event{ID: 5, CT: 2, Kind: Hwerr, Pid: 7}, false, "2 5 info noack process hwerr pid=7"},
		{Event{ID: 5, CT: 2, Kind: Lost, Count: 12}, false, "2 5 info noack process lost count=12"},
		{Event{ID: 5, CT: 2, Kind: Left, Pid: 7}, false, "2 5 info noack process left pid=7"},
		{Event{ID: 5, CT: 2, Kind: Signal, Pid: 7, Sig: 9}, false, "2 5 info noack process signal pid=7 signal=9"},
		{Event{ID: 5, CT: 2, Kind: Signal, Pid: 7, Sig: 9, Sender: process}, false,
			`2 5 info noack process signal pid=7 signal=9 sender=9 senderct=3 uid=0 comm=a\040b`},
		{Event{ID: 5, CT: 2, Kind: Signal, Pid: 7, Sig: 9, Sender: process}, true,
			`2 5 info noack process signal pid=7 signal=9 sender=9 senderct=3 uid=0 comm=a\040b zone=web`},
		{Event{ID: 5, CT: 2, Kind: Signal, Pid: 7, Sig: 9, Sender: Sender{Kind: FromOutside, Pid: 9, CT: 3, Comm: "x", Zone: "y"}}, true,
			"2 5 info noack process signal pid=7 signal=9 sender=outside"},
		{Event{ID: 5, CT: 2, Kind: Exit, Pid: 7, Status: 9, Sender: Sender{Kind: FromOOM}}, false, "2 5 info noack process exit pid=7 status=9 sender=oom"},
	} {
		c.e.Time = at
		if got, want := string(AppendEvent(nil, &c.e, c.host)), c.want+" time=1700000000.000000042\n"; got != want {
			t.Errorf("%+v:\n got %s want %s", c.e, got, want)
		}
	}
}
