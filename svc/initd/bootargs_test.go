package initd

import (
	"reflect"
	"testing"
	"time"
)

func TestParseBootArgs(t *testing.T) {
	for _, c := range []struct {
		args []string
		want options
	}{
		{nil, options{}},
		{[]string{"-s"}, options{single: true, forStartd: []string{"-s"}}},
		{[]string{"-v"}, options{verbose: true, forStartd: []string{"-m", "verbose"}}},
		{[]string{"-m", "quiet"}, options{quiet: true, forStartd: []string{"-m", "quiet"}}},
		{[]string{"-mdebug"}, options{verbose: true, forStartd: []string{"-m", "debug"}}},
		{[]string{"-m", "milestone=single-user"}, options{single: true, forStartd: []string{"-m", "milestone=single-user"}}},
		{[]string{"-m", "milestone=none", "-m", "verbose"}, options{verbose: true, forStartd: []string{"-m", "milestone=none", "-m", "verbose"}}},
		{[]string{"-m", "verbose,milestone=all"}, options{verbose: true, forStartd: []string{"-m", "verbose", "-m", "milestone=all"}}},
		{[]string{"-m", "milestone=best"}, options{unknown: []string{"-m milestone=best"}}},
		{[]string{"-m"}, options{unknown: []string{"-m "}}},
		{[]string{"-x", "stray", "-s", ""}, options{single: true, forStartd: []string{"-s"}, unknown: []string{"-x", "stray", ""}}},
	} {
		if got := parseBootArgs(c.args); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, want %+v", c.args, got, c.want)
		}
	}
}

func TestStartdProgram(t *testing.T) {
	o := parseBootArgs([]string{"-s", "-m", "verbose"})
	if p := startdProgram(o, nil); p.shell || !reflect.DeepEqual(p.argv, []string{StartdName, "-s", "-m", "verbose"}) {
		t.Errorf("%+v", p)
	}
}

func TestThrottle(t *testing.T) {
	r := throttle{least: delayMin, most: delayMax}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if got := r.after(time.Second); got != want*time.Second {
			t.Errorf("death %d: %v, want %ds", i, got, want)
		}
	}
	if got := r.after(livedLong); got != 0 {
		t.Errorf("after a long life: %v", got)
	}
	if got := r.after(0); got != delayMin {
		t.Errorf("then a short one: %v", got)
	}
	r.after(0)
	r.reset()
	if got := r.after(0); got != delayMin {
		t.Errorf("after a reset: %v", got)
	}
}
