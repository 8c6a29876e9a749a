package daemons

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// crash is something that happens to a daemon.
type crash struct {
	what string
	// do is a command: $M is its master, $W a process that the master started, $ALL are all.
	do string
	// stays: the service is not restarted; the daemon itself does what is to be done.
	stays bool
	// log is what svc.startd says of it.
	log string
	// exit: it is of the class of an end without a fault, which fewer dependents hear of.
	exit bool
	// worker: the daemon is to have one.
	worker bool
}

// What svc.startd says.
const (
	bySignal = "Stopping because process received fatal signal from outside the service."
	byCore   = "Stopping because process dumped core."
	byExit   = "Stopping because all processes in service exited."
)

// withCore has $M or $W crash by itself, and dump core: where it goes on when it next wakes stands
// an instruction that it may not execute. A signal that is sent to it would be another event.
func withCore(whose string) string {
	return `
bad='\364' # hlt
[ "$(uname -m)" = x86_64 ] || bad='\0\0\0\0'
prlimit --pid ` + whose + ` --core=unlimited:unlimited
until pc=$(sed -n 's/.* 0x/0x/p' /proc/` + whose + `/syscall) && [ "$pc" ]; do sleep 0.01; done
printf "$bad" | dd of=/proc/` + whose + `/mem bs=1 seek=$((pc)) conv=notrunc status=none
kill -HUP ` + whose
}

func (d *daemon) crash(z *zone, c crash) {
	z.t.Helper()
	before := d.running(z)
	if c.worker && d.worker != "" {
		z.in(d.worker)
		before = d.withWorker(z)
	}
	hit := before.worker(d.workerHas)
	dependents := d.dependentStarts(z)
	var all []string
	for _, p := range before.members {
		all = append(all, fmt.Sprint(p.pid))
	}
	text, _ := z.try(fmt.Sprintf("wc -l <"+logOf(d.fmri)+"\nM=%d W=%d ALL='%s'\n{ %s\n} >/dev/null 2>&1", before.master().pid, hit.pid, strings.Join(all, " "), c.do))
	lines, began := strings.TrimSpace(text), time.Now()
	if c.stays {
		d.stayed(z, c, before, hit)
	} else {
		d.restarted(z, c, before, lines)
	}
	z.t.Logf("%s: %.1f s until it was seen to run", c.what, time.Since(began).Seconds())
	d.checkDependents(z, c, dependents)
}

// withWorker waits until a process that it was asked for is there.
func (d *daemon) withWorker(z *zone) service {
	z.t.Helper()
	var s service
	z.wait(20*time.Second, "a worker", func() (string, bool) {
		s = z.look(d.fmri)
		return fmt.Sprintf("%+v", s), s.agree() && s.worker(d.workerHas).pid != 0
	})
	return s
}

// stayed: who was hit is gone, and everything else as it was.
func (d *daemon) stayed(z *zone, c crash, before service, hit process) {
	z.t.Helper()
	z.wait(20*time.Second, "the end of who was hit", func() (string, bool) {
		s := z.look(d.fmri)
		return fmt.Sprintf("%+v", s), !s.has(hit)
	})
	d.same(z, before, c.what)
}

// restarted: once, with another contract and nobody of the one before.
func (d *daemon) restarted(z *zone, c crash, before service, lines string) {
	z.t.Helper()
	z.wait(30*time.Second, "a restart: "+c.what, func() (string, bool) {
		s := z.look(d.fmri)
		return fmt.Sprintf("before %+v\nafter %+v\n%s", before, s, z.in("tail -n +"+lines+" "+logOf(d.fmri))), s.starts > before.starts
	})
	after := d.running(z)
	if after.starts != before.starts+1 || after.ctid == before.ctid {
		z.t.Errorf("%s: %s\nbefore %+v\nafter  %+v", d.fmri, c.what, before, after)
	}
	for _, p := range after.members {
		if before.has(p) {
			z.t.Errorf("%s: %s: %+v is of before", d.fmri, c.what, p)
		}
	}
	log := z.in("tail -n +$((" + lines + " + 1)) " + logOf(d.fmri))
	if strings.Count(log, "Stopping because ") != 1 || !strings.Contains(log, c.log) {
		z.t.Errorf("%s: %s: %q is not what the log says\n%s", d.fmri, c.what, c.log, log)
	}
	if d.kept != "" {
		z.until(d.kept)
	}
}

// addDependents imports services that depend on the daemon, one for each restart_on.
func (d *daemon) addDependents(z *zone) {
	z.t.Helper()
	for _, on := range d.dependents {
		path := "/var/tmp/on-" + on + ".xml"
		z.write(path, `<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='on-`+on+`'><service name='site/on-`+on+`' type='service' version='1'>
<create_default_instance enabled='true'/>
<dependency name='daemon' grouping='require_all' restart_on='`+on+`' type='service'><service_fmri value='`+d.fmri+`'/></dependency>
<exec_method type='method' name='start' exec=':true' timeout_seconds='3'/>
<exec_method type='method' name='stop' exec=':true' timeout_seconds='3'/>
<property_group name='startd' type='framework'><propval name='duration' type='astring' value='transient'/></property_group>
</service></service_bundle>
`)
		z.in("svccfg import " + path)
	}
	z.wait(20*time.Second, "the dependents", func() (string, bool) {
		got := d.dependentStarts(z)
		return fmt.Sprint(got), len(got) == len(d.dependents) && !slices.Contains(slices.Collect(maps.Values(got)), -1)
	})
}

// dependentStarts is how often each was started; -1 for one that is not online, or not at rest.
func (d *daemon) dependentStarts(z *zone) map[string]int {
	z.t.Helper()
	starts := map[string]int{}
	if d.dependents == nil {
		return starts
	}
	for line := range strings.Lines(z.in("svcs -Ho inst,svc,state,nstate 'site/on-*'; grep -c 'Executing start method' /var/svc/log/site-on-*")) {
		f := strings.Fields(line)
		if len(f) == 4 && (f[2] != "online" || f[3] != "-") {
			starts[strings.TrimPrefix(f[1], "site/on-")] = -1
		}
		if path, n, counted := strings.Cut(strings.TrimSpace(line), ".log:"); counted {
			on := strings.TrimSuffix(strings.TrimPrefix(path, "/var/svc/log/site-on-"), ":default")
			if starts[on] == 0 {
				starts[on], _ = strconv.Atoi(n)
			}
		}
	}
	return starts
}

// checkDependents: an error is heard of by all who asked for anything, an end by those who asked
// for more than errors, and what did not happen by nobody.
func (d *daemon) checkDependents(z *zone, c crash, before map[string]int) {
	z.t.Helper()
	if d.dependents == nil {
		return
	}
	want := map[string]int{}
	for on, n := range before {
		if !c.stays && on != "none" && (on != "error" || !c.exit) {
			n++
		}
		want[on] = n
	}
	z.wait(20*time.Second, fmt.Sprintf("starts of dependents as %v: %s", want, c.what), func() (string, bool) {
		got := d.dependentStarts(z)
		return fmt.Sprint(got), maps.Equal(got, want)
	})
}
