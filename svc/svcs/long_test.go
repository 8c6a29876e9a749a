package svcs

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// whole is an instance that has everything.
func whole(t testing.TB) *rig {
	r := newRig(t)
	const name = "svc:/site/x:y"
	r.is(name, "offline/online", yes("enabled"), yes("over"), str("comment", "not\nnow"), of(prop.FMRI, "restarter", "svc:/inetd:default"),
		str("status_text", "reading\x1b[2J files"), str("alt_logfile", "/etc/svc/volatile/x.log"), str("logfile", "/var/svc/log/x.log"), of(prop.Count, "contract", "44", "45"), of(prop.Count, "transient_contract", "46"))
	r.called(name, "an example")
	r.is("svc:/a:a", online)
	r.is("svc:/b:one", online)
	r.is("svc:/b:two", online)
	r.is("svc:/c:c", "")
	r.needs(name, "require_all", "svc:/a:a", "svc:/a", "svc:/b", "svc:/none:none", "svc:/void", "svc:/c:c", "svc:/c")
	r.needs(name, "exclude_all", "file:///there", "file://localhost/gone")
	r.files["/there"] = true
	r.fill(func(b *repo.Batch) {
		e := entity(t, name)
		service := entity(t, "svc:/site/x")
		b.PutGroup(e, groupOf("odd", "dependency", of(prop.FMRI, "entities", "svc:/b:two")))
		b.PutGroup(e, groupOf("words", "dependency", str("grouping", "require_all"), str("restart_on", "none"), str("entities", "svc:/a:a")))
		b.PutGroup(e, groupOf("config", "application", of(prop.Count, "port", "80", "443"), str("motto", `say "a\b"`), str("none"), str("empty", ""), str("secret", "x")))
		b.PutGroup(e, groupOf("other", "framework", str("x", "y")))
		b.PutGroup(service, groupOf("manifestfiles", "framework", str("lib_x", "/lib/svc/manifest/x.xml")))
		b.PutGroup(service, groupOf("tm_pgpatt_config", "template_pg_pattern", str("name", "config"), of(prop.UString, "description_C", "how it\nis set")))
		b.PutGroup(service, groupOf("tm_proppatt_port", "template_prop_pattern", str("pg_pattern", "tm_pgpatt_config"), str("name", "port"), of(prop.UString, "description_fr", "les portes")))
		b.PutGroup(service, groupOf("tm_proppatt_secret", "template_prop_pattern", str("pg_pattern", "tm_pgpatt_config"), str("name", "secret"), str("visibility", "hidden")))
	})
	r.members = map[uint64][]int{44: {12, 9}, 46: {100}}
	r.procs = map[int]Process{9: {"x", strings.Repeat("long ", 30), noon}, 12: {"y", "y\x1b -z", noon}}
	return r
}

const paragraph = `fmri         svc:/site/x:y
name         an example
enabled      true
comment      not?now
state        offline
next_state   online
state_time   Fri Mar 15 11:00:00 2024
status_text  reading?[2J files
alt_logfile  /etc/svc/volatile/x.log
logfile      /var/svc/log/x.log
restarter    svc:/inetd:default
contract_id  44 45 ` + `
manifest     /lib/svc/manifest/x.xml
dependency   exclude_all/none file:///there (online) file://localhost/gone (absent)
dependency   require_all/none svc:/a:a (online) svc:/a (online) svc:/b (multiple) svc:/none:none (absent) svc:/void (absent) svc:/c:c (-) svc:/c (-)
dependency   ?/? svc:/b:two (online)
`

