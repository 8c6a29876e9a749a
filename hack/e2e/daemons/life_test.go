package daemons

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/internal/testenv"
)

// daemon is one of the distribution's, and how one sees what it does. Commands are run in the
// zone, by its root.
type daemon struct {
	fmri     string
	manifest string // below configs/smf/manifest
	// configured is the entity that has the methods.
	configured string
	comm, user string // of its master
	uid        string // the user's
	prepare    string // before it is enabled
	answers    string // succeeds when it does
	change     string // changes the configuration
	changed    string // succeeds when that is in force
	// wrong makes the configuration wrong, which is in the log then; right takes it back.
	wrong, wrongSays, right string
	// worker has it start a process that stays, where it has none by itself; workerHas is the name
	// of the last that comes with it.
	worker, workerHas string
	crashes           []crash
	// kept succeeds when its data are still there.
	kept string
	// atLast succeeds at the end of all, if not before.
	atLast string
	// dependents are services that depend on it, by their restart_on.
	dependents []string
	peculiar   func(d *daemon, z *zone)
}

// TestDaemons is all of it, in one zone: booting one takes longer than most of what is done there.
func TestDaemons(t *testing.T) {
	t.Parallel()
	z := newZone(t)
	list := []*daemon{nginx(), postgresql(), redis(), sshd(), cron()}
	z.t.Run("life", func(t *testing.T) {
		for _, d := range list {
			t.Run(d.comm, func(t *testing.T) {
				t.Parallel()
				d.life(z.of(t))
			})
		}
	})
	if t.Failed() {
		return
	}
	t.Run("svc.startd is killed", func(t *testing.T) { startdKilled(z.of(t), list) })
	t.Run("the zone is booted again", func(t *testing.T) { bootedAgain(z.of(t), list) })
}

func (d *daemon) life(z *zone) {
	d.uid = strings.TrimSpace(z.in("id -u " + d.user))
	began := time.Now()
	before := z.look(d.fmri).starts
	if d.prepare != "" {
		z.in(d.prepare)
	}
	z.in("svcadm enable -s " + d.fmri)
	if s := d.running(z); s.starts != max(before, 1) {
		z.t.Errorf("it was started %d times, and %d before it was enabled", s.starts, before)
	}
	step := func(what string) {
		z.t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
		began = time.Now()
	}
	step("start")
	d.refresh(z)
	step("refresh")
	if d.dependents != nil {
		d.addDependents(z)
	}
	for _, c := range d.crashes {
		d.crash(z, c)
	}
	step("crashes")
	d.stop(z)
	step("stop")
	d.upgrade(z)
	step("upgrade")
	if d.peculiar != nil {
		d.peculiar(d, z)
	}
}

// running waits until it is online and answers, and everybody knows the same processes of it.
func (d *daemon) running(z *zone) service {
	z.t.Helper()
	var s service
	z.wait(40*time.Second, d.fmri+" to run", func() (string, bool) {
		s = z.look(d.fmri)
		if s.state != "online" || s.next != "-" || !s.agree() {
			return z.in("svcs -l " + d.fmri + "; tail -n 20 " + logOf(d.fmri)), false
		}
		return z.try(d.answers)
	})
	if m := s.master(); m.comm != d.comm || m.uid != d.uid {
		z.t.Errorf("%s: the master is %+v", d.fmri, m)
	}
	return s
}

// same fails the test when the service was restarted, or its master is another.
func (d *daemon) same(z *zone, before service, what string) {
	z.t.Helper()
	after := d.running(z)
	if after.ctid != before.ctid || after.starts != before.starts || after.master().identity != before.master().identity {
		z.t.Errorf("%s: %s\nbefore %+v\nafter  %+v", d.fmri, what, before, after)
	}
}

// refresh: what is changed is in force, in the same process; what is wrong is told, and is not.
func (d *daemon) refresh(z *zone) {
	before := d.running(z)
	if d.change != "" {
		if said, ok := z.try(d.changed); ok {
			z.t.Errorf("%s: in force before it was changed: %s", d.fmri, said)
		}
		z.in(d.change + "\nsvcadm refresh " + d.fmri)
		z.until(d.changed)
		d.same(z, before, "refreshed")
	}
	if d.wrong != "" {
		z.in(d.wrong + "\nsvcadm refresh " + d.fmri)
		z.until("grep -q '" + d.wrongSays + "' " + logOf(d.fmri))
		d.same(z, before, "refreshed with a wrong configuration")
		z.until(d.changed)
		z.in(d.right + "\nsvcadm refresh " + d.fmri)
		d.same(z, before, "refreshed when it was right again")
	}
	z.in("svcadm refresh " + d.fmri)
	d.same(z, before, "refreshed for nothing")
}

