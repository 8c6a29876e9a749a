package svcs

import (
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

const since = " since Fri Mar 15 11:00:00 2024\n"

func see(code string) string { return "   See: http://illumos.org/msg/SMF-8000-" + code + "\n" }

const alone = "Impact: This service is not running.\n"

// TestReasons is the table of what is said of one instance that has nothing to do with others.
func TestReasons(t *testing.T) {
	aux := func(s string) tree.Property { return str("auxiliary_state", s) }
	status := func(s string) tree.Property { return of(prop.Integer, "start_method_waitstatus", s) }
	for _, c := range []struct {
		state string
		props []tree.Property
		want  string // between the lines of the state and the impact
	}{
		{"online", nil, ""},
		{"degraded", nil, "Reason: Degraded by an administrator.\n" + see("DX")},
		{"disabled", nil, "Reason: Disabled by an administrator.\n" + see("05")},
		{"disabled", []tree.Property{str("comment", "as asked by Ann")}, "Reason: Disabled by an administrator: as asked by Ann\n" + see("05")},
		{"disabled", []tree.Property{yes("enabled"), no("over")}, "Reason: Temporarily disabled by an administrator.\n" + see("1S")},
		{"disabled", []tree.Property{no("enabled"), no("over")}, "Reason: Disabled by an administrator.\n" + see("05")},
		{"uninitialized", nil, "Reason: Restarter svc:/system/svc/restarter:default has not initialized service state.\n" + see("4D")},
		{"uninitialized", []tree.Property{str("restarter", "svc:/r:up")}, "Reason: Restarter svc:/r:up has not initialized service state.\n" + see("4D")},
		{"uninitialized", []tree.Property{str("restarter", "svc:/r:down")}, "Reason: Restarter svc:/r:down is not running.\n" + see("5H")},
		{"uninitialized", []tree.Property{str("restarter", "svc:/r:none")}, "Reason: Restarter \"svc:/r:none\" does not exist.\n" + see("3P")},
		{"uninitialized", []tree.Property{str("restarter", "svc:/r")}, "Reason: Restarter \"svc:/r\" is invalid.\n" + see("2A")},
		{"uninitialized", []tree.Property{str("restarter", "in\net\x1bd")}, "Reason: Restarter \"in?et?d\" is invalid.\n" + see("2A")},
		{"offline/online", nil, "Reason: Start method is running.\n" + see("C4")},
		{"offline/disabled", nil, "Reason: Transitioning to state disabled.\n" + see("PH")},
		{"offline", nil, "Reason: Unknown.\n" + see("AR")},
		{"offline", []tree.Property{aux("ct_ev_signal"), str("auxiliary_detail", "killed by SIGKILL from pid 812 (pkill), contract 44, svc:/site/cleaner:default")},
			"Reason: A process received a fatal signal from outside of the service.\n        killed by SIGKILL from pid 812 (pkill), contract 44, svc:/site/cleaner:default\n" + see("AR")},
		{"maintenance", []tree.Property{aux("ct_ev_core"), str("auxiliary_detail", "SIGSEGV\nReason: none \x1b[2J")}, "Reason: A process dumped core.\n        SIGSEGV?Reason: none ?[2J\n" + see("AR")},
		{"maintenance", []tree.Property{aux("restarting_too_quickly"), str("auxiliary_detail", "killed by SIGTERM")}, "Reason: Restarting too quickly.\n        killed by SIGTERM\n" + see("L5")},
		{"maintenance", []tree.Property{aux("ct_ev_hwerr")}, "Reason: A process was killed due to an uncorrectable hardware error.\n" + see("AR")},
		{"maintenance", []tree.Property{aux("administrative_request")}, "Reason: Maintenance requested by an administrator.\n" + see("63")},
		{"maintenance", []tree.Property{aux("service_request")}, "Reason: Maintenance requested by another service.\n" + see("R4")},
		{"maintenance", []tree.Property{aux("service_request"), str("auxiliary_fmri", "svc:/r:down")}, "Reason: Maintenance requested by \"svc:/r:down\"\n   See: /var/svc/log/r:down.log\n" + see("R4")},
		{"maintenance", []tree.Property{aux("dependency_cycle")}, "Reason: Completes a dependency cycle.\n" + see("HP")},
		{"maintenance", []tree.Property{aux("invalid_dependency")}, "Reason: Has invalid dependency.\n" + see("JA")},
		{"maintenance", []tree.Property{aux("invalid_restarter"), str("restarter", "x")}, "Reason: Restarter \"x\" is invalid.\n" + see("2A")},
		{"maintenance", []tree.Property{aux("none")}, "Reason: Restarter svc:/system/svc/restarter:default gave no explanation.\n" + see("9C")},
		{"maintenance", []tree.Property{aux("something_else")}, "Reason: Unknown.\n" + see("AR")},
		{"maintenance", []tree.Property{aux("method_failed")}, "Reason: Method failed.\n" + see("8Q")},
		{"maintenance", []tree.Property{aux("fault_threshold_reached")}, "Reason: Method failed repeatedly.\n" + see("7Y")},
		{"maintenance", []tree.Property{aux("method_failed"), status("0")}, "Reason: Method failed.\n" + see("8Q")},
		{"maintenance", []tree.Property{aux("method_failed"), status("24576")}, "Reason: Start method exited with $SMF_EXIT_ERR_CONFIG.\n" + see("KS")},
		{"maintenance", []tree.Property{aux("method_failed"), status("24320")}, "Reason: Start method exited with $SMF_EXIT_ERR_FATAL.\n" + see("KS")},
		{"maintenance", []tree.Property{aux("method_failed"), status("256")}, "Reason: Start method exited with status 1.\n" + see("KS")},
		{"maintenance", []tree.Property{aux("fault_threshold_reached"), status("9")}, "Reason: Start method failed repeatedly, last died on SIGKILL (9).\n" + see("KS")},
		{"maintenance", []tree.Property{aux("fault_threshold_reached"), status("139")}, "Reason: Start method failed repeatedly, last dumped core on SIGSEGV (11).\n" + see("KS")},
		{"maintenance", []tree.Property{aux("method_failed"), status("127")}, "Reason: Method failed.\n" + see("8Q")}, // stopped
		{"maintenance", []tree.Property{aux("method_failed"), status("99999999999")}, "Reason: Method failed.\n" + see("8Q")},
		{"maintenance", []tree.Property{aux("method_failed"), status("100")}, "Reason: Start method died on signal 100.\n" + see("KS")},
		{"maintenance", []tree.Property{aux("method_failed"), status("228")}, "Reason: Start method dumped core signal 100.\n" + see("KS")},
		{"sleeping", nil, "Reason: Not in valid state (sleeping).\n" + see("N3")},
	} {
		r := newRig(t)
		r.is("svc:/r:up", online)
		r.is("svc:/r:down", disabled, str("logfile", "/var/svc/log/r:down.log"))
		r.is("svc:/x:y", c.state, c.props...)
		state, _, _ := strings.Cut(c.state, "/")
		impact := alone
		if state == online || state == degraded {
			impact = "Impact: None.\n"
		}
		r.says("-x svc:/x:y", "svc:/x:y (?)\n State: "+state+since+c.want+impact)
	}
}

// TestDocuments: manual pages, links and log files, in this order, and the name.
func TestDocuments(t *testing.T) {
	r := newRig(t)
	r.is("svc:/x:y", disabled, str("logfile", "/var/svc/log/x:y.log"), str("alt_logfile", "/etc/svc/volatile/x:y.log"))
	r.called("svc:/x:y", "an example")
	r.fill(func(b *repo.Batch) {
		e := entity(t, "svc:/x")
		b.PutGroup(e, groupOf("tm_man_x8", "template", str("title", "x"), str("section", "8"), str("manpath", ":default")))
		b.PutGroup(e, groupOf("tm_man_y", "template", str("title", "y\x1b"), str("section", "1m"), str("manpath", "/opt/man")))
		b.PutGroup(e, groupOf("tm_man_bad", "template", str("title", "z")))
		b.PutGroup(e, groupOf("tm_doc_guide", "template", str("name", "guide"), of(prop.URI, "uri", "http://example.org/guide")))
	})
	const head = "svc:/x:y (an example)\n State: disabled" + since + "Reason: Disabled by an administrator.\n"
	const logs = "   See: /etc/svc/volatile/x:y.log\n   See: /var/svc/log/x:y.log\n" + alone
	r.says("-x x", head+see("05")+"   See: http://example.org/guide\n   See: x(8)\n   See: y?(1m)\n"+logs)
	r.says("-xv x", head+see("05")+"   See: http://example.org/guide\n   See: man -M /usr/share/man -s 8 x\n   See: man -M /opt/man -s 1m y?\n"+logs)
	// Elsewhere articles are found elsewhere, or nowhere.
	r.is(startd, online)
	base := func(values ...string) {
		r.fill(func(b *repo.Batch) {
			b.PutGroup(entity(t, startd), groupOf("msg", "application", str("base", values...)))
		})
	}
	base("https://example.org/")
	r.says("-x x", head+"   See: https://example.org/SMF-8000-05\n   See: http://example.org/guide\n   See: x(8)\n   See: y?(1m)\n"+logs)
	base()
	r.says("-x x", head+"   See: http://example.org/guide\n   See: x(8)\n   See: y?(1m)\n"+logs)
}

// shop is a repository in which things wait for each other:
//
//	shop needs web and db; web needs net; db needs net and a file; net is disabled.
//	queue needs a service that is not there; extra excludes cache, which runs.
func shop(t testing.TB) *rig {
	r := newRig(t)
	for _, name := range []string{"shop", "web", "db", "queue", "extra", "late"} {
		r.is("svc:/site/"+name+":default", offline)
	}
	r.is("svc:/net:default", disabled)
	r.is("svc:/site/cache:default", online)
	r.is("svc:/site/broken:default", maintenance, str("auxiliary_state", "method_failed"))
	r.is("svc:/site/off:default", disabled)
	r.needs("svc:/site/shop:default", "require_all", "svc:/site/web", "svc:/site/db:default")
	r.needs("svc:/site/web:default", "require_any", "svc:/net:default")
	r.needs("svc:/site/db:default", "require_all", "svc:/net")
	r.needs("svc:/site/db:default", "require_all", "file:///etc/db.conf")
	r.needs("svc:/site/queue:default", "require_all", "svc:/mq:default", "svc:/site/cache:default")
	r.needs("svc:/site/late:default", "require_all", "svc:/site/queue")
	r.needs("svc:/site/extra:default", "exclude_all", "svc:/site/cache:default")
	return r
}

func TestRoots(t *testing.T) {
	r := shop(t)
	const (
		net    = "svc:/net:default (?)\n State: disabled" + since + "Reason: Disabled by an administrator.\n"
		queue  = "svc:/site/queue:default (?)\n State: offline" + since + "Reason: Dependency svc:/mq:default is absent.\n"
		cache  = "svc:/site/cache:default (?)\n State: online" + since
		broken = "svc:/site/broken:default (?)\n State: maintenance" + since + "Reason: Method failed.\n"
		one    = "Impact: 1 dependent service is not running.  (Use -v for list.)\n"
	)
	r.says("-x", net+see("05")+"Impact: 3 dependent services are not running.  (Use -v for list.)\n\n"+
		cache+one+"\n"+queue+see("E2")+one+"\n"+broken+see("8Q")+alone)
	r.says("-xv", net+see("05")+"Impact: 3 dependent services are not running:\n        svc:/site/web:default\n        svc:/site/db:default\n        svc:/site/shop:default\n\n"+
		cache+"Impact: 1 dependent service is not running:\n        svc:/site/extra:default\n\n"+
		queue+see("E2")+"Impact: 1 dependent service is not running:\n        svc:/site/late:default\n\n"+broken+see("8Q")+alone)
	// What is off, and is missed by nobody, is no cause; what should be on is.
	r.is("svc:/site/off:default", disabled, yes("enabled"))
	out, _, _ := r.run("-x")
	if !strings.Contains(out, "\nsvc:/site/off:default (?)\n") {
		t.Error(out)
	}
	// With all that runs there is nothing to say.
	q := newRig(t)
	q.is("svc:/a:a", online)
	q.says("-x", "")
}

// TestWaits: of what waits, the causes are told that have none themselves, and with -v the way.
func TestWaits(t *testing.T) {
	r := shop(t)
	head := func(name string) string {
		return "svc:/site/" + name + ":default (?)\n State: offline" + since
	}
	net := "Reason: Service svc:/net:default is disabled.\n" + see("GE")
	r.says("-x shop", head("shop")+"Reason: Service svc:/site/db:default has missing dependencies.\n"+see("GE")+net+alone)
	r.says("-xv shop", head("shop")+"Reason: Service svc:/site/db:default has missing dependencies.\n"+see("GE")+"  Path: svc:/site/shop:default\n          svc:/site/db:default\n"+
		net+"  Path: svc:/site/shop:default\n          svc:/site/web:default\n            svc:/net:default\n"+alone)
	const one = "Impact: 1 dependent service is not running.  (Use -v for list.)\n"
	r.says("-x db", head("db")+"Reason: Dependency file:///etc/db.conf is absent.\n"+see("E2")+net+one)
	r.files["/etc/db.conf"] = true
	r.says("-x db", head("db")+net+one)
	r.says("-x extra", head("extra")+"Reason: Service svc:/site/cache:default is running.\n"+see("FJ")+alone)
	r.says("-x late", head("late")+"Reason: Service svc:/site/queue:default has missing dependencies.\n"+see("GE")+alone)
	r.is("svc:/net:default", offline)
	r.says("-x shop", head("shop")+"Reason: Service svc:/net:default is offline.\n"+see("GE")+alone)
	r.is("svc:/net:default", "offline/online")
	r.says("-x shop", head("shop")+"Reason: Service svc:/net:default is starting.\n"+see("GE")+alone)
	r.is("svc:/net:default", disabled, yes("enabled"), no("over"))
	r.says("-x shop", head("shop")+"Reason: Service svc:/net:default is temporarily disabled.\n"+see("GE")+alone)
	for aux, want := range summaries {
		r.is("svc:/net:default", maintenance, str("auxiliary_state", aux))
		line := "Reason: Service svc:/net:default " + want + "\n"
		if len(line) > lineMax+1 {
			line = "Reason: Service svc:/net:default\n        " + want + "\n"
		}
		r.says("-x web", head("web")+line+see("GE")+one)
	}
	r.is("svc:/net:default", maintenance, str("auxiliary_state", "other"))
	r.says("-x web", head("web")+"Reason: Service svc:/net:default requires maintenance.\n"+see("GE")+one)
	r.is("svc:/net:default", uninitialized)
	r.says("-x web", head("web")+"Reason: Service svc:/net:default is uninitialized.\n"+see("GE")+one)
	// A file that excludes.
	r.needs("svc:/site/web:default", "exclude_all", "file:///etc/nologin")
	r.files["/etc/nologin"] = true
	r.is("svc:/net:default", online)
	r.says("-x web", head("web")+"Reason: Dependency file:///etc/nologin is present.\n"+see("FJ")+one)
	// A restarter that does not run, or is none.
	r.is("svc:/inetd:default", disabled)
	r.is("svc:/site/late:default", offline, str("restarter", "svc:/inetd:default"))
	r.fill(func(b *repo.Batch) { b.DeleteGroup(entity(t, "svc:/site/late:default"), "d_require_all_service") })
	r.says("-x late", head("late")+"Reason: Service svc:/inetd:default is disabled.\n"+see("GE")+alone)
	r.is("svc:/site/late:default", offline, str("restarter", "svc:/none:default"))
	r.says("-x late", head("late")+"Reason: Restarter \"svc:/none:default\" does not exist.\n"+see("3P")+alone)
	r.is("svc:/site/late:default", offline, str("restarter", "inetd"))
	r.says("-x late", head("late")+"Reason: Restarter \"inetd\" is invalid.\n"+see("2A")+alone)
	// A dependency that makes no sense.
	r.is("svc:/site/late:default", offline)
	r.fill(func(b *repo.Batch) {
		b.PutGroup(entity(t, "svc:/site/late:default"), groupOf("bad", "dependency", str("grouping", "some\x1b")))
	})
	r.says("-x late", head("late")+"Reason: Has invalid dependency.\n        dependency \"bad\": unknown grouping \"some\\x1b\"\n"+see("JA")+alone)
}

func TestCycle(t *testing.T) {
	r := newRig(t)
	r.is("svc:/a:a", maintenance, str("auxiliary_state", "dependency_cycle"))
	r.is("svc:/b:b", offline)
	r.is("svc:/c:c", offline)
	r.needs("svc:/a:a", "require_all", "svc:/b:b")
	r.needs("svc:/b:b", "require_all", "svc:/c")
	r.needs("svc:/c:c", "require_all", "svc:/a:a")
	const head = "svc:/a:a (?)\n State: maintenance" + since + "Reason: Completes a dependency cycle.\n"
	r.says("-x", head+see("HP")+"Impact: 2 dependent services are not running.  (Use -v for list.)\n")
	out, _, _ := r.run("-xv a:a")
	if !strings.HasPrefix(out, head+see("HP")+"  Path: svc:/a:a\n          svc:/b:b\n            ") || !strings.Contains(out, "svc:/a:a\nImpact: 2") {
		t.Error(out)
	}
	// The cycle was mended, and nobody has cleared the instance yet.
	r.fill(func(b *repo.Batch) { b.DeleteGroup(entity(t, "svc:/b:b"), "d_require_all_service") })
	out, _, _ = r.run("-xv a:a")
	if strings.Contains(out, "Path") || !strings.HasPrefix(out, head) {
		t.Error(out)
	}
	// Before svc.startd has seen that there is one.
	r.needs("svc:/b:b", "require_all", "svc:/c")
	r.is("svc:/a:a", offline)
	out, errs, code := r.run("-x")
	if code != 0 || errs != "" || strings.Count(out, "Reason: ") > 3 {
		t.Error(out, errs, code)
	}
}

// TestNothingSaid: of what no restarter has looked at there is nothing to explain.
func TestNothingSaid(t *testing.T) {
	r := newRig(t)
	r.is("svc:/a:a", "")
	r.is("svc:/b:b", "")
	r.is("svc:/c:c", maintenance, str("auxiliary_state", "method_failed"))
	const many = "svcs: 2 of 3 instances have no \"restarter\" property group, since no restarter has looked at them yet; ignoring.\n"
	r.says("-x", "svc:/c:c (?)\n State: maintenance"+since+"Reason: Method failed.\n"+see("8Q")+alone, many)
	r.says("-x a", "", "svcs: svc:/a:a has no \"restarter\" property group; ignoring.\n")
	r.says("-x none", "", "svcs: Pattern 'none' doesn't match any instances\n", 1)
	// Who waits for such a one is told of himself.
	r.is("svc:/e:e", offline)
	r.needs("svc:/e:e", "require_all", "svc:/a:a")
	e := "svc:/e:e (?)\n State: offline" + since + "Reason: Service svc:/a:a is uninitialized.\n" + see("GE") + alone
	r.says("-x", "svc:/c:c (?)\n State: maintenance"+since+"Reason: Method failed.\n"+see("8Q")+alone+"\n"+e, strings.Replace(many, "2 of 3", "2 of 4", 1))
	r.says("-x e", e)
	r.fill(func(b *repo.Batch) { b.Delete(repo.Entity{Service: "e"}, repo.WithChildren) })
	// Nor of what is not configured.
	r.is("svc:/d:d", offline, ago(time.Hour))
	r.fill(func(b *repo.Batch) { b.DeleteGroup(entity(t, "svc:/d:d"), "general") })
	r.says("-x", "svc:/c:c (?)\n State: maintenance"+since+"Reason: Method failed.\n"+see("8Q")+alone, strings.Replace(many, "2 of 3", "2 of 4", 1))
	r.says("-x d", "svc:/d:d (?)\n State: offline"+since+"Reason: Unknown.\n"+see("AR")+alone)
}