func TestLong(t *testing.T) {
	r := whole(t)
	r.says("-l x:y", paragraph)
	r.within = map[uint64]contract.Within{46: {Project: &contract.Project{ID: 100, Name: "web"}, Pool: "fast"}}
	r.says("-lp x:y", paragraph+"project      100 (web)\npool         fast\nprocess      9 "+strings.Repeat("long ", 16)+"\nprocess      12 y? -z\nprocess      100\n")
	r.within = nil
	r.says("-lp x:y", paragraph+"process      9 "+strings.Repeat("long ", 16)+"\nprocess      12 y? -z\nprocess      100\n")
	r.says("-lv x:y", paragraph+`config (application)
  how it is set
config/empty (astring) = ""
config/motto (astring) = "say \"a\\b\""
config/none (astring) =
config/port (count) = 80 443
  les portes
`)
	r.says("-l a c:c", `fmri         svc:/a:a
enabled      true
state        online
next_state   none
state_time   Fri Mar 15 11:00:00 2024
restarter    svc:/system/svc/restarter:default

fmri         svc:/c:c
enabled      true
restarter    svc:/system/svc/restarter:default
`)
	r.is("svc:/a:a", online, yes("enabled"), no("over"), of(prop.Count, "contract"))
	out, _, _ := r.run("-l a:a")
	if !strings.Contains(out, "\nenabled      false (temporary)\n") || !strings.Contains(out, "\ncontract_id  \n") {
		t.Error(out)
	}
	r.says("-l none", "", "svcs: Pattern 'none' doesn't match any instances\n", 1)
	r.says("-L x:y a", "/var/svc/log/x.log\n")
	r.says("-L", "/var/svc/log/x.log\n")
}

// TestLongOfZone: what is a file of the zone, nobody looks for on the host.
func TestLongOfZone(t *testing.T) {
	r := whole(t)
	r.env.Present = func(string) bool { t.Error("a file was looked for"); return true }
	r.env.Zone = func(string) (door.Store, error) { return kept{r.store}, nil }
	out, errs, code := r.run("-z web -l x:y")
	if code != 0 || errs != "" || !strings.Contains(out, "\nzone         web\n") || !strings.Contains(out, "file:///there (unknown) file://localhost/gone (unknown)\n") {
		t.Error(out, errs, code)
	}
	out, errs, code = r.run("-z web -x x:y")
	if code != 0 || errs != "" || !strings.HasPrefix(out, "svc:/site/x:y (an example)\n  Zone: web\n State: offline since ") {
		t.Error(out, errs, code)
	}
	r.is("svc:/blind:one", offline)
	r.needs("svc:/blind:one", "require_all", "file:///there")
	r.says("-z web -x blind", "svc:/blind:one (?)\n  Zone: web\n State: offline"+since+"Reason: Unknown: only within the zone svcs can look at the files that it depends on.\n"+see("AR")+alone)
	if out, _, _ = r.run("-z web -x"); !strings.Contains(out, "svc:/blind:one") {
		t.Error(out)
	}
}

