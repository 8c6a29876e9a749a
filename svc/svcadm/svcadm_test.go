package svcadm

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// full is a rig with services in many states.
func full(t testing.TB) *rig {
	r := newRig(t)
	r.instance("site/a:default", "false", "disabled")
	r.instance("site/b:one", "true", "online")
	r.instance("site/b:two", "true", "maintenance")
	r.instance("site/c:default", "true", "degraded")
	r.instance("site/new:default", "false", "")
	r.instance("system/svc/restarter:default", "true", "online")
	r.apply(func(b *repo.Batch) { b.Ensure(repo.Entity{Service: "site/empty"}) })
	return r
}

const (
	a   = "svc:/site/a:default"
	one = "svc:/site/b:one"
	two = "svc:/site/b:two"
	c   = "svc:/site/c:default"
)

// TestCommands: what each says, and what it leaves in a group of an instance.
func TestCommands(t *testing.T) {
	partial := "svcadm: Partial FMRI 'b' matches multiple instances:\nsvcadm:     " + one + "\nsvcadm:     " + two + "\n"
	for _, x := range []struct {
		line, out, errs string
		code            int
		on, group, want string
	}{
		{"enable a", "", "", 0, a, "general", "enabled=true"},
		{"-v enable a", a + " enabled.\n", "", 0, a, "general_ovr", "-"},
		{"-v enable -t a", a + " temporarily enabled.\n", "", 0, a, "general_ovr", "enabled=true"},
		{"enable -t a", "", "", 0, a, "general", "enabled=false"},
		{"-v enable b:one", one + " enabled.\n", "", 0, one, "general", "enabled=true"},
		{"-v disable b:one", one + " disabled.\n", "", 0, one, "general", "enabled=false"},
		{"-v disable -t b:one", one + " temporarily disabled.\n", "", 0, one, "general_ovr", "enabled=false"},
		{"disable -c broken b:one", "", "", 0, one, "general", "comment=broken enabled=false"},
		{"disable -t -cbroken b:one", "", "", 0, one, "general_ovr", "comment=broken enabled=false"},
		{"-v disable svc:/site/b", one + " disabled.\n" + two + " disabled.\n", "", 0, two, "general", "enabled=false"},
		{"-v disable */b:*", one + " disabled.\n" + two + " disabled.\n", "", 0, one, "general", "enabled=false"},
		{"-v disable one two b:one", one + " disabled.\n" + two + " disabled.\n", "", 0, two, "general", "enabled=false"},
		{"disable b", "", partial, 1, one, "general", "enabled=true"},
		{"-v disable b a", a + " disabled.\n", partial, 1, one, "general", "enabled=true"},
		{"enable -r svc:/site/b", "", "svcadm: operation on service svc:/site/b is ambiguous; instance specification needed.\n", 1, one, "general", "enabled=true"},
		{"enable none", "", "svcadm: Pattern 'none' doesn't match any instances\n", 1, one, "general", "enabled=true"},
		{"enable site/empty", "", "svcadm: Pattern 'site/empty' doesn't match any instances\n", 1, one, "general", "enabled=true"},
		{"enable lrc:/etc/rc2_d/S99x", "", "svcadm: Operation not supported on legacy service 'lrc:/etc/rc2_d/S99x'\n", 1, one, "general", "enabled=true"},
		{"enable svc:/site/a/:properties/general", "", "svcadm: Pattern 'svc:/site/a/:properties/general' doesn't match any instances\n", 1, a, "general", "enabled=false"},
		{"restart one", "", "", 0, one, "restarter_actions", "auxiliary_tty=true restart=stamp"},
		{"-v restart one", "Action restart set for " + one + ".\n", "", 0, one, "restarter_actions", "auxiliary_tty=true restart=stamp"},
		{"-v restart -d one", "Action do_dump set for " + one + ".\nAction restart set for " + one + ".\n", "", 0, one, "restarter_actions", "auxiliary_tty=true do_dump=stamp restart=stamp"},
		{"-v refresh one", "Action refresh set for " + one + ".\n", "", 0, one, "restarter_actions", "auxiliary_tty=true refresh=stamp"},
		{"-v clear two", "Action maint_off set for " + two + ".\n", "", 0, two, "restarter_actions", "auxiliary_tty=true maint_off=stamp"},
		{"-v clear c", "Action restore set for " + c + ".\n", "", 0, c, "restarter_actions", "auxiliary_tty=true restore=stamp"},
		{"clear one", "", "svcadm: Instance \"" + one + "\" is not in a maintenance or degraded state.\n", 1, one, "restarter_actions", "-"},
		{"clear new", "", "svcadm: Instance \"svc:/site/new:default\" is not in a maintenance or degraded state.\n", 1, one, "restarter_actions", "-"},
		{"-v clear svc:/site/b", "Action maint_off set for " + two + ".\n", "svcadm: Instance \"" + one + "\" is not in a maintenance or degraded state.\n", 1, two, "restarter_actions", "auxiliary_tty=true maint_off=stamp"},
		{"-v mark maintenance one", "Action maint_on set for " + one + ".\n", "", 0, one, "restarter_actions", "auxiliary_tty=true maint_on=stamp"},
		{"mark -I maintenance one", "", "", 0, one, "restarter_actions", "auxiliary_tty=true maint_on_immediate=stamp"},
		{"mark -t maintenance one", "", "", 0, one, "restarter_actions", "auxiliary_tty=true maint_on_temporary=stamp"},
		{"mark -It maintenance one", "", "", 0, one, "restarter_actions", "auxiliary_tty=true maint_on_immtemp=stamp"},
		{"-v mark degraded one", "Action degraded set for " + one + ".\n", "", 0, one, "restarter_actions", "auxiliary_tty=true degraded=stamp"},
		{"mark -I degraded one", "", "", 0, one, "restarter_actions", "auxiliary_tty=true degrade_immediate=stamp"},
		{"mark degraded a", "", "svcadm: Instance \"" + a + "\" is not online.\n", 1, a, "restarter_actions", "-"},
		{"-v -S online disable", one + " disabled.\nsvc:/system/svc/restarter:default disabled.\n", "", 0, one, "general", "enabled=false"},
		{"-v -S maintenance clear", "Action maint_off set for " + two + ".\n", "", 0, two, "restarter_actions", "auxiliary_tty=true maint_off=stamp"},
		{"-v -S degraded clear", "Action restore set for " + c + ".\n", "", 0, c, "restarter_actions", "auxiliary_tty=true restore=stamp"},
		{"-S online clear", "", "svcadm: State must be 'maintenance' or 'degraded'\n", 1, one, "restarter_actions", "-"},
		{"-S offline restart", "", "", 0, one, "restarter_actions", "-"},
		{"milestone single-user", "", "", 0, "svc:/system/svc/restarter:default", "options_ovr", "milestone=svc:/milestone/single-user:default"},
		{"milestone -d all", "", "", 0, "svc:/system/svc/restarter:default", "options", "milestone=all"},
		{"milestone none", "", "", 0, "svc:/system/svc/restarter:default", "options_ovr", "milestone=none"},
		{"-z web enable a", "", "svcadm: svcadm -z may only be used from the global zone\n", 1, a, "general", "enabled=false"},
		{"-Z enable a", "", "svcadm: svcadm -Z may only be used from the global zone\n", 1, a, "general", "enabled=false"},
	} {
		r := full(t)
		r.says(x.line, x.out, x.errs, x.code)
		if got := r.values(entity(t, x.on), x.group); got != x.want {
			t.Errorf("svcadm %s: %s of %s is %q, want %q", x.line, x.group, x.on, got, x.want)
		}
	}
}

