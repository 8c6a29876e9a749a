package svcs

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// system is a repository with an instance in each state, and two scripts.
func system(t testing.TB) *rig {
	r := newRig(t)
	r.is("svc:/network/web:one", online, of(prop.Count, "contract", "44"), ago(90*time.Minute))
	r.is("svc:/network/web:two", disabled, ago(48*time.Hour))
	r.is("svc:/network/ssh:default", "offline/online", of(prop.Count, "contract", "7", "8"), ago(4*time.Hour))
	r.is("svc:/site/old:default", maintenance, ago(400*24*time.Hour), str("auxiliary_state", "method_failed"))
	r.is("svc:/site/slow:default", degraded, ago(5*time.Hour), of(prop.FMRI, "restarter", "svc:/network/inetd:default"))
	r.is("svc:/site/temp:default", disabled, yes("over"), ago(10*time.Second))
	r.is("svc:/site/new:default", uninitialized, ago(3*time.Second))
	r.is("svc:/site/blank:default", "")
	r.called("svc:/network/web:one", "a web\nserver")
	r.fill(func(b *repo.Batch) {
		e := repo.Entity{Service: "smf/legacy_run"}
		b.Ensure(e)
		b.PutGroup(e, volatileGroup("rc2_d_S20sysetup", str("name", "/etc/rc2_d/S20sysetup"), ago(6*time.Hour), of(prop.Count, "contract", "5")))
		b.PutGroup(e, volatileGroup("rc3_d_S90x", ago(6*time.Hour)))
	})
	return r
}

func TestTable(t *testing.T) {
	r := system(t)
	const usual = `STATE          STIME    FMRI
legacy_run      6:00:00 lrc:/etc/rc2_d/S20sysetup
legacy_run      6:00:00 lrc:unknown
disabled       11:59:50 svc:/site/temp:default
online         10:30:00 svc:/network/web:one
degraded        7:00:00 svc:/site/slow:default
offline*        8:00:00 svc:/network/ssh:default
maintenance    2023     svc:/site/old:default
uninitialized  11:59:57 svc:/site/new:default
-              -        svc:/site/blank:default
`
	r.says("", usual)
	r.says("-H", "legacy_run\t6:00:00\tlrc:/etc/rc2_d/S20sysetup\nlegacy_run\t6:00:00\tlrc:unknown\ndisabled\t11:59:50\tsvc:/site/temp:default\n"+
		"online\t10:30:00\tsvc:/network/web:one\ndegraded\t7:00:00\tsvc:/site/slow:default\noffline*\t8:00:00\tsvc:/network/ssh:default\n"+
		"maintenance\t2023\tsvc:/site/old:default\nuninitialized\t11:59:57\tsvc:/site/new:default\n-\t-\tsvc:/site/blank:default\n")
	r.says("-a", strings.Replace(usual, "disabled       11:59", "disabled       Mar_13   svc:/network/web:two\ndisabled       11:59", 1))
	r.says("-v", `STATE          NSTATE        STIME    CTID   FMRI
legacy_run     -              6:00:00      5 lrc:/etc/rc2_d/S20sysetup
legacy_run     -              6:00:00      - lrc:unknown
disabled       -             11:59:50      - svc:/site/temp:default
online         -             10:30:00     44 svc:/network/web:one
degraded       -              7:00:00      - svc:/site/slow:default
offline        online         8:00:00     7* svc:/network/ssh:default
maintenance    -             2023          - svc:/site/old:default
uninitialized  -             11:59:57      - svc:/site/new:default
-              -             -             - svc:/site/blank:default
`)
}

func TestColumns(t *testing.T) {
	r := system(t)
	r.says("-o ctid,s,N,sn,sta,NSTA,scope,svc,inst,zone network/web:one ssh", `CTID   S  N SN STA  NSTA SCOPE                SVC                  INST                 ZONE
    44 1  - 1- ON   -    localhost            network/web          one                  web
    7* 0  1 01 OFF  ON   localhost            network/ssh          default              web
`)
	r.says("-Ho ctid,s,N,sn,sta,NSTA,scope,svc,inst,zone network/web:one ssh", "44\t1\t-\t1-\tON\t-\tlocalhost\tnetwork/web\tone\tweb\n"+
		"7*\t0\t1\t01\tOFF\tON\tlocalhost\tnetwork/ssh\tdefault\tweb\n")
	r.says("-o S,STA,STATE,FMRI ssh", "S  STA  STATE          FMRI\n0* OFF* offline*       svc:/network/ssh:default\n")
	r.says("-o desc,fmri web:*", pad("DESC", 100)+" FMRI\n"+pad("-", 100)+" svc:/network/web:two\n"+pad("a web server", 100)+" svc:/network/web:one\n")
	r.says("-Ho svc,inst,sn,nstate,nsta,stime,desc,fmri lrc:*", "/etc/rc2_d/S20sysetup\t-\tL-\t-\t-\t6:00:00\t-\tlrc:/etc/rc2_d/S20sysetup\n"+
		"unknown\t-\tL-\t-\t-\t6:00:00\t-\tlrc:unknown\n")
	r.says("-o n,n", "N N\n- -\n- -\n- -\n- -\n- -\n1 1\n- -\n- -\n- -\n")
	// What scripts rely on: one word a line, and names of columns in either case.
	r.says("-a -H -o FMRI web:one", "svc:/network/web:one\n", "svcs: -a ignored when used with arguments.\n")
	r.says("-H -o STATE svc:/network/web:one", "online\n")
	r.says("-HoState site/blank", "-\n")
	r.says("-o fmri,none", "", "svcs: Unknown column \"none\".\n", 1)
	r.says("-o fmri,", "", "svcs: Unknown column \"\".\n", 1)
	r.says("-o "+strings.Repeat("n,", optionsMax)+"n", "", "svcs: Too many columns.\n", 1)
}

