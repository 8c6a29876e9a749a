package zoned

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
)

func TestParseBootArgs(t *testing.T) {
	for in, want := range map[string]bootArgs{
		"":                           {},
		"-s":                         {args: []string{"-s"}},
		"kernel/unix -s":             {args: []string{"-s"}},
		"-m verbose":                 {args: []string{"-m", "verbose"}},
		"-mverbose":                  {args: []string{"-m", "verbose"}},
		"-m milestone=none -s":       {args: []string{"-m", "milestone=none", "-s"}},
		"-i /sbin/sh":                {altInit: "/sbin/sh"},
		"-i/sbin/sh -s":              {altInit: "/sbin/sh", args: []string{"-s"}},
		"-f -s":                      {args: []string{"-s"}},
		"-s stray words":             {args: []string{"-s"}, bad: []string{"stray", "words"}},
		"-q":                         {args: []string{"-q"}, bad: []string{"-q"}},
		"-m":                         {bad: []string{"-m"}},
		"-i":                         {bad: []string{"-i"}},
		"  -s   -s ":                 {args: []string{"-s", "-s"}},
		"-v -m quiet x":              {args: []string{"-v", "-m", "quiet"}, bad: []string{"-v", "x"}},
		"one two":                    {bad: []string{"two"}},
		"-s -i /a -i /b":             {args: []string{"-s"}, altInit: "/b"},
		"-m quiet -m debug -s extra": {args: []string{"-m", "quiet", "-m", "debug", "-s"}, bad: []string{"extra"}},
	} {
		if got := parseBootArgs(in); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
}

// TestRestartDelays: at once, then doubling to the limit, and anew after a quiet life.
func TestRestartDelays(t *testing.T) {
	var r restarts
	want := []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute}
	for i, w := range want {
		if got := r.next(time.Second); got != w {
			t.Fatalf("death %d: %s, want %s", i+1, got, w)
		}
	}
	if got := r.next(restartQuiet); got != 0 {
		t.Fatalf("after a quiet minute: %s, want at once", got)
	}
	if got := r.next(0); got != 0 {
		t.Fatalf("the first death after it: %s, want at once", got)
	}
}

// TestLived: an init that was started before this test has lived as long as the kernel says,
// whatever the clock on the wall does.
func TestLived(t *testing.T) {
	start, err := sys.StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	older, younger := incarnation{initStart: start - 60*ticksPerSecond}, incarnation{initStart: start}
	a, b := younger.lived(), older.lived()
	if a < 0 || b-a < 60*time.Second {
		t.Fatalf("lived %s, and %s a minute older", a, b)
	}
}

// TestMessagesHaveTheirArguments: a text whose verbs and arguments differ would be shown as
// %!s(MISSING).
func TestMessagesHaveTheirArguments(t *testing.T) {
	for key, text := range english {
		n := strings.Count(text, "%s")
		if strings.Count(text, "%") != n {
			t.Errorf("%s: %q has verbs other than %%s", key, text)
		}
		args := make([]string, n)
		for i := range args {
			args[i] = "x"
		}
		if m := message(api.LevelError, key, args...); strings.Contains(m.Text, "%!") {
			t.Errorf("%s: %q", key, m.Text)
		}
	}
}
