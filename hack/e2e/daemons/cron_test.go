package daemons

import (
	"fmt"
	"time"
)

func cron() *daemon {
	const table = "/etc/cron.d/minute"
	return &daemon{
		fmri: "svc:/system/cron:default", manifest: "system/cron.xml", configured: "system/cron",
		comm: "cron", user: "root",
		prepare: "echo '* * * * * root touch /var/tmp/first' >" + table,
		// It answers nobody: it holds its pid file.
		answers: "[ \"$(pgrep -x -o cron)\" = \"$(cat /run/crond.pid)\" ]",
		change:  "echo '* * * * * root touch /var/tmp/second' >" + table + "\nrm -f /var/tmp/first",
		changed: "! grep -q first " + table,
		// With the next minute, while all else goes on.
		atLast: "test -e /var/tmp/second && test ! -e /var/tmp/first",
		crashes: []crash{
			{what: "it is killed", do: "kill -9 $M", log: byExit, exit: true},
			{what: "it dumps core", do: withCore("$M"), log: byExit, exit: true},
			{what: "it ends", do: "kill -TERM $M", log: byExit, exit: true},
		},
		peculiar: jobs,
	}
}

// jobs: what runs when a system starts runs in the service's contract. That a job is killed ends
// nothing; when cron is killed while a job runs, the last job's end is what restarts it.
func jobs(d *daemon, z *zone) {
	z.in("svcadm disable -s cron; rm -f /run/crond.reboot; printf '@reboot root exec sleep %s\\n' 2001 2002 >/etc/cron.d/reboot; svcadm enable -s cron")
	var s service
	sleeps := func() (list []process) {
		for _, p := range s.members {
			if p.comm == "sleep" {
				list = append(list, p)
			}
		}
		return list
	}
	z.wait(20*time.Second, "two jobs", func() (string, bool) {
		s = z.look(d.fmri)
		return fmt.Sprintf("%+v", s), s.agree() && len(sleeps()) == 2
	})
	before, one := d.running(z), sleeps()[0]
	z.in(fmt.Sprintf("rm /etc/cron.d/reboot; kill -9 %d", one.pid))
	z.wait(20*time.Second, "the end of a job", func() (string, bool) {
		s = z.look(d.fmri)
		return fmt.Sprintf("%+v", s), s.agree() && !s.has(one)
	})
	d.same(z, before, "a job was killed")
	z.in(fmt.Sprintf("kill -9 %d", before.master().pid))
	z.wait(20*time.Second, "the end of cron", func() (string, bool) {
		s = z.look(d.fmri)
		return fmt.Sprintf("%+v", s), s.agree() && !s.has(before.master())
	})
	if s.state != "online" || s.starts != before.starts || len(sleeps()) != 1 {
		z.t.Errorf("while a job runs: %+v", s)
	}
	z.in(fmt.Sprintf("kill -9 %d", sleeps()[0].pid))
	z.wait(20*time.Second, "the restart", func() (string, bool) {
		s = z.look(d.fmri)
		return fmt.Sprintf("%+v", s), s.starts == before.starts+1
	})
	d.running(z)
}