func TestOrder(t *testing.T) {
	r := system(t)
	const instances = " web:* ssh old slow temp new"
	for keys, want := range map[string]string{
		"-s fmri":           "network/ssh:default network/web:one network/web:two site/new:default site/old:default site/slow:default site/temp:default",
		"-S FMRI":           "site/temp:default site/slow:default site/old:default site/new:default network/web:two network/web:one network/ssh:default",
		"-s stime":          "site/old:default network/web:two site/slow:default network/ssh:default network/web:one site/temp:default site/new:default",
		"-S state -s stime": "site/new:default site/old:default network/ssh:default site/slow:default network/web:one network/web:two site/temp:default",
		"-s ctid -s fmri":   "network/web:two site/new:default site/old:default site/slow:default site/temp:default network/ssh:default network/web:one",
		"-s inst -S svc":    "site/temp:default site/slow:default site/old:default site/new:default network/ssh:default network/web:one network/web:two",
		"-s nstate -s fmri": "network/ssh:default network/web:one network/web:two site/new:default site/old:default site/slow:default site/temp:default",
		"-s sn -s fmri":     "network/web:two site/temp:default network/web:one site/slow:default network/ssh:default site/old:default site/new:default",
	} {
		out, errs, code := r.run("-Ho fmri " + keys + instances)
		if got := strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(out), "\n", " "), "svc:/", ""); got != want || errs != "" || code != 0 {
			t.Errorf("%s: %d %s\n%s, want\n%s", keys, code, errs, got, want)
		}
	}
	r.says("-s none", "", "svcs: Unrecognized sort column \"none\".\n", 1)
	r.says(strings.Repeat("-s n ", optionsMax+1), "", "svcs: Too many sort criteria.\n", 1)
}

func TestOperands(t *testing.T) {
	r := system(t)
	one := "svc:/network/web:one\n"
	r.says("-Ho fmri svc:/network/web:one web:one network/web:one svc://localhost/network/web:one :one one", one)
	r.says("-Ho fmri svc:/network/web", "svc:/network/web:two\n"+one)
	r.says("-Ho fmri S20sysetup", "lrc:/etc/rc2_d/S20sysetup\n")
	r.says("-Ho fmri lrc:/etc/rc2_d/S20sysetup", "lrc:/etc/rc2_d/S20sysetup\n")
	r.says("-Ho fmri nothing one", one, "svcs: Pattern 'nothing' doesn't match any instances\n", 1)
	r.says("svc:/9 -H", "STATE          STIME    FMRI\n", "svcs: Pattern 'svc:/9' doesn't match any instances\nsvcs: Pattern '-H' doesn't match any instances\n", 1)
	r.says("-H smf/legacy_run", "", "svcs: Pattern 'smf/legacy_run' doesn't match any instances\n", 1)
	if _, errs, code := r.args("-H", "x\x1b[2J\nsvcs: y"); code != 1 || errs != "svcs: Pattern 'x?[2J\nsvcs: svcs: y' doesn't match any instances\n" {
		t.Errorf("%d %q", code, errs)
	}
	if _, errs, code := r.args("-H", strings.Repeat("x", 1024)); code != 1 || strings.Count(errs, "\n") != 1 {
		t.Errorf("%d %q", code, errs)
	}
	r.says("-HR svc:/network/inetd:default", "degraded\t7:00:00\tsvc:/site/slow:default\n")
	r.says("-HR svc://localhost/network/inetd:default -R svc:/system/svc/restarter:default -o fmri -s fmri", `svc:/network/ssh:default
svc:/network/web:one
svc:/network/web:two
svc:/site/blank:default
svc:/site/new:default
svc:/site/old:default
svc:/site/slow:default
svc:/site/temp:default
`)
	r.says("-R inetd", "", "svcs: Restarter FMRI \"inetd\" is invalid.\n", 1)
	r.says("-R svc:/network/inetd", "", "svcs: Restarter FMRI \"svc:/network/inetd\" does not designate an instance.\n", 1)
	r.says("-R svc:/a:b/:properties/c", "", "svcs: Restarter FMRI \"svc:/a:b/:properties/c\" does not designate an instance.\n", 1)
}

