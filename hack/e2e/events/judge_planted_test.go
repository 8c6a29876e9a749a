package events

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What really happened in the planted world: two victims and one that ends by itself, the
// number of the first used again at the end; contract 8 is another's.
func plantedAccounts() map[uint64]*account {
	fork := func(pid int) fact { return fact{kind: "fork", pid: pid, ppid: 10} }
	exit := func(pid, status int) fact { return fact{kind: "exit", pid: pid, status: status} }
	return map[uint64]*account{7: {
		empties:  1,
		critical: map[string]bool{"empty": true, "signal": true},
		lives: []life{
			{pid: 21, born: 2, must: []fact{fork(21), {kind: "core", pid: 21, sig: 11}, exit(21, 11)}},
			{pid: 20, born: 1, must: []fact{fork(20), {kind: "signal", pid: 20, sig: 9, sender: "33", senderCT: 9}, exit(20, 9)}},
			{pid: 22, born: 3, must: []fact{fork(22), exit(22, 0x300)}},
			{pid: 20, born: 4, must: []fact{fork(20), {kind: "signal", pid: 20, sig: 15, sender: "outside"}, exit(20, 15)}},
		},
	}}
}

// plantedLines is that, told well.
var plantedLines = []string{
	"7 101 info noack process fork pid=20 ppid=10 time=1.000000000",
	"7 102 info noack process fork pid=21 ppid=10 time=1.000000000",
	"7 104 crit noack process signal pid=20 signal=9 sender=33 senderct=9 uid=0 comm=actor time=1.000000000",
	"7 105 info noack process exit pid=20 status=9 time=1.000000000",
	"8 106 info noack process exit pid=20 status=0 time=1.000000000",
	"7 107 info noack process core pid=21 signal=11 core=no time=1.000000000",
	"7 108 info noack process exit pid=21 status=11 time=1.000000000",
	"7 109 info noack process fork pid=22 ppid=10 time=1.000000000",
	"7 110 info noack process exit pid=22 status=768 time=1.000000000",
	"7 111 info noack process fork pid=20 ppid=10 time=1.000000000",
	"7 112 crit noack process signal pid=20 signal=15 sender=outside time=1.000000000",
	"7 113 info noack process exit pid=20 status=15 time=1.000000000",
	"7 114 crit noack process empty pid=20 time=1.000000000",
}

// without takes lines away that have all these words.
func without(lines []string, words ...string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		for _, w := range words {
			if !strings.Contains(l, w) {
				return false
			}
		}
		return true
	})
}

func with(lines []string, before string, more ...string) []string {
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, before) })
	return slices.Insert(slices.Clone(lines), i, more...)
}

func changed(lines []string, old, new string) []string {
	return strings.Split(strings.Replace(strings.Join(lines, "\n"), old, new, 1), "\n")
}