// TestForGood: what is for good ends what was for this boot, and comments go when they are out of date.
func TestForGood(t *testing.T) {
	r := full(t)
	e := entity(t, a)
	for _, x := range []struct{ line, general, override string }{
		{"enable -t a", "enabled=false", "enabled=true"},
		{"disable -t -c x a", "enabled=false", "comment=x enabled=false"},
		{"disable -t a", "enabled=false", "enabled=false"},
		{"disable -t -c y a", "enabled=false", "comment=y enabled=false"},
		{"enable a", "enabled=true", ""},
		{"disable -c z a", "comment=z enabled=false", ""},
		{"enable -t a", "comment=z enabled=false", "enabled=true"},
		{"disable a", "enabled=false", ""},
	} {
		r.says(x.line, "", "", 0)
		if g, o := r.values(e, "general"), r.values(e, "general_ovr"); g != x.general || o != x.override {
			t.Errorf("after %s: %q, %q", x.line, g, o)
		}
	}
	startd := entity(t, "system/svc/restarter:default")
	r.says("milestone none", "", "", 0)
	r.says("milestone -d multi-user:default", "", "", 0)
	if g, o := r.values(startd, "options"), r.values(startd, "options_ovr"); g != "milestone=svc:/milestone/multi-user:default" || o != "" {
		t.Errorf("%q %q", g, o)
	}
}

