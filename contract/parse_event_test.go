package contract

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

var someTime = time.Unix(1763650000, 12345)

// lines are what servers write, and what each means.
var lines = []struct {
	line string
	e    Event
}{
	{"7 1 crit noack process empty pid=12 time=1763650000.000012345", Event{CT: 7, ID: 1, Kind: Empty, Critical: true, Pid: 12}},
	{"7 2 info ack process fork pid=12 ppid=11 time=1763650000.000012345", Event{CT: 7, ID: 2, Kind: Fork, Acked: true, Pid: 12, PPid: 11}},
	{"7 3 info noack process exit pid=12 status=768 time=1763650000.000012345", Event{CT: 7, ID: 3, Kind: Exit, Pid: 12, Status: 768}},
	{"7 4 info noack process core pid=12 signal=11 core=yes time=1763650000.000012345", Event{CT: 7, ID: 4, Kind: Core, Pid: 12, Sig: 11, CoreFile: true}},
	{"7 5 info noack process core pid=12 signal=6 core=no time=1763650000.000012345", Event{CT: 7, ID: 5, Kind: Core, Pid: 12, Sig: 6}},
	{`4294967295 18446744073709551615 crit ack process signal pid=12 signal=9 sender=99 senderct=3 uid=0 comm=a\040\134b zone=global time=1763650000.000012345`,
		Event{CT: 1<<32 - 1, ID: 1<<64 - 1, Kind: Signal, Critical: true, Acked: true, Pid: 12, Sig: 9, Sender: Sender{Kind: FromProcess, Pid: 99, CT: 3, Comm: `a \b`, Zone: "global"}}},
	{"7 6 info noack process signal pid=12 signal=9 sender=99 time=1763650000.000012345", Event{CT: 7, ID: 6, Kind: Signal, Pid: 12, Sig: 9, Sender: Sender{Kind: FromProcess, Pid: 99, UID: -1}}},
	{"7 7 info noack process signal pid=12 signal=15 sender=outside time=1763650000.000012345", Event{CT: 7, ID: 7, Kind: Signal, Pid: 12, Sig: 15, Sender: Sender{Kind: FromOutside}}},
	{"7 8 info noack process signal pid=12 signal=2 sender=kernel time=1763650000.000012345", Event{CT: 7, ID: 8, Kind: Signal, Pid: 12, Sig: 2, Sender: Sender{Kind: FromKernel}}},
	{"7 9 info noack process signal pid=12 signal=9 sender=oom time=1763650000.000012345", Event{CT: 7, ID: 9, Kind: Signal, Pid: 12, Sig: 9, Sender: Sender{Kind: FromOOM}}},
	{"7 10 info noack process signal pid=12 signal=9 sender=contract time=1763650000.000012345", Event{CT: 7, ID: 10, Kind: Signal, Pid: 12, Sig: 9, Sender: Sender{Kind: FromContract}}},
	{"7 11 crit noack process hwerr pid=12 time=1763650000.000012345", Event{CT: 7, ID: 11, Kind: Hwerr, Critical: true, Pid: 12}},
	{"7 12 info noack process lost count=4711 time=1763650000.000012345", Event{CT: 7, ID: 12, Kind: Lost, Count: 4711}},
	{"7 13 info noack process left pid=0 time=1763650000.000012345", Event{CT: 7, ID: 13, Kind: Left}},
}

func TestParseEvent(t *testing.T) {
	for _, c := range lines {
		c.e.Time = someTime
		got, err := ParseEvent(c.line)
		if err != nil || !reflect.DeepEqual(got, c.e) {
			t.Errorf("%s\n is %+v, %v\n not %+v", c.line, got, err, c.e)
		}
		if back := string(AppendEvent(nil, &c.e, true)); back != c.line+"\n" {
			t.Errorf("%s\n is written %s", c.line, back)
		}
		if with, err := ParseEvent(c.line + "\n"); err != nil || with != got {
			t.Errorf("%s with its newline: %+v, %v", c.line, with, err)
		}
	}
}

// Of a newer server's line what is known is taken.
func TestEventOfNewerServer(t *testing.T) {
	e, err := ParseEvent("7 2 info ack process fork pid=12 colour=blue ppid=11 time=1.000000002 more=\\777")
	if want := (Event{CT: 7, ID: 2, Kind: Fork, Acked: true, Pid: 12, PPid: 11, Time: time.Unix(1, 2)}); err != nil || e != want {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestBadEventLines(t *testing.T) {
	good := lines[5].line
	for _, bad := range []string{
		"", "\n", " ", "7", "7 1 crit noack process", "7 1 crit noack device empty pid=1 time=1.000000000",
		strings.Replace(good, "crit", "neg", 1), strings.Replace(good, " ack ", " maybe ", 1), strings.Replace(good, " signal ", " signals ", 1),
		strings.Replace(good, " ack ", "  ack ", 1), strings.Replace(good, "pid=12", "pid", 1), strings.Replace(good, "pid=12", "pid=", 1),
		strings.Replace(good, "pid=12", "pid=4294967296", 1), strings.Replace(good, "uid=0", "uid=-1", 1), strings.Replace(good, `\134`, `\9`, 1),
		strings.Replace(good, ".000012345", ".0000123456", 1), strings.Replace(good, ".000012345", "", 1), strings.Replace(good, ".0000", ".+000", 1),
		"4294967296 1 crit ack process empty pid=1 time=1.000000000", "7 18446744073709551616 crit ack process empty pid=1 time=1.000000000",
		"-7 1 crit ack process empty pid=1 time=1.000000000", good + "\n\n", good + " ",
	} {
		if e, err := ParseEvent(bad); err != ErrText {
			t.Errorf("%q is taken for %+v, %v", bad, e, err)
		}
	}
}

// FuzzParseEvent: whatever is understood is written as something that means the same.
func FuzzParseEvent(f *testing.F) {
	for _, c := range lines {
		f.Add(c.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e, err := ParseEvent(line)
		if err != nil {
			return
		}
		text := AppendEvent(nil, &e, true)
		back, err := ParseEvent(string(text))
		if err != nil || back != e {
			t.Fatalf("%q means %+v, is written %q, and that means %+v, %v", line, e, text, back, err)
		}
	})
}