// TestJudge holds the comparison against planted flaws: each must be seen, and nothing in
// what is right.
func TestJudge(t *testing.T) {
	const twice = "7 107 info noack process core pid=21 signal=11 core=no time=1.000000000"
	lost := func(n int) string {
		return fmt.Sprintf("7 103 info noack process lost count=%d time=1.000000000", n)
	}
	for _, p := range []struct {
		name  string
		lines []string
		may   leniency
		says  string // empty: nothing is wrong
	}{
		{"right", plantedLines, nothing, ""},
		{"right, where something may be lost", plantedLines, counted, ""},
		{"wrong sender", changed(plantedLines, "sender=33", "sender=34"), nothing, "wrong: signal of 20 of signal 9 from 34"},
		{"wrong sender, where something may be lost", changed(plantedLines, "sender=33", "sender=34"), counted, "34"},
		{"sender's contract is another", changed(plantedLines, "senderct=9", "senderct=7"), nothing, "of contract 7, truly"},
		{"no sender", changed(plantedLines, " sender=33 senderct=9 uid=0 comm=actor", ""), nothing, "wrong: signal of 20"},
		{"sender of the other life", changed(plantedLines, "sender=outside", "sender=33 senderct=9"), nothing, "wrong: signal of 20 of signal 15 from 33"},
		{"wrong signal", changed(plantedLines, "signal=15", "signal=9"), nothing, "wrong"},
		{"wrong status", changed(plantedLines, "status=768", "status=0"), nothing, "wrong: exit of 22 with 0x0, truly exit of 22 with 0x300"},
		{"wrong parent", changed(plantedLines, "pid=22 ppid=10", "pid=22 ppid=1"), nothing, "by 1, truly"},
		{"missing signal", without(plantedLines, "signal=15"), nothing, "missing: signal of 20 of signal 15"},
		{"missing critical, where something may be lost", with(without(plantedLines, "signal=15"), "7 104", lost(1)), counted, "missing: signal of 20 of signal 15"},
		{"missing exit", without(plantedLines, "exit", "pid=22"), nothing, "missing: exit of 22"},
		{"missing fork", without(plantedLines, "fork", "pid=21"), nothing, "missing: fork of 21"},
		{"missing process", without(plantedLines, "pid=22"), nothing, "missing: fork of 22"},
		{"missing without a word", without(plantedLines, "exit", "pid=22"), counted, "1 events are missing, and 0 are said to be lost"},
		{"missing, and the reader was slow", with(without(plantedLines, "exit", "pid=22"), "7 104", "0 0 info noack process lost count=1 time=1.000000000"), counted, ""},
		{"missing more than the reader was slow", with(without(plantedLines, "pid=22"), "7 104", "0 0 info noack process lost count=1 time=1.000000000"), counted, "2 events are missing, and 1 are said"},
		{"critical missing, and the reader was slow", with(without(plantedLines, "signal=15"), "7 104", "0 0 info noack process lost count=1 time=1.000000000"), counted, "missing: signal of 20"},
		{"slow where nothing may be lost", with(plantedLines, "7 104", "0 0 info noack process lost count=1 time=1.000000000"), nothing, "said to be lost for a slow reader"},
		{"missing and counted", with(without(plantedLines, "exit", "pid=22"), "7 104", lost(1)), counted, ""},
		{"missing and counted in part", with(without(plantedLines, "pid=22"), "7 104", lost(1)), counted, ""},
		{"counted and not missing", with(plantedLines, "7 104", lost(1)), counted, "1 events are said to be lost at least, 0 are missing"},
		{"counted where nothing may be", with(without(plantedLines, "exit", "pid=22"), "7 104", lost(1)), nothing, "are said to be lost"},
		{"told twice under two numbers", with(plantedLines, "7 109", strings.Replace(twice, "107", "108", 1)), nothing, "told, and never happened: core of 21"},
		{"told twice in a row", with(plantedLines, "7 108", strings.Replace(twice, "107", "107", 1)), nothing, "event 107 of contract 7 comes after event 107"},
		{"critical told twice", with(plantedLines, "7 105", changed(plantedLines[2:3], " 104 ", " 104 ")...), counted, "told twice: signal of 20"},
		{"exit told twice", with(plantedLines, "7 111", changed(plantedLines[8:9], " 110 ", " 110 ")...), counted, "told twice: exit of 22"},
		{"out of order", with(without(plantedLines, " 105 "), "7 104", changed(plantedLines[3:4], "105", "103")...), nothing, "signal of 20"},
		{"numbers go back", changed(plantedLines, " 110 ", " 90 "), nothing, "event 90 of contract 7 comes after event 109"},
		{"core instead of signal", changed(plantedLines, "signal pid=20 signal=15 sender=outside", "core pid=20 signal=15 core=no"), nothing, "missing: signal of 20 of signal 15"},
		{"signal in addition", with(plantedLines, "7 108", "7 107 crit noack process signal pid=21 signal=11 sender=33 senderct=9 time=1.000000000"), nothing, "told, and never happened: signal of 21"},
		{"unknown process", with(plantedLines, "7 104", "7 103 info noack process exit pid=77 status=0 time=1.000000000"), nothing, "no such process"},
		{"empty twice", append(slices.Clone(plantedLines), changed(plantedLines[12:], "114", "115")...), nothing, "2 times empty"},
		{"never empty", plantedLines[:12], nothing, "0 times empty"},
		{"empty too early", with(without(plantedLines, "empty"), "7 113", "7 112 crit noack process empty pid=22 time=1.000000000", "7 113 crit noack process empty pid=20 time=1.000000000"), nothing, "2 times empty"},
		{"empty while its last lives", with(without(plantedLines, "empty"), "7 112", "7 111 crit noack process empty pid=20 time=1.000000000"), nothing, "which has not ended"},
		{"informative told as critical", changed(plantedLines, "101 info", "101 crit"), nothing, "critical=true"},
		{"critical told as informative", changed(plantedLines, "104 crit", "104 info"), nothing, "critical=false"},
		{"late reader", plantedLines[2:], prefixes, ""},
		{"late reader, and a gap", without(plantedLines[2:], "exit", "status=9"), prefixes, "signal of 20"},
	} {
		t.Run(p.name, func(t *testing.T) {
			events, err := parseLines(strings.Join(p.lines, "\n") + "\n")
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Join(judge(plantedAccounts(), events, p.may).complaints, "\n")
			if p.says == "" && said != "" || !strings.Contains(said, p.says) {
				t.Errorf("the comparison says %q, want %q", said, p.says)
			}
		})
	}
}

