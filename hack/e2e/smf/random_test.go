package smf

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

var full = flag.Bool("full", false, "do the whole, which takes many minutes")

// fleet are services of which the test knows how often each has to be started.
type fleet struct {
	*zone
	want   map[string]int
	names  []string
	random *rand.Rand
}

// newFleet has as many services of each kind: what leaves a process behind, what is one itself, and
// what takes a while to start.
func newFleet(z *zone, each int, seed uint64) *fleet {
	z.t.Helper()
	f := &fleet{z, map[string]int{}, nil, rand.New(rand.NewPCG(seed, 8))}
	// Of what is restarted on purpose nothing is too often.
	const often = "<property_group name='startd' type='framework'><propval name='critical_failure_period' type='integer' value='1'/>%s</property_group>\n"
	var list []service
	for i := range each {
		d := daemon(fmt.Sprintf("site/d%d", i))
		c := service{name: fmt.Sprintf("site/c%d", i), timeout: 60, stop: ":kill",
			start: fmt.Sprintf("/bin/sh -c &quot;echo start &gt;&gt;/var/tmp/site-c%d; exec sleep 100000&quot;", i)}
		s := service{name: fmt.Sprintf("site/s%d", i), timeout: 60, stop: ":kill",
			start: fmt.Sprintf("/bin/sh -c &quot;echo start &gt;&gt;/var/tmp/site-s%d; sleep 0.3; sleep 100000 &amp;&quot;", i)}
		d.more, s.more = fmt.Sprintf(often, ""), fmt.Sprintf(often, "")
		c.more = fmt.Sprintf(often, "<propval name='duration' type='astring' value='child'/>")
		list = append(list, d, c, s)
	}
	z.add(list...)
	for _, s := range list {
		f.want[s.name] = 1
		z.state(s.name+":default", "online")
	}
	f.names = slices.Sorted(maps.Keys(f.want))
	return f
}

// fault does something to a service, and says what: a command, and how many starts follow from it.
func (f *fleet) fault(name string) (command string, starts int) {
	switch f.random.IntN(6) {
	case 0:
		return "kill -9 " + f.member(name+":default"), 1
	case 1:
		return "kill -SEGV " + f.member(name+":default"), 1
	case 2:
		return "kill " + f.member(name+":default"), 1
	case 3:
		return "svcadm refresh " + name, 0
	case 4:
		return "svcadm disable -s " + name + " && svcadm enable " + name, 1
	}
	return "svcadm restart " + name, 1
}

// TestStartdKilledAtWork: svc.startd is killed again and again, while services of each kind run,
// start, fail, are restarted, refreshed and disabled: nothing restarts that had no cause, nothing is
// run twice, and at the end repository, contracts and processes agree. In full: 102 services, 500
// kills.
func TestStartdKilledAtWork(t *testing.T) {
	if !*full {
		t.Parallel()
	}
	testenv.Need(t, testenv.Cgroup2, testenv.UserNS)
	each, rounds := 4, testenv.Rounds(12, 8)
	if *full {
		each, rounds = 34, 500
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	f := newFleet(sparse(t), each, seed)
	faults := 0
	for round := range rounds {
		hit := map[string]bool{}
		for range 1 + f.random.IntN(3) {
			hit[f.names[f.random.IntN(len(f.names))]] = true
		}
		var commands []string
		for name := range hit {
			command, starts := f.fault(name)
			commands = append(commands, "("+command+") &")
			f.want[name] += starts
			faults += starts
		}
		commands = append(commands, fmt.Sprintf("sleep 0.%02d; kill -9 $(pgrep -o svc.startd); wait", f.random.IntN(20)))
		f.in(strings.Join(commands, " "))
		for name := range hit {
			testenv.Eventually(t, func() bool { return f.starts(name) >= f.want[name] }, "a start of "+name)
			f.state(name+":default", "online")
		}
		f.sparing(round)
		if round%50 == 49 {
			f.agree()
		}
	}
	time.Sleep(300 * time.Millisecond)
	f.agree()
	t.Logf("%d services, svc.startd killed %d times, %d faults", len(f.names), rounds, faults)
}

// sparing holds that nothing was started more often than it had a cause.
func (f *fleet) sparing(round int) {
	f.t.Helper()
	for line := range strings.Lines(f.in("cd /var/tmp; grep -c start site-*")) {
		file, count, _ := strings.Cut(strings.TrimSpace(line), ":")
		name := strings.ReplaceAll(file, "-", "/")
		want, known := f.want[name]
		if n, err := strconv.Atoi(count); known && (err != nil || n > want) {
			f.t.Fatalf("round %d: %s was started %s times, %d had a cause\n%s", round, name, count, want,
				f.in("tail -20 $(svcs -L "+name+"); tail -40 /var/svc/log/svc.startd.log; date; ctstat -a -v | grep -B8 -A8 "+name+":; svcprop -p restarter "+name+"; ps -ef"))
		}
	}
}

// agree compares what the repository, contracts and processes say, and how often each service was
// started.
func (f *fleet) agree() {
	f.t.Helper()
	for _, name := range f.names {
		if got := f.starts(name); got != f.want[name] {
			f.t.Errorf("%s was started %d times, %d had a cause\n%s", name, got, f.want[name], f.in("tail -20 $(svcs -L "+name+")"))
		}
		f.member(name + ":default")
	}
	// One contract for each service that runs, all of svc.startd's.
	testenv.Eventually(f.t, func() bool { return f.contracts("site/") == len(f.names) }, fmt.Sprintf("%d contracts of as many services", len(f.names)))
	f.says("for f in $(grep -l '^svc_fmri svc:/site/' /system/contract/process/*/status); do grep -q '^state dead' $f || grep '^holder' $f; done | sort -u", 0, "holder "+f.startd()+"\n", "")
	// Who was forked is not a sleep yet.
	f.settles("pgrep -c -fx 'sleep 100000'", strconv.Itoa(len(f.names))+"\n")
	// The contract that the repository names is the service's, and has its process.
	f.says("for f in "+strings.Join(f.names, " ")+"; do s=/system/contract/process/$(svcprop -p restarter/contract $f:default)/status; "+
		"grep -q \"^svc_fmri svc:/$f:default\" $s && grep -q '^member' $s || echo $f $s; done", 0, "", "")
}