func TestUsage(t *testing.T) {
	r := system(t)
	for _, line := range []string{
		"-q", "-o", "-R", "-s", "-S", "-z", "-l", "-d", "-D", "-ld x", "-xl", "-x -p", "-xH", "-lo fmri x", "-l -s fmri x", "-da x", "-aL x", "-dR svc:/a:b x", "-dD x", "-xa",
	} {
		r.says(line, "", usage, 2)
	}
	out, errs, code := r.run("-a?")
	if code != 0 || errs != "" || !strings.HasPrefix(out, usage) || !strings.Contains(out, "\n\tNSTATE  next state\n") || strings.Count(out, "\n\t") < len(columns) {
		t.Errorf("%d %s%s", code, out, errs)
	}
	r.says("-z a x", "", "svcs: svcs -z may only be used from the global zone\n", 1)
	r.says("-Z", "", "svcs: svcs -Z may only be used from the global zone\n", 1)
	r.says("-Zz a", "", usage, 2)
	r.says("-H -- -x", "", "svcs: Pattern '-x' doesn't match any instances\n", 1)
}

func TestDependencies(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"svc:/a:one", "svc:/a:two", "svc:/b:b", "svc:/c:c", "svc:/d:d", "svc:/e:e"} {
		r.is(name, online)
	}
	r.needs("svc:/b:b", "require_all", "svc:/a", "svc:/c:c", "svc:/none:none", "svc:/void")
	r.needs("svc:/b:b", "exclude_all", "svc:/d:d")
	r.needs("svc:/d", "optional_all", "svc:/a:one", "svc:/b:b") // its instance has it from the service
	r.needs("svc:/e:e", "require_any", "svc:/a:two", "svc:/a:two")
	r.needs("svc:/e:e", "require_all", "file:///etc/passwd")
	r.fill(func(b *repo.Batch) {
		// What is wrong is passed over.
		b.PutGroup(entity(t, "svc:/e:e"), groupOf("odd", "dependency", of(prop.Count, "grouping", "1"), of(prop.FMRI, "entities", "svc:/d:d")))
		b.PutGroup(entity(t, "svc:/e:e"), groupOf("half", "dependency", str("grouping", "require_all")))
		b.PutGroup(entity(t, "svc:/e:e"), groupOf("text", "dependency", str("grouping", "require_all"), str("entities", "", "x y", "svc:/c/:properties/x")))
	})
	r.says("-dHo fmri b", "svc:/a:one\nsvc:/a:two\nsvc:/c:c\n")
	r.says("-do fmri d", "FMRI\nsvc:/a:one\nsvc:/b:b\n")
	r.says("-dHo fmri e c", "svc:/a:two\nsvc:/a:two\n")
	r.says("-dH none", "", "svcs: Pattern 'none' doesn't match any instances\n", 1)
	r.says("-DHo fmri a:one", "svc:/b:b\nsvc:/d:d\n")
	r.says("-DHo fmri a:two", "svc:/b:b\nsvc:/e:e\n")
	r.says("-DHo fmri svc:/a", "svc:/b:b\n")
	r.says("-DHo fmri a", "svc:/b:b\nsvc:/d:d\nsvc:/e:e\n")
	r.says("-DHo fmri d:d", "")
	r.says("-DHo fmri c", "svc:/b:b\n")
	r.says("-DHS fmri -o fmri a:one", "svc:/d:d\nsvc:/b:b\n")
	// Dependencies are those of the running snapshot.
	r.fill(func(b *repo.Batch) { b.TakeSnapshot(entity(t, "svc:/b:b"), repo.Running) })
	r.fill(func(b *repo.Batch) { b.DeleteGroup(entity(t, "svc:/b:b"), "d_require_all_service") })
	r.says("-DHo fmri c", "svc:/b:b\n")
}

