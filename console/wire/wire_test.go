package wire

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestParseIdent(t *testing.T) {
	point := Point{Epoch: 0x0123456789abcdef, Pos: 4711}
	for line, want := range map[string]Ident{
		"IDENT 1 C\n":                                               {Pid: 1, Locale: "C"}, // older than the flag
		"IDENT 4711 en_US.UTF-8 0\n":                                {Pid: 4711, Locale: "en_US.UTF-8"},
		"IDENT 4194304 de_DE@euro 1\n":                              {Pid: 4194304, Locale: "de_DE@euro", DropWithZone: true},
		"IDENT 7 C 0 resume=-\n":                                    {Pid: 7, Locale: "C", From: Live},
		"IDENT 7 C 1 resume=history\n":                              {Pid: 7, Locale: "C", DropWithZone: true, From: History},
		"IDENT 7 C 0 resume=" + point.String() + "\n":               {Pid: 7, Locale: "C", From: Position, Point: point},
		"IDENT 7 C 0 resume=- v=2 as=writer\n":                      {Pid: 7, Locale: "C", From: Live, Version: 2},
		"IDENT 7 C 0 resume=screen:24 v=2 as=reader\n":              {Pid: 7, Locale: "C", From: Screen, Rows: 24, Version: 2, Role: Reader},
		"IDENT 7 C 1 resume=history v=2 as=taker\n":                 {Pid: 7, Locale: "C", DropWithZone: true, From: History, Version: 2, Role: Taker},
		"IDENT 7 C 0 resume=" + point.String() + " v=3 as=reader\n": {Pid: 7, Locale: "C", From: Position, Point: point, Version: 3, Role: Reader},
	} {
		got, err := ParseIdent([]byte(line))
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
		if want.From != Original || strings.Count(line, " ") == 3 {
			if got.Line() != line {
				t.Errorf("%q is written as %q", line, got.Line())
			}
		}
	}
}

