package svcs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// TestRootsAreCauses: on systems made by chance, what the one pass finds is what the graph says
// when it is asked about each instance.
func TestRootsAreCauses(t *testing.T) {
	for seed := range uint64(200) {
		r := newRig(t)
		random := rand.New(rand.NewPCG(seed, 1))
		const n = 25
		states := []string{online, online, offline, offline, offline, offline, disabled, maintenance, uninitialized, "offline/online", degraded}
		name := func(i int) string { return "svc:/s" + strconv.Itoa(i/2) + ":i" + strconv.Itoa(i%2) }
		r.fill(func(b *repo.Batch) {
			for i := range n {
				put(t, b, name(i), states[random.IntN(len(states))])
			}
			for i := 1; i < n; i++ { // each needs earlier ones: no cycle
				for _, grouping := range []string{"require_all", "require_any", "exclude_all"} {
					if random.IntN(3) > 0 {
						continue
					}
					var members []string
					for range 1 + random.IntN(3) {
						j := random.IntN(i)
						switch {
						case random.IntN(12) == 0:
							members = append(members, "svc:/absent:one")
						case j/2 < i/2 && random.IntN(3) == 0:
							members = append(members, "svc:/s"+strconv.Itoa(j/2))
						default:
							members = append(members, name(j))
						}
					}
					putNeeds(t, b, name(i), grouping, members...)
				}
			}
		})
		run := &run{env: &r.env, order: order{mode: 'x'}, now: noon, said: map[string]bool{}, found: map[string]bool{}}
		l, err := run.load("", r.store)
		if err != nil {
			t.Fatal(err)
		}
		p, err := run.draw(l)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := namesOf(p.roots()), askedOfGraph(t, p); !slices.Equal(got, want) {
			t.Errorf("seed %d:\n%v\n%v", seed, got, want)
		}
	}
}

func namesOf(list []*instance) (names []string) {
	for _, in := range list {
		names = append(names, in.fmri)
	}
	slices.Sort(names)
	return names
}

// askedOfGraph are the causes as the graph tells them, instance by instance.
func askedOfGraph(t *testing.T, p *picture) (names []string) {
	t.Helper()
	for _, in := range p.all {
		e, err := p.graph.Explain(in.fmri)
		if err != nil {
			t.Fatal(err)
		}
		enabled := e.Enabled
		switch {
		case in.state() == maintenance, in.state() == disabled && enabled, in.state() == offline && in.next() != "":
			names = append(names, in.fmri)
		case in.stays():
			others := false
			for _, w := range e.Waits {
				others = others || !lacks(&w)
			}
			if !others {
				names = append(names, in.fmri)
			}
			for _, chain := range e.Chains {
				for _, c := range p.blamed(chain) {
					if in := p.byFMRI[c.name]; !lacks(&chain[len(chain)-1]) || in.next() != "" {
						names = append(names, c.name)
					}
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// large has n instances: a chain, in which each waits for the one before, a star around one that is
// off, and, for the rest, some that run and some that do not.
func large(t testing.TB, n int) *rig {
	r := newRig(t)
	for from := 0; from < n; from += 2000 {
		r.fill(func(b *repo.Batch) {
			for i := from; i < min(n, from+2000); i++ {
				name := fmt.Sprintf("svc:/many/s%05d:default", i)
				switch {
				case i == 0:
					put(t, b, name, disabled)
				case i < n/4:
					put(t, b, name, offline)
					putNeeds(t, b, name, "require_all", fmt.Sprintf("svc:/many/s%05d:default", i-1))
				case i < n/2:
					put(t, b, name, offline)
					putNeeds(t, b, name, "require_all", "svc:/many/s00000")
				case i < n/2+n/8:
					put(t, b, name, maintenance)
				default:
					put(t, b, name, online)
					putNeeds(t, b, name, "optional_all", fmt.Sprintf("svc:/many/s%05d", i-1))
				}
			}
		})
	}
	return r
}

// spent is the processor's time that this process has used: what others do on the machine is not in
// it.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestLinear: ten times as many instances take about ten times as long, whatever is asked for.
func TestLinear(t *testing.T) {
	small, big := large(t, 1000), large(t, 10_000)
	for _, line := range []string{"-a", "-av", "-ao desc,fmri", "-d s00000", "-D s00000", "-x s09*", "-ao json", "-L", "-x"} {
		took := func(r *rig) time.Duration {
			best := time.Hour
			for range 2 {
				at := spent(t)
				if _, errs, code := r.run(line); code > 1 {
					t.Fatalf("svcs %s: %d %s", line, code, errs)
				}
				best = min(best, spent(t)-at)
			}
			return best
		}
		a, b := took(small), took(big)
		t.Logf("svcs %s: %v, %v", line, a, b)
		if b > 40*a+500*time.Millisecond {
			t.Errorf("svcs %s: %v for 1000, %v for 10000", line, a, b)
		}
	}
	out, _, code := big.run("-x")
	if code != 0 || !strings.HasPrefix(out, "svc:/many/s00000:default (?)\n") || !strings.Contains(out, "Impact: 4999 dependent services are not running.") {
		t.Errorf("%d %.300s", code, out)
	}
	if n := strings.Count(out, "Impact: "); n != 1+1250 {
		t.Errorf("%d causes", n)
	}
}

// TestSteps: drawing costs what there is to draw, and finding the causes makes the graph look at
// nothing again.
func TestSteps(t *testing.T) {
	var steps [2]uint64
	for i, n := range []int{500, 5000} {
		r := large(t, n)
		run := &run{env: &r.env, order: order{mode: 'x'}, now: noon, said: map[string]bool{}, found: map[string]bool{}}
		l, err := run.load("", r.store)
		if err != nil {
			t.Fatal(err)
		}
		p, err := run.draw(l)
		if err != nil {
			t.Fatal(err)
		}
		steps[i] = p.graph.Steps()
		if len(p.roots()) == 0 || p.graph.Steps() != steps[i] {
			t.Errorf("%d causes, %d steps more", len(p.roots()), p.graph.Steps()-steps[i])
		}
	}
	if steps[0] == 0 || steps[1] > 12*steps[0] {
		t.Errorf("%d steps for 500, %d for 5000", steps[0], steps[1])
	}
}

// crowded is a repository with more instances than are looked at.
type crowded struct{ door.Store }

func (crowded) Close() error { return nil }

func (crowded) Scan(door.Query) (door.Result, error) {
	entries := make([]door.Entry, 0, instancesMax+2)
	entries = append(entries, door.Entry{On: repo.Entity{Service: "many"}})
	for i := range instancesMax + 1 {
		entries = append(entries, door.Entry{On: repo.Entity{Service: "many", Instance: "i" + strconv.Itoa(i)}})
	}
	return door.Result{Entries: entries}, nil
}

// TestLimits: what is too much is said, in one line.
func TestLimits(t *testing.T) {
	r := newRig(t)
	r.env.Open = func() (door.Store, error) { return crowded{r.store}, nil }
	for _, line := range []string{"-a", "-x", "-l many:i1"} {
		r.says(line, "", "svcs: too many instances: at most 262144 are looked at.\n", 1)
	}
	var errs strings.Builder
	env := r.env
	env.Err = &errs
	run := &run{env: &env, said: map[string]bool{}, rows: make([]*row, rowsMax-1)}
	l := &listing{}
	for range 3 {
		run.add(l, &instance{r: run})
	}
	if len(run.rows) != rowsMax || run.code != exitError || errs.String() != "svcs: too many lines: those after the first 1048576 are left out.\n" {
		t.Errorf("%d rows, status %d, %q", len(run.rows), run.code, &errs)
	}
}
