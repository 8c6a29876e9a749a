package request

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/inside"
)

// The numbers are a contract with what is outside of the zone.
func TestSignals(t *testing.T) {
	for sig, want := range map[unix.Signal]Request{
		37: Halt, unix.SIGUSR1: Halt,
		38: Poweroff, unix.SIGUSR2: Poweroff, unix.SIGPWR: Poweroff, unix.SIGTERM: Poweroff,
		39: Reboot,
		47: HaltNow, 48: PoweroffNow, 49: RebootNow,
		41: Multi, 35: Single, unix.SIGHUP: Reexamine,
		unix.SIGINT: 0, unix.SIGCHLD: 0, unix.SIGQUIT: 0, 34: 0, 36: 0, 64: 0,
	} {
		if got := Of(sig); got != want {
			t.Errorf("signal %d: %v, want %v", sig, got, want)
		}
	}
}

func TestTableIsWhole(t *testing.T) {
	seen := map[unix.Signal]Request{}
	for r := Halt; r <= Reexamine; r++ {
		f, ok := table[r]
		if !ok || f.word == "" || len(f.signals) == 0 {
			t.Fatalf("request %d is incomplete", r)
		}
		if Of(r.Signal()) != r {
			t.Errorf("%v is sent as signal %d, which means %v", r, r.Signal(), Of(r.Signal()))
		}
		for _, s := range f.signals {
			if other, taken := seen[s]; taken {
				t.Errorf("signal %d means %v and %v", s, r, other)
			}
			seen[s] = r
			if slices.Contains(Ending(), s) != (r.Action() != 0) || slices.Contains(Other(), s) == (r.Action() != 0) {
				t.Errorf("signal %d of %v is on the wrong list", s, r)
			}
		}
		if r.AtOnce() && r.Action() == 0 {
			t.Errorf("%v is at once and ends nothing", r)
		}
	}
	if len(seen) != len(Ending())+len(Other()) {
		t.Errorf("%d signals, lists of %d and %d", len(seen), len(Ending()), len(Other()))
	}
	if Request(0).Signal() != 0 || Request(0).Action() != 0 {
		t.Error("no request asks for something")
	}
}

func TestLevels(t *testing.T) {
	for word, want := range map[string]inside.Action{
		"0": inside.Halt, "5": inside.Poweroff, "6": inside.Reboot, "s": 0, "S": 0, "1": 0, "2": 0, "3": 0, "q": 0, "Q": 0,
	} {
		r, ok := Level(word)
		if !ok || r.Action() != want {
			t.Errorf("level %s: %v, %v", word, r, ok)
		}
	}
	for _, word := range []string{"", "4", "7", "a", "00", "06", "-1", "halt"} {
		if r, ok := Level(word); ok {
			t.Errorf("level %q is %v", word, r)
		}
	}
}