func TestParseIdentRefuses(t *testing.T) {
	for _, line := range []string{
		"", "\n", "IDENT", "IDENT\n", "IDENT 1\n", "IDENT 1 C", "ident 1 C 0\n", "IDENT  1 C 0\n", "IDENT 1 C 0 \n",
		" IDENT 1 C 0\n", "IDENT 0 C 0\n", "IDENT 01 C 0\n", "IDENT -1 C 0\n", "IDENT +1 C 0\n", "IDENT 4194305 C 0\n",
		"IDENT 99999999999999999999 C 0\n", "IDENT 0x1 C 0\n", "IDENT 1 C 2\n", "IDENT 1 C 00\n", "IDENT 1 C d\n",
		"IDENT 1 C\x00 0\n", "IDENT 1 \x1b[31m 0\n", "IDENT 1 é 0\n", "IDENT 1 " + strings.Repeat("C", 129) + " 0\n",
		"IDENT 1 C 0\r\n", "IDENT\t1\tC\t0\n", "IDENT 1 C 0 resume\n", "IDENT 1 C 0 resume=\n", "IDENT 1 C resume=-\n",
		"IDENT 1 C 0 resume=1:2\n", "IDENT 1 C 0 resume=0123456789ABCDEF:1\n", "IDENT 1 C 0 resume=0123456789abcdef\n",
		"IDENT 1 C 0 resume=0123456789abcdef:\n", "IDENT 1 C 0 resume=0123456789abcdef:-1\n",
		"IDENT 1 C 0 resume=0123456789abcdef:01\n", "IDENT 1 C 0 resume=0123456789abcdef:99999999999999999999\n",
		"IDENT 1 C 0 resume=- v=2\n", "IDENT 1 C 0 resume=- v=1 as=writer\n", "IDENT 1 C 0 resume=- v=02 as=writer\n", "IDENT 1 C 0 v=2 as=writer\n",
		"IDENT 1 C 0 resume=- as=writer v=2\n", "IDENT 1 C 0 resume=- v=2 as=root\n", "IDENT 1 C 0 resume=- v=2 as=reader x\n",
		"IDENT 1 C 0 resume=screen:24\n", "IDENT 1 C 0 resume=screen:0 v=2 as=reader\n", "IDENT 1 C 0 resume=screen:201 v=2 as=reader\n",
		"IDENT 1 C 0 resume=- v=100 as=writer\n", "IDENT 1 C 0 resume=- x\n", "IDENT 1 C 0 other=-\n", "GET / HTTP/1.1\r\n", "\x00\x00\x00\n",
		"IDENT 1 " + strings.Repeat("C", IdentMax) + " 0\n",
	} {
		_, err := ParseIdent([]byte(line))
		if !errors.Is(err, ErrIdent) {
			t.Errorf("%.60q: %v", line, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x00\x1b\n\r") {
			t.Errorf("%.60q: the error repeats its bytes: %q", line, err)
		}
	}
}

func TestLongestIdentFits(t *testing.T) {
	id := Ident{
		Pid: pidMax, Locale: strings.Repeat("x", localeMax), From: Position, Point: Point{1<<64 - 1, 1<<63 - 1},
		Version: versionMax, Role: Reader,
	}
	if n := len(id.Line()); n > IdentMax {
		t.Fatalf("%d bytes", n)
	}
	if got, err := ParseIdent([]byte(id.Line())); err != nil || got != id {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestLocaleThatCannotBeSent(t *testing.T) {
	for _, l := range []string{"", "a b", "a\n1 C 0", strings.Repeat("x", 500)} {
		id, err := ParseIdent([]byte(Ident{Pid: 1, Locale: l}.Line()))
		if err != nil || id.Locale != "C" {
			t.Errorf("%q: %+v, %v", l, id, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	for line, want := range map[string]Answer{
		"OK\n":                                  {},
		"OK 00000000000000ff:0\n":               {HasPositions: true, Point: Point{Epoch: 255}},
		"OK ffffffffffffffff:1234\n":            {HasPositions: true, Point: Point{Epoch: 1<<64 - 1, Pos: 1234}},
		"4711\n":                                {HolderPid: 4711},
		"FULL 64\n":                             {Full: 64},
		"OK 00000000000000ff:7 v=2 as=writer\n": {HasPositions: true, Point: Point{255, 7}, Version: 2},
		"OK 00000000000000ff:7 v=2 as=reader\n": {HasPositions: true, Point: Point{255, 7}, Version: 2, Reader: true},
		"OK 00000000000000ff:7 v=2 as=reader pid=4711\n": {HasPositions: true, Point: Point{255, 7}, Version: 2, Reader: true, HolderPid: 4711},
	} {
		got, err := ParseAnswer([]byte(line))
		if err != nil || got != want || got.Line() != line {
			t.Errorf("%q: %+v, %v", line, got, err)
		}
	}
	for _, line := range []string{"", "\n", "OK", "ok\n", "OK \n", "OK x:1\n", "OK 1\n", "0\n", "-4\n", "OKAY\n", "\x00\n", strings.Repeat("1", 129) + "\n",
		"FULL\n", "FULL 0\n", "FULL 1 2\n", "4711 x\n", "OK 00000000000000ff:7 v=3 as=writer\n", "OK 00000000000000ff:7 v=1 as=writer\n",
		"OK 00000000000000ff:7 v=2\n", "OK 00000000000000ff:7 v=2 as=taker\n", "OK 00000000000000ff:7 v=2 as=writer pid=3\n", "OK v=2 as=writer\n"} {
		if _, err := ParseAnswer([]byte(line)); !errors.Is(err, ErrAnswer) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// Every text, to the letter.
func TestNoticeTexts(t *testing.T) {
	var b strings.Builder
	for n := range Notice(noticeKindCount) {
		for _, asked := range []bool{false, true} {
			for _, args := range []string{"", "-m verbose -s"} {
				fmt.Fprintf(&b, "%d asked=%-5v args=%-15q %q\n", n, asked, args, n.Text(args, asked))
			}
		}
	}
	for _, args := range []string{"a\r\nb\x1b]0;x\x07", strings.Repeat("x", 300), "grün"} {
		fmt.Fprintf(&b, "hostile %q\n", Booting.Text(args, false))
	}
	for _, n := range []uint64{1, 2, 1 << 40} {
		fmt.Fprintf(&b, "lost %q\n", LostText(n))
	}
	for _, pid := range []int{0, 4711} {
		fmt.Fprintf(&b, "taken %q\n", TakenText(pid))
	}
	fmt.Fprintf(&b, "restarted %q\n", RestartedText())
	const file = "testdata/notices.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("texts changed:\n%s", b.String())
	}
}

func FuzzParseIdent(f *testing.F) {
	f.Add([]byte("IDENT 1 C 0\n"))
	f.Add([]byte("IDENT 1 C\n"))
	f.Add([]byte("IDENT 12 en_US.UTF-8 1 resume=0123456789abcdef:99\n"))
	f.Add([]byte("IDENT 12 C 1 resume=history\n"))
	f.Add([]byte("IDENT 12 C 1 resume=screen:24 v=2 as=taker\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		id, err := ParseIdent(line)
		if err != nil {
			if !errors.Is(err, ErrIdent) {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseIdent([]byte(id.Line()))
		if err != nil || again != id {
			t.Fatalf("%q reads as %+v, written %q reads as %+v, %v", line, id, id.Line(), again, err)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("OK\n"))
	f.Add([]byte("OK 0123456789abcdef:99\n"))
	f.Add([]byte("4711\n"))
	f.Add([]byte("OK 0123456789abcdef:99 v=2 as=reader pid=12\n"))
	f.Add([]byte("FULL 64\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := ParseAnswer(line)
		if err == nil && a.Line() != string(line) {
			t.Fatalf("%q is written as %q", line, a.Line())
		}
	})
}