func TestProcesses(t *testing.T) {
	r := system(t)
	r.members = map[uint64][]int{44: {812, 99, 100}, 5: {6}, 8: {70}, 7: {71}}
	r.procs = map[int]Process{
		99: {"httpd", "/usr/sbin/httpd -k start", noon.Add(-90 * time.Minute)}, 812: {"ev\x1b[2J\nil", "x", noon.Add(-30 * 24 * time.Hour)}, 6: {"sh", "sh -c x", noon},
		70: {"sshd", "sshd", noon}, 71: {"start", "start", noon},
	}
	r.says("-p web:one", `STATE          STIME    FMRI
online         10:30:00 svc:/network/web:one
               10:30:00       99 httpd
               Feb_14        812 ev?[2J?il
`)
	r.says("-pHo fmri ssh lrc:/etc/rc2_d/S20sysetup old", `lrc:/etc/rc2_d/S20sysetup
               12:00:00        6 sh
svc:/network/ssh:default
               12:00:00       70 sshd
               12:00:00       71 start
svc:/site/old:default
`)
	for line := range strings.Lines("               10:30:00       99 httpd\n") {
		if strings.Fields(line)[1] != "99" {
			t.Error("the pid is not the second field")
		}
	}
	r.env.Members = func(string, []uint64) (map[uint64]Held, error) { return nil, errors.New("there are none") }
	r.says("-pHo fmri web:one", "svc:/network/web:one\n", "svcs: Could not read status of contracts: there are none.\n", 1)
	r.says("-pHo fmri old", "svc:/site/old:default\n") // which has none to ask for
}

func TestZones(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"alpha", "beta"} {
		s := newStore(t)
		r.zones[name] = s
		fillStore(t, s, func(b *repo.Batch) {
			put(t, b, "svc:/site/"+name+":default", online)
			put(t, b, "svc:/site/both:default", disabled)
		})
	}
	r.env.Open = func() (door.Store, error) { return nil, errors.New("there is none here") }
	r.env.Zone = func(name string) (door.Store, error) {
		if s := r.zones[name]; s != nil {
			return kept{s}, nil
		}
		return nil, errors.New("there is no such zone")
	}
	r.env.Zones = func() ([]string, error) { return []string{"beta", "gone", "alpha"}, nil }
	gone := "svcs: Could not bind to repository server for zone gone: there is no such zone\n"
	r.says("", "", "svcs: Could not bind to repository server: there is none here.  Exiting.\n", 1)
	r.says("-z alpha", "STATE          STIME    FMRI\nonline         11:00:00 svc:/site/alpha:default\n")
	r.says("-z other", "", "svcs: invalid zone 'other': there is no such zone\n", 1)
	r.says("-Hz beta -o zone,fmri -a", "beta\tsvc:/site/both:default\nbeta\tsvc:/site/beta:default\n")
	r.says("-Z", `ZONE             STATE          STIME    FMRI
alpha            online         11:00:00 svc:/site/alpha:default
beta             online         11:00:00 svc:/site/beta:default
`, gone, 1)
	r.env.Zones = func() ([]string, error) { return []string{"beta", "alpha"}, nil }
	r.says("-ZHo zone,fmri both", "alpha\tsvc:/site/both:default\nbeta\tsvc:/site/both:default\n")
	r.says("-ZHo fmri alpha", "svc:/site/alpha:default\n") // of one zone is enough
	r.says("-ZHo fmri alpha none", "svc:/site/alpha:default\n", 1)
	r.says("-ZL both", "")
	r.env.Zones = func() ([]string, error) { return nil, errors.New("no permission") }
	r.says("-Z", "", "svcs: could not get zone list: no permission\n", 1)
}

// refusing is a full disk or a closed pipe.
type refusing struct{ writes int }

func (w *refusing) Write([]byte) (int, error) {
	w.writes++
	return 0, errors.New("no space left on device")
}

func TestFullDisk(t *testing.T) {
	r := system(t)
	var errs strings.Builder
	w := &refusing{}
	env := r.env
	env.Out, env.Err = w, &errs
	if code := Main(&env, []string{"-a"}); code != 1 || errs.String() != "svcs: write: no space left on device\n" || w.writes != 1 {
		t.Errorf("%d %s", code, &errs)
	}
}

// TestMoments is the table of how times are written.
func TestMoments(t *testing.T) {
	r := &run{now: noon}
	for ago, want := range map[time.Duration]string{
		0: "12:00:00", -time.Hour: "13:00:00", 3 * time.Hour: " 9:00:00", day - time.Second: "12:00:01", day: "Mar_14  ", year - time.Second: "Mar_21  ",
		year: "2023    ", 3 * 365 * day: "2021    ",
	} {
		if got := r.moment(noon.Add(-ago)); got != want {
			t.Errorf("%v ago: %q, want %q", ago, got, want)
		}
	}
	if got := r.moment(time.Unix(0, 0)); got != "1970    " {
		t.Errorf("%q", got)
	}
	if got := r.fullTime(time.Date(2024, 3, 5, 4, 5, 6, 0, time.UTC)); got != "Tue Mar  5 04:05:06 2024" {
		t.Errorf("%q", got)
	}
}