func TestJSON(t *testing.T) {
	r := whole(t)
	r.is("svc:/d:d", disabled)
	r.fill(func(b *repo.Batch) {
		e := repo.Entity{Service: "smf/legacy_run"}
		b.Ensure(e)
		b.PutGroup(e, volatileGroup("x", str("name", "/etc/rc2_d/S1\x1b"), of(prop.Count, "contract", "5")))
	})
	decode := func(line string) []map[string]any {
		t.Helper()
		out, errs, code := r.run(line)
		var list []map[string]any
		if err := json.Unmarshal([]byte(out), &list); err != nil || errs != "" || code != 0 {
			t.Fatalf("%s: %v, %d %s%s", line, err, code, out, errs)
		}
		return list
	}
	want := []map[string]any{{
		"zone": "web", "fmri": "svc:/site/x:y", "scope": "localhost", "service": "site/x", "instance": "y", "state": "offline", "next_state": "online",
		"state_time": "2024-03-15T11:00:00Z", "auxiliary_state": "none", "auxiliary_detail": nil, "enabled": true, "temporary": false, "comment": "not?now",
		"restarter": "svc:/inetd:default", "description": "an example", "logfile": "/var/svc/log/x.log", "contracts": []any{44.0, 45.0},
		"processes": []any{
			map[string]any{"pid": 9.0, "name": "x", "command": strings.Repeat("long ", 30), "start_time": "2024-03-15T12:00:00Z"},
			map[string]any{"pid": 12.0, "name": "y", "command": "y\x1b -z", "start_time": "2024-03-15T12:00:00Z"},
		},
	}}
	if got := decode("-po json x:y"); !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%v", got, want)
	}
	delete(want[0], "processes")
	if got := decode("-o JSON x:y"); !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%v", got, want)
	}
	for key := range want[0] {
		want[0][key] = nil
	}
	for key, value := range map[string]any{"zone": "web", "fmri": "lrc:/etc/rc2_d/S1?", "state": "legacy_run", "contracts": []any{5.0}} {
		want[0][key] = value
	}
	if got := decode("-o json lrc:*"); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	if got := decode("-D -o json a:a"); len(got) != 1 || got[0]["fmri"] != "svc:/site/x:y" {
		t.Errorf("%v", got)
	}
	if got := decode("-o json"); len(got) != 6 || got[0]["state"] != "legacy_run" {
		t.Errorf("%v", got)
	}
	if got := decode("-S fmri -ao json"); len(got) != 7 || got[0]["fmri"] != "svc:/site/x:y" {
		t.Errorf("%v", got)
	}
	r.says("-D -o json d", "[]\n")
}