// stop: nothing is left of it, neither processes nor its contract, and it comes back with its data.
func (d *daemon) stop(z *zone) {
	before := d.running(z)
	z.in("svcadm disable -s " + d.fmri)
	s := z.look(d.fmri)
	if s.state != "disabled" || s.ctid != "-" || len(s.shown) != 0 || s.starts != before.starts {
		z.t.Errorf("%s is disabled: %+v", d.fmri, s)
	}
	for _, command := range []string{
		"pgrep -x " + d.comm,
		"grep -l '/ct/" + before.ctid + "/' /proc/[0-9]*/cgroup",
		"grep -v '^state dead' /system/contract/process/" + before.ctid + "/status | grep ^state", // a dead one may be remembered
		d.answers,
	} {
		z.wait(10*time.Second, d.fmri+" to be gone: "+command, func() (string, bool) {
			said, ok := z.try(command)
			return said, !ok
		})
	}
	z.in("svcadm enable -st " + d.fmri)
	if after := d.running(z); after.starts != before.starts+1 {
		z.t.Errorf("%s was started %d times, and %d before", d.fmri, after.starts, before.starts)
	}
	if d.kept != "" {
		z.until(d.kept)
	}
	z.in("svcadm enable -s " + d.fmri)
}

// upgrade: the next version of a manifest is imported while the service runs. What nobody has
// changed is the manifest's, what somebody has is his, and the daemon hears nothing of it.
func (d *daemon) upgrade(z *zone) {
	before := d.running(z)
	file := filepath.Join(testenv.Root(z.t), "configs/smf/manifest", d.manifest)
	text, err := os.ReadFile(file)
	if err != nil {
		z.t.Fatal(err)
	}
	first := string(text)
	// The first of each is start's; its timeout is the property that somebody changes.
	next := strings.Replace(first, "timeout_seconds='", "timeout_seconds='1", 1)
	next = strings.Replace(next, "<exec_method type='method' name='refresh' exec='", "<exec_method type='method' name='refresh' exec='/usr/bin/env ", 1)
	next = strings.ReplaceAll(next, "exec='/usr/bin/env :true'", "exec='/bin/true'")
	group := "<property_group name='site' type='application'><propval name='added' type='astring' value='by the next'/></property_group>\n"
	at := strings.LastIndex(next, "<exec_method")
	at += strings.Index(next[at:], "/>") + len("/>")
	next = next[:at] + group + next[at:]
	get := func(property string) string {
		z.t.Helper()
		return strings.TrimSpace(z.in("svcprop -p " + property + " " + d.fmri))
	}
	refresh := get("refresh/exec")
	z.in("svccfg -s " + d.configured + " setprop start/timeout_seconds=777; svcadm refresh " + d.fmri)
	path := "/var/tmp/" + d.comm + ".xml"
	z.write(path, next)
	said, ok := z.try("svccfg import " + path)
	if want := "Conflict upgrading svc:/" + d.configured; !ok || !strings.Contains(said, want) || !strings.Contains(said, `"start/timeout_seconds" has been customized`) {
		z.t.Errorf("import of the next: %v\n%s", ok, said)
	}
	if got := get("start/timeout_seconds"); got != "777" {
		z.t.Errorf("%s: what was customised is %q", d.fmri, got)
	}
	if got := get("refresh/exec"); got == refresh || !strings.HasPrefix(got, "/usr/bin/env") && got != "/bin/true" {
		z.t.Errorf("%s: what nobody changed is %q, and not the next manifest's", d.fmri, got)
	}
	if got := get("site/added"); got != `by\ the\ next` {
		z.t.Errorf("%s: what is new is %q", d.fmri, got)
	}
	d.same(z, before, "its manifest is the next")
	z.in("svcadm refresh " + d.fmri)
	z.until("grep -q 'Executing refresh method (\"/usr/bin/env\\|Executing refresh method (\"/bin/true' " + logOf(d.fmri))
	d.same(z, before, "refreshed by the next method")

	z.write(path, first)
	z.in("svccfg import " + path)
	if _, ok := z.try("svcprop -qp site/added " + d.fmri); ok || get("refresh/exec") != refresh || get("start/timeout_seconds") != "777" {
		z.t.Errorf("%s: with the first manifest again: %s", d.fmri, z.in("svcprop "+d.fmri))
	}
	d.same(z, before, "its manifest is the first again")
}
