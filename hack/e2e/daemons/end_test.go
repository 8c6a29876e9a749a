package daemons

import (
	"strconv"
	"strings"
	"time"
)

// startdKilled: svc.startd is killed again and again while all daemons run. None of them hears of
// it, and the next svc.startd looks after them as the one before did.
func startdKilled(z *zone, list []*daemon) {
	before := map[string]service{}
	for _, d := range list {
		before[d.fmri] = d.running(z)
	}
	z.in(`
for i in 1 2 3; do
	was=$(pgrep -o svc.startd)
	kill -9 $was
	until now=$(pgrep -o svc.startd) && [ $now != $was ] && svcs -Ho state cron | grep -q online; do sleep 0.05; done
done`)
	for _, d := range list {
		d.same(z, before[d.fmri], "svc.startd was killed")
	}
	// One that dies while nobody is there is found out about.
	pid := strings.TrimSpace(z.in("pgrep -o svc.startd"))
	all := "kill -9 " + pid
	for _, d := range list {
		all += "; kill -9 " + strconv.Itoa(before[d.fmri].master().pid)
	}
	z.in(all)
	for _, d := range list {
		z.wait(30*time.Second, "the restart of "+d.fmri, func() (string, bool) {
			s := z.look(d.fmri)
			return z.in("svcs -l " + d.fmri), s.starts > before[d.fmri].starts
		})
		if s := d.running(z); s.starts != before[d.fmri].starts+1 {
			z.t.Errorf("%s: %d starts, and %d before", d.fmri, s.starts, before[d.fmri].starts)
		}
	}
}

// bootedAgain: a halt gives nobody time to clean up, a shutdown stops the services in order. All come
// back by themselves, with their data, whatever pid files lie about; the database knows which it was.
func bootedAgain(z *zone, list []*daemon) {
	for _, end := range []struct{ verb, found string }{{"halt", "not"}, {"shutdown", "shut"}} {
		before := map[string]service{}
		for _, d := range list {
			before[d.fmri] = d.running(z)
		}
		z.close()
		z.Must("zoneadm", "-z", zoneName, end.verb)
		z.Must("zoneadm", "-z", zoneName, "boot")
		for _, d := range list {
			s := d.running(z)
			if s.starts != before[d.fmri].starts+1 {
				z.t.Errorf("%s: %s: %d starts, and %d before", d.fmri, end.verb, s.starts, before[d.fmri].starts)
			}
			if d.kept != "" {
				z.until(d.kept)
			}
		}
		found := strings.TrimSpace(z.in("sed -n 's/.*database system was \\([a-z]*\\) .*/\\1/p' " + logOf(postgresql().fmri) + " | tail -n 1"))
		if found != end.found {
			z.t.Errorf("after %s: the database system was %s ...", end.verb, found)
		}
	}
	for _, d := range list {
		if d.atLast != "" {
			z.wait(130*time.Second, "success of: "+d.atLast, func() (string, bool) { return z.try(d.atLast) })
		}
	}
	if said, _ := z.try("svcs -x"); said != "" {
		z.t.Errorf("svcs -x: %s", said)
	}
}