// FuzzJSON: each string is one that a decoder gives back, and that no terminal minds.
func FuzzJSON(f *testing.F) {
	f.Add("a\"\\\n\x1b\u009b\u202e日\xff\u2028\U0001f600")
	f.Fuzz(func(t *testing.T, s string) {
		b := appendJSON(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && !strings.Contains(got, "\ufffd") {
			t.Errorf("%q: %s, %q, %v", s, b, got, err)
		}
		for _, c := range string(b) {
			if c < ' ' || 0x7f <= c && c < 0xa0 || c == 0x202e || c == 0x2028 {
				t.Errorf("%q", b)
			}
		}
	})
}

// hostile has properties of wrong types and shapes, and with control characters.
func hostile(t testing.TB) *rig {
	r := newRig(t)
	r.is("svc:/a:a", "on\x1b[2J\nline", str("contract", "x"), of(prop.Count, "state_timestamp", "5"), str("logfile", "/a\nb"), of(prop.Count, "auxiliary_detail", "1"))
	r.is("svc:/b:b", online, str("next_state", "a", "b"), str("enabled", "true"), str("comment", ""), of(prop.Boolean, "restarter", "true"), str("auxiliary_state"))
	r.called("svc:/b:b", "\u202eb\x1b]0;title\a\n2")
	r.is("svc:/c:c", maintenance, of(prop.Integer, "start_method_waitstatus"), of(prop.Integer, "auxiliary_state", "1"), str("alt_logfile", ""), of(prop.Time, "state_timestamp", "-99999999999.000000000"))
	r.fill(func(b *repo.Batch) {
		b.PutGroup(entity(t, "svc:/c:c"), groupOf("tm_man_x", "template", str("title", "x\x1by\n"), str("section", "8\n")))
		b.PutGroup(entity(t, "svc:/c:c"), groupOf("tm_doc_x", "template", str("uri", "http://x/\x1b[2J\ny")))
		b.PutGroup(entity(t, "svc:/c:c"), groupOf("d", "dependency", str("grouping", "a\nb"), str("restart_on", "\x1b"), of(prop.FMRI, "entities", "svc:/a:a")))
		b.PutGroup(entity(t, "svc:/c:c"), groupOf("manifestfiles", "framework", str("x", "/x\n\x1b"), of(prop.Count, "y", "1")))
		b.PutGroup(entity(t, "svc:/c:c"), groupOf("config", "application", str("x", "1\n2\x1b(\"")))
	})
	return r
}

// TestHostile: whatever a zone has in its repository, each line is one of ours, and plain text; and
// what is misconfigured is told of once.
func TestHostile(t *testing.T) {
	r := hostile(t)
	for _, line := range []string{
		"", "-a", "-v", "-o ctid,desc,fmri,inst,n,nsta,nstate,s,scope,sn,svc,sta,state,stime,zone", "-l a b c", "-lvp a b c", "-L", "-x", "-xv", "-x a b c", "-xv a b c", "-d c", "-D a", "-p", "-s stime -s ctid -S nstate",
	} {
		out, errs, code := r.run(line)
		if code != 0 {
			t.Errorf("svcs %s: %d %s", line, code, errs)
		}
		for _, c := range out + errs {
			if c < ' ' && c != '\n' && (c != '\t' || !strings.Contains(line, "H")) || 0x7f <= c && c < 0xa0 || c == 0x202e || c == 0xfffd {
				t.Errorf("svcs %s has %q:\n%q", line, c, out+errs)
				break
			}
		}
		said := map[string]bool{}
		for text := range strings.Lines(errs) {
			if said[text] || !strings.HasSuffix(text, "is misconfigured.\n") {
				t.Errorf("svcs %s: %q", line, text)
			}
			said[text] = true
		}
	}
	r.says("-HL", "/a?b\n")
	r.says("-Ho state,nstate,ctid,stime a b", "online\t-\t-\t11:00:00\non?[2J?line\t-\t-\t-\n",
		"svcs: Property \"svc:/b:b/:properties/restarter/next_state\" is misconfigured.\n"+
			"svcs: Property \"svc:/a:a/:properties/restarter/contract\" is misconfigured.\n"+
			"svcs: Property \"svc:/a:a/:properties/restarter/state_timestamp\" is misconfigured.\n")
	if out, _, _ := r.run("-o json"); !json.Valid([]byte(out)) {
		t.Error(out)
	}
}

// vanishing has instances go while they are looked at: after some of the calls, the next one goes.
type vanishing struct {
	door.Store
	t     testing.TB
	calls *int
	at    int
}

func (v vanishing) Close() error { return nil }

func (v vanishing) Groups(e repo.Entity, w door.View) ([]door.Group, error) {
	v.vanish(e)
	return v.Store.Groups(e, w)
}

func (v vanishing) Group(e repo.Entity, w door.View, name string) (door.Group, error) {
	v.vanish(e)
	return v.Store.Group(e, w, name)
}

func (v vanishing) Scan(q door.Query) (door.Result, error) {
	v.vanish(entity(v.t, "svc:/site/shop:default"))
	return v.Store.Scan(q)
}

func (v vanishing) vanish(e repo.Entity) {
	if *v.calls++; *v.calls == v.at {
		if is, _ := v.Store.Exists(e); is {
			fillStore(v.t, v.Store, func(b *repo.Batch) { b.Delete(repo.Entity{Service: e.Service}, repo.WithChildren) })
		}
	}
}

// TestVanish: at whatever call something goes, svcs ends well, and tells of the others.
func TestVanish(t *testing.T) {
	for _, line := range []string{"-a", "-d shop", "-l shop web db", "-lv shop", "-x", "-xv shop db", "-Dp net", "-ao json"} {
		for at := 1; ; at++ {
			r := shop(t)
			calls := 0
			r.env.Open = func() (door.Store, error) { return vanishing{r.store, t, &calls, at}, nil }
			out, errs, code := r.run(line)
			if strings.Contains(errs, "doesn't match") { // it was gone before it was looked for
				code, errs = 0, ""
			}
			if code != 0 || errs != "" || line == "-l shop web db" && strings.Count(out, "fmri  ") < 2 {
				t.Errorf("svcs %s, gone at call %d: %d %s%s", line, at, code, out, errs)
			}
			if calls < at {
				break
			}
		}
	}
}

// failing has each call fail in its turn.
type failing struct {
	vanishing
}

var errBroken = errors.New("the connection is broken")

func (f failing) fails() bool { *f.calls++; return *f.calls == f.at }

func (f failing) Groups(e repo.Entity, w door.View) ([]door.Group, error) {
	if f.fails() {
		return nil, errBroken
	}
	return f.Store.Groups(e, w)
}

func (f failing) Group(e repo.Entity, w door.View, name string) (door.Group, error) {
	if f.fails() {
		return door.Group{}, errBroken
	}
	return f.Store.Group(e, w, name)
}

func (f failing) Scan(q door.Query) (door.Result, error) {
	if f.fails() {
		return door.Result{}, errBroken
	}
	return f.Store.Scan(q)
}

// TestBroken: whichever call fails, it is said, and the status is 1.
func TestBroken(t *testing.T) {
	for _, line := range []string{"-a", "-o desc", "-d shop", "-l shop", "-x", "-x shop", "-D net"} {
		r := shop(t)
		r.is(startd, online)
		for at := 1; ; at++ {
			calls := 0
			r.env.Open = func() (door.Store, error) { return failing{vanishing{r.store, t, &calls, at}}, nil }
			_, errs, code := r.run(line)
			if calls < at {
				if at < 2 {
					t.Errorf("svcs %s asks nothing", line)
				}
				break
			}
			if code != 1 || errs != "svcs: the connection is broken\n" {
				t.Errorf("svcs %s, call %d: %d %s", line, at, code, errs)
			}
		}
	}
}

// TestTogether: many svcs at once, while states change and services come and go.
func TestTogether(t *testing.T) {
	r := shop(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			state := []string{online, offline, maintenance, "offline/online"}[i%4]
			var b repo.Batch
			put(t, &b, "svc:/net:default", state)
			if i%2 == 0 {
				put(t, &b, "svc:/site/flash:default", state)
				putNeeds(t, &b, "svc:/site/flash:default", "require_all", "svc:/site/shop")
			} else {
				b.Delete(repo.Entity{Service: "site/flash"}, repo.WithChildren)
			}
			if _, err := r.store.Apply(&b); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	end := time.Now().Add(20 * time.Second)
	for running := true; running && time.Now().Before(end); {
		for _, line := range []string{"-a", "-x", "-xv shop", "-l shop web", "-d flash* shop", "-Ho fmri -D net"} {
			if out, errs, code := r.run(line); code > 1 || code == 1 && !strings.Contains(errs, "'flash*'") || code == 0 && errs != "" {
				t.Errorf("svcs %s: %d %s%s", line, code, out, errs)
			}
		}
		select {
		case <-done:
			running = false
		default:
		}
	}
	<-done
}

// secretive is a repository of which the caller may not read some values.
type secretive struct{ door.Store }

func (secretive) Close() error { return nil }

func (s secretive) Scan(q door.Query) (door.Result, error) {
	result, err := s.Store.Scan(q)
	for i := range result.Entries {
		for j := range result.Entries[i].Groups {
			g := &result.Entries[i].Groups[j]
			if g.Withheld = g.Name == "general_ovr" || g.Name == "restarter"; g.Withheld {
				for k := range g.Props {
					g.Props[k].Values = nil
				}
			}
		}
	}
	return result, err
}

// TestWithheld: what may not be read is as if it were not there, and nobody's mistake.
func TestWithheld(t *testing.T) {
	r := newRig(t)
	r.is("svc:/a:a", online, no("over"), of(prop.Count, "contract", "5"))
	r.env.Open = func() (door.Store, error) { return secretive{r.store}, nil }
	r.says("-v", "STATE          NSTATE        STIME    CTID   FMRI\n-              -             -             - svc:/a:a\n")
	r.says("-l a", "fmri         svc:/a:a\nenabled      true\nrestarter    svc:/system/svc/restarter:default\n")
	r.says("-xv a", "", "svcs: svc:/a:a has no state that can be read; ignoring.\n")
	r.says("-x", "")
}