// TestNoGeneral: an instance that svccfg made by hand has no group general.
func TestNoGeneral(t *testing.T) {
	r := newRig(t)
	e := entity(t, "site/bare:default")
	r.apply(func(b *repo.Batch) { b.Ensure(e) })
	r.says("-v enable bare", "svc:/site/bare:default enabled.\n", "", 0)
	if got := r.values(e, "general"); got != "enabled=true" {
		t.Errorf("%q", got)
	}
	r.says("milestone all", "", "svcadm: No such instance \"svc:/system/svc/restarter:default\".\n", 1)
}

// TestRefresh: the snapshot is what is there now.
func TestRefresh(t *testing.T) {
	r := full(t)
	e := entity(t, one)
	r.apply(func(b *repo.Batch) {
		b.PutGroup(e, groupOf("config", "application", str("x", "old")))
		b.TakeSnapshot(e, repo.Running)
		b.SetProperty(e, "config", str("x", "new"))
	})
	r.says("refresh one", "", "", 0)
	p, err := r.store.Property(e, door.Snapshot(repo.Running), "config", "x")
	if err != nil || p.Values[0] != "new" {
		t.Errorf("%v, %v", p, err)
	}
}

// TestWho: what is said of who asks.
func TestWho(t *testing.T) {
	r := full(t)
	r.env.Terminal = func() bool { return false }
	r.env.Service = func() string { return "svc:/site/watcher:default" }
	e := entity(t, one)
	r.says("mark maintenance one", "", "", 0)
	if got := r.values(e, "restarter_actions"); got != "auxiliary_fmri=svc:/site/watcher:default auxiliary_tty=false maint_on=stamp" {
		t.Errorf("%q", got)
	}
	r.env.Terminal, r.env.Service = func() bool { return true }, func() string { return "" }
	r.says("restart one", "", "", 0)
	if got := r.values(e, "restarter_actions"); got != "auxiliary_tty=true maint_on=stamp restart=stamp" {
		t.Errorf("%q", got)
	}
}

func TestUsage(t *testing.T) {
	r := full(t)
	for _, line := range []string{
		"", "-v", "-x enable a", "-v -x", "enable", "-v enable", "disable", "-v disable", "restart", "-v restart", "refresh", "-v refresh", "clear", "-v clear",
		"mark", "-v mark", "mark maintenance", "mark online a", "mark -x maintenance a", "enable -x a", "disable -r a", "disable a -c", "disable -c", "restart -s a",
		"refresh -s a", "clear -x a", "delegate a b", "ENABLE a", "-S", "-S online disable a", "-z", "-z web", "-Z -z web enable a", "-zweb -Z enable a", "--", "-- ", "? a", "-",
	} {
		if line == "disable a -c" { // an option behind an operand is an operand
			continue
		}
		r.says(line, "", usage, 2)
	}
	for line, want := range map[string]string{
		"mark -t degraded a":      "svcadm: -t may not be used with degraded.\n",
		"-S on disable":           "svcadm: -S: 'on' is no state; the states are uninitialized, disabled, offline, online, degraded, maintenance, legacy_run.\n",
		"-S \x1b[2J disable":      "svcadm: -S: '?[2J' is no state; the states are uninitialized, disabled, offline, online, degraded, maintenance, legacy_run.\n",
		"milestone":               usageMilestone,
		"milestone -x all":        usageMilestone,
		"milestone all none":      usageMilestone,
		"-S online milestone all": usageMilestone,
		"milestone user":          "svcadm: \"user\" is not a valid major milestone.\n" + usageMilestone,
		"milestone default":       "svcadm: \"default\" is not a valid major milestone.\n" + usageMilestone,
		"milestone svc:/site/a":   "svcadm: \"svc:/site/a\" is not a valid major milestone.\n" + usageMilestone,
	} {
		r.says(line, "", want, 2)
	}
	for _, comment := range []string{strings.Repeat("x", 4096), "a\x00b"} {
		_, errs, code := r.args("disable", "-c", comment, "a")
		if code != 2 || errs != "svcadm: disable -c: a comment has at most 4095 bytes, and none of them zero.\n" {
			t.Errorf("%d %s", code, errs)
		}
	}
	if _, errs, code := r.args("milestone", ""); code != 2 || !strings.HasPrefix(errs, "svcadm: \"\" is not") {
		t.Errorf("%d %s", code, errs)
	}
	if got := r.values(entity(t, a), "general"); got != "enabled=false" {
		t.Errorf("%q", got)
	}
}