// TestJudgeCounts: what is missing and what is lost are figures too.
func TestJudgeCounts(t *testing.T) {
	lines := with(without(plantedLines, "info", "pid=22"), "7 104", "7 103 info noack process lost count=2 time=1.000000000")
	events, err := parseLines(strings.Join(lines, "\n") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if v := judge(plantedAccounts(), events, counted); v.missing != 2 || v.lost != 2 || v.events != 11 {
		t.Errorf("%+v", v)
	}
}

func TestSameOrder(t *testing.T) {
	all := func(uint64) bool { return true }
	parse := func(lines []string) []told {
		events, err := parseLines(strings.Join(lines, "\n") + "\n")
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	good := parse(plantedLines)
	for _, p := range []struct {
		name  string
		lines []string
		whole bool
		says  string
	}{
		{"same", plantedLines, true, ""},
		{"a part", plantedLines[3:], false, ""},
		{"a part of a whole", plantedLines[3:], true, "10 events of 13"},
		{"another fact", changed(plantedLines, "status=768", "status=1"), false, "event 110"},
		{"another contract", changed(plantedLines, "8 106", "7 106"), false, "event 106"},
		{"one more", append(slices.Clone(plantedLines), "7 120 info noack process exit pid=1 status=0 time=1.000000000"), true, "known to one only"},
	} {
		said := strings.Join(sameOrder("x", good, parse(p.lines), all, p.whole), "\n")
		if p.says == "" && said != "" || !strings.Contains(said, p.says) {
			t.Errorf("%s: %q, want %q", p.name, said, p.says)
		}
	}
}

// TestParsers: the three forms of one event are the same to us, and other forms are none.
func TestParsers(t *testing.T) {
	line := "7 104 crit ack process signal pid=20 signal=9 sender=33 senderct=9 uid=0 comm=actor zone=global time=1795185600.123456789\n"
	table := "CTID    EVID    CRIT ACK CTTYPE  SUMMARY\n7       104     crit yes process process 20 received a fatal signal\n" +
		"\tsignal:                9 (SIGKILL)\n\tsender pid:            33\n\tsender ctid:           9\n\tsender command:        actor\n" +
		"\tsender uid:            0\n\tsender zone:           global\n\ttime:                  2026-11-20 14:40:00.123456 UTC\n"
	object := `{"ctid":7,"evid":104,"zone":"web","critical":true,"acknowledged":true,"type":"process","event":"signal","pid":20,"signal":9,` +
		`"sender":{"kind":"process","pid":33,"ctid":9,"uid":0,"command":"actor","zone":"global"},"time":"2026-11-20T14:40:00.123456789Z"}` + "\n"
	want := told{ct: 7, ev: 104, crit: true, acked: true, uid: 0, comm: "actor", zone: "global",
		fact: fact{kind: "signal", pid: 20, sig: 9, sender: "33", senderCT: 9}}
	for name, parse := range map[string]func() ([]told, error){
		"line":  func() ([]told, error) { return parseLines(line) },
		"table": func() ([]told, error) { return parseTable(table) },
		"json":  func() ([]told, error) { return parseJSON(object) },
	} {
		if got, err := parse(); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	for _, bad := range []string{
		"", "7", "0 1 info ack process exit pid=1 status=0 time=1.000000000", "7 104 critical ack process exit pid=1 status=0 time=1.000000000",
		"7 104 crit ack process exit status=0 pid=1 time=1.000000000", "7 104 crit ack process exit pid=1 status=0", "7 104 crit ack process exit pid=1 pid=1 status=0 time=1.000000000",
		"7 104 crit ack process exit pid=1 status=0 time=1.00000000", "7 104 crit ack process signal pid=1 sender=nobody time=1.000000000", "7 104 crit ack process exit pid=1 status=0 more=1 time=1.000000000",
	} {
		if e, err := parseLine(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, e)
		}
	}
}