// TestComment: any text is one comment.
func TestComment(t *testing.T) {
	r := full(t)
	text := "the disk\nis gone \x1b[2J " + strings.Repeat("x", 4000)
	if _, errs, code := r.args("disable", "-c", text, one); code != 0 || errs != "" {
		t.Fatalf("%d %s", code, errs)
	}
	if p := r.group(entity(t, one), "general").Prop("comment"); p == nil || p.Values[0] != text {
		t.Errorf("%v", p)
	}
}

func TestMilestoneNames(t *testing.T) {
	for text, want := range map[string]string{
		"all": "all", "none": "none", "single-user": "svc:/milestone/single-user:default", "milestone/multi-user": "svc:/milestone/multi-user:default",
		"svc:/milestone/multi-user-server": "svc:/milestone/multi-user-server:default", "multi-user-server:default": "svc:/milestone/multi-user-server:default",
		"svc:/milestone/multi-user:default": "svc:/milestone/multi-user:default",
		"ser":                               "", "-user": "", "milestone/": "", "": "", "/": "", "single-user:": "", "single-user:other": "", "ALL": "",
	} {
		got, bad := milestone(text)
		if got != want || (bad == nil) != (want != "") {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-v\x00enable\x00-rst\x00a")
	f.Add("-S\x00online\x00disable\x00-c\x00x")
	f.Add("mark\x00-It\x00maintenance\x00a")
	f.Add("-zweb\x00milestone\x00-d\x00all")
	f.Fuzz(func(t *testing.T, line string) {
		o, err := parse(strings.Split(line, "\x00"))
		if err == nil && (o.command == nil || o.search != (len(o.operands) == 0) && o.command.name != "milestone") {
			t.Errorf("%q: %+v", line, o)
		}
	})
}

func TestZones(t *testing.T) {
	r := newRig(t)
	r.host("db", "web")
	for _, name := range []string{"db", "web"} {
		makeInstance(t, r.zones[name], a, "false", "disabled")
	}
	makeInstance(t, r.zones["web"], one, "true", "online")
	r.says("-v -z web enable a", a+" enabled.\n", "", 0)
	if got := readGroup(t, r.zones["db"], entity(t, a), "general").Prop("enabled").Values[0]; got != "false" {
		t.Error("the other zone's was enabled")
	}
	r.says("-v -Z restart b", "Action restart set for "+one+".\n", "svcadm (db): Pattern 'b' doesn't match any instances\n", 1)
	r.says("-z x enable a", "", "svcadm: invalid zone 'x': zone 'x' unknown\n", 1)
	r.says("enable a", "", "svcadm: Couldn't bind to configuration repository: this host has none.\n", 1)
	delete(r.zones, "db")
	r.says("-v -Z disable a", a+" disabled.\n", "svcadm (db): Couldn't bind to configuration repository: zone 'db' unknown.\n", 1)
	r.env.Zones = func() ([]string, error) { return nil, errors.New("no root") }
	r.says("-Z disable a", "", "svcadm: could not get zone list: no root\n", 1)
}

func TestFails(t *testing.T) {
	r := full(t)
	env := r.env
	var errs bytes.Buffer
	env.Out, env.Err = refusing{}, &errs
	if code := Main(context.Background(), &env, []string{"-v", "enable", "a"}); code != 1 || errs.String() != "svcadm: write: file already closed\n" {
		t.Errorf("%d %s", code, &errs)
	}
}
