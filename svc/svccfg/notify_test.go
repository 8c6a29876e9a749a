package svccfg

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/tree"
)

// manifestOf is the manifest of a service with one instance, within which a text stands.
func manifestOf(service, instance, text string) string {
	return `<?xml version="1.0"?>
<!DOCTYPE service_bundle SYSTEM "/usr/share/lib/xml/dtd/service_bundle.dtd.1">
<service_bundle type='manifest' name='t'><service name='` + service + `' type='service' version='1'>
<instance name='` + instance + `' enabled='false'>` + text + `</instance></service></service_bundle>`
}

// notifyGroups are the groups of an instance that say who is told.
func notifyGroups(groups []tree.Group) (list []tree.Group) {
	for _, g := range groups {
		if g.Type == typeNotify {
			list = append(list, g)
		}
	}
	return list
}

// TestNotifyAsManifests: what setnotify writes is what a manifest says that asks for the same, and
// is exported as that.
func TestNotifyAsManifests(t *testing.T) {
	const mail = "<type name='smtp' active='true'><parameter name='to'><value_node value='a@b'/></parameter></type>"
	for _, c := range []struct {
		service, instance, command string
		event, types               string
	}{
		{"web", "one", "to-online mailto:a@b", "to-online", mail},
		{"web", "one", "all mailto:a@b snmp:inactive", "all", mail + "<type name='snmp' active='false'/>"},
		{"web", "one", "online,to-disabled syslog:", "to-disabled,from-online,to-online", "<type name='syslog' active='true'/>"},
		{"web", "one", "from-all mailto:inactive", "from-all", "<type name='smtp' active='false'/>"},
		{"web", "one", `offline "mailto:a@b?reply-to=x y"`, "to-offline,from-offline", "<type name='smtp' active='true'><paramval name='reply-to' value='x y'/><paramval name='to' value='a@b'/></type>"},
		{"system/svc/global", "default", "-g to-maintenance mailto:a@b", "to-maintenance", mail},
		{"system/fm/notify-params", "default", "problem-diagnosed mailto:a@b", "problem-diagnosed", mail},
		{"system/fm/notify-params", "default", "list.repaired,ireport.os.* mailto:a@b", "problem-repaired,ireport.os", mail},
	} {
		b, err := manifest.Parse("t", []byte(manifestOf(c.service, c.instance, "<notification_parameters><event value='"+c.event+"'/>"+c.types+"</notification_parameters>")), manifest.Options{})
		if err != nil {
			t.Fatalf("%s: %v", c.event, err)
		}
		whole := b.Services[0].Whole()
		want := notifyGroups(whole.Instance(c.instance).Groups)
		s := newStore(t)
		e := repo.Entity{Service: c.service, Instance: c.instance}
		put(t, s, func(b *repo.Batch) { b.Ensure(e) })
		if out, errs, code := svccfg(s, "select "+e.String()+"\nsetnotify "+c.command+"\n"); code != 0 || out+errs != "" {
			t.Errorf("%s: %d %s%s", c.command, code, out, errs)
			continue
		}
		w, err := s.Service(c.service)
		if err != nil {
			t.Fatal(err)
		}
		got := notifyGroups(w.Instance(c.instance).Groups)
		if len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, a manifest says %v", c.command, got, want)
		}
		out, errs, code := svccfg(s, "export "+c.service+"\n")
		if code != 0 || errs != "" || strings.Contains(out, typeNotify) || strings.Count(out, "<notification_parameters>") != len(want) {
			t.Errorf("%s: %d %s%s", c.command, code, errs, out)
		}
	}
}

// TestNotifyOfManifests: listnotify shows what a manifest brought.
func TestNotifyOfManifests(t *testing.T) {
	b, err := manifest.Parse("t", []byte(manifestOf("site/x", "default", `<notification_parameters><event value='from-online,to-maintenance'/>
<type name='smtp' active='true'><parameter name='to'><value_node value='a@b'/><value_node value='c@d'/></parameter></type><type name='pager'/></notification_parameters>`)), manifest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	e := repo.Entity{Service: "site/x", Instance: "default"}
	whole := b.Services[0].Whole()
	put(t, s, func(b *repo.Batch) {
		b.Ensure(e)
		for _, g := range whole.Instance("default").Groups {
			b.PutGroup(e, &g)
		}
	})
	shown := func(event string) string {
		return "    Event: " + event + ` (source: svc:/site/x:default)
        Notification Type: pager
            Active: true

        Notification Type: smtp
            Active: true
            to: a@b c@d

`
	}
	out, errs, code := svccfg(s, "select svc:/site/x:default\nlistnotify\n")
	if code != 0 || errs != "" || out != shown("to-maintenance")+shown("from-online") {
		t.Errorf("%d %s%s", code, errs, out)
	}
}

// TestNotifyRefreshes: what is set is what the instances run with, and their restarters are asked to
// read it.
func TestNotifyRefreshes(t *testing.T) {
	for _, command := range []string{"setnotify to-online snmp:", "setnotify to-online snmp:\ndelnotify to-online"} {
		for _, at := range []string{"svc:/web", "svc:/web:one"} {
			s := newStore(t)
			put(t, s, func(b *repo.Batch) { b.Ensure(repo.Entity{Service: "web", Instance: "two"}) })
			if _, errs, code := svccfg(s, "select "+at+"\n"+command+"\n"); code != 0 {
				t.Fatalf("%s: %s", command, errs)
			}
			for _, name := range []string{"one", "two"} {
				e := repo.Entity{Service: "web", Instance: name}
				want := at == "svc:/web" || name == "one"
				p, err := s.Property(e, door.Direct, groupActions, propRefresh)
				if (err == nil && len(p.Values) == 1) != want {
					t.Errorf("%s of %s: refresh of %s: %v %v", command, at, name, p, err)
				}
				names, err := s.Snapshots(e)
				if err != nil || (len(names) == 1) != want {
					t.Errorf("%s of %s: snapshots of %s: %v %v", command, at, name, names, err)
				}
			}
		}
	}
}

// TestNotifyTogether: a command is one batch, and what others do between reading and writing is kept.
func TestNotifyTogether(t *testing.T) {
	one := repo.Entity{Service: "web", Instance: "one"}
	for _, c := range []struct {
		command string
		act     func(b *repo.Batch)
		says    string
		want    string // of listnotify then
	}{
		{"setnotify to-online snmp:", func(b *repo.Batch) {
			b.CreateGroup(one, "to-online", typeNotify, 0)
			b.SetProperty(one, "to-online", tree.Property{Name: "syslog,active", Type: prop.Boolean, Values: []string{"true"}})
		}, "", "Event: to-online (source: svc:/web:one) Notification Type: snmp Active: true Notification Type: syslog Active: true"},
		{"setnotify to-online snmp:", func(b *repo.Batch) { b.CreateGroup(one, "to-online", "application", 0) },
			`Property group "to-online" is not of type "notify_params".`, ""},
		{"setnotify from-online mailto:a", func(b *repo.Batch) { b.DeleteGroup(one, "from-online") }, "",
			"Event: from-online (source: svc:/web:one) Notification Type: smtp Active: true to: a"},
		{"delnotify online", func(b *repo.Batch) { b.DeleteGroup(one, "from-online") }, "", ""},
		{"delnotify online", func(b *repo.Batch) {
			b.DeleteGroup(one, "from-online")
			b.CreateGroup(one, "from-online", "application", 0)
		}, `Property group "from-online" is not of type "notify_params".`, ""},
		{"setnotify online snmp:", func(b *repo.Batch) { b.Delete(one, repo.KeepChildren) }, "Current selection has been deleted.", ""},
		{"delnotify from-online", func(b *repo.Batch) { b.Delete(web, repo.WithChildren) }, "Current selection has been deleted.", ""},
	} {
		s := newStore(t)
		if _, errs, code := svccfg(s, "select web:one\nsetnotify from-online snmp:\n"); code != 0 {
			t.Fatal(errs)
		}
		if c.want != "" && !strings.Contains(c.want, "from-online") {
			put(t, s, func(b *repo.Batch) { b.DeleteGroup(one, "from-online") })
		}
		r := &rival{Store: s, times: 1, act: func(int) { put(t, s, c.act) }}
		_, errs, code := svccfg(r, "select web:one\n"+c.command+"\n")
		want := ""
		if c.says != "" {
			want = "svccfg (<stdin>, line 2): " + c.says + "\n"
		}
		if errs != want || (code != 0) != (c.says != "") {
			t.Errorf("%s: %d %s", c.command, code, errs)
		}
		if c.says != "" {
			continue
		}
		out, errs, _ := svccfg(s, "select web:one\nlistnotify\n")
		if got := strings.Join(strings.Fields(out), " "); got != c.want || errs != "" {
			t.Errorf("%s: %s%s", c.command, got, errs)
		}
		if r.tries != 2 {
			t.Errorf("%s: %d tries", c.command, r.tries)
		}
	}
}

func TestNotifyFails(t *testing.T) {
	s := newStore(t)
	if _, errs, code := svccfg(s, "select web:one\nsetnotify to-online snmp:\n"); code != 0 {
		t.Fatal(errs)
	}
	for _, command := range []string{"setnotify to-online snmp:inactive", "delnotify all"} {
		for err, want := range map[error]string{
			&door.DeniedError{Missing: "solaris.smf.modify"}: "Permission denied.",
			repo.ErrReadOnly:    "Backend read-only.",
			door.ErrUnavailable: door.ErrUnavailable.Error(),
		} {
			_, errs, code := svccfg(failing{s, err}, "select web:one\n"+command+"\n")
			if code != 1 || errs != "svccfg (<stdin>, line 2): "+want+"\n" {
				t.Errorf("%s: %d %s", command, code, errs)
			}
		}
	}
	for _, command := range []string{"setnotify to-online snmp:", "delnotify all", "listnotify", "setnotify -g to-online snmp:", "listnotify -g"} {
		_, errs, code := svccfg(unreadable{s}, "select web:one\n"+command+"\n")
		if code != 1 || errs != "svccfg (<stdin>, line 2): "+door.ErrUnavailable.Error()+"\n" {
			t.Errorf("%s: %d %s", command, code, errs)
		}
	}
}

// unreadable is a repository whose groups cannot be read.
type unreadable struct{ door.Store }

func (unreadable) Close() error { return nil }

func (unreadable) Group(repo.Entity, door.View, string) (door.Group, error) {
	return door.Group{}, door.ErrUnavailable
}

func (unreadable) Groups(repo.Entity, door.View) ([]door.Group, error) {
	return nil, door.ErrUnavailable
}

func (u unreadable) Exists(e repo.Entity) (bool, error) {
	if e == globalInstance {
		return false, door.ErrUnavailable
	}
	return u.Store.Exists(e)
}

// TestNotifyAtTheDoor: it takes what a change and a refresh take.
func TestNotifyAtTheDoor(t *testing.T) {
	testenv.NeedRoot(t)
	as := atDoor(t)
	admin, some, none := as(root), as(operator), as(nobody)
	if _, errs, code := svccfg(admin, "add web\nselect web\nadd one\nselect one\nsetnotify to-online mailto:a\n"); code != 0 {
		t.Fatal(errs)
	}
	for _, command := range []string{"setnotify to-online snmp:", "delnotify all"} {
		if _, errs, code := svccfg(none, "select web:one\n"+command+"\n"); code != 1 || errs != "svccfg (<stdin>, line 2): Permission denied.\n" {
			t.Errorf("%s: %d %s", command, code, errs)
		}
	}
	if out, errs, code := svccfg(none, "select web:one\nlistnotify\n"); code != 0 || errs != "" || !strings.Contains(out, "to: a\n") {
		t.Errorf("%d %s%s", code, errs, out)
	}
	if _, errs, code := svccfg(some, "select web:one\nsetnotify to-online snmp:\ndelnotify to-online\n"); code != 0 || errs != "" {
		t.Errorf("%d %s", code, errs)
	}
}

// TestAnyNotification: whatever URI is taken can be exported as notification parameters, read back, and
// set again.
func TestAnyNotification(t *testing.T) {
	s := newStore(t)
	rapid.Check(t, func(t *rapid.T) {
		uri := rapid.SampledFrom([]string{"mailto:", "snmp:", "syslog:", "mail:", ""}).Draw(t, "scheme") + rapid.StringMatching(`[a-z@.,:?&=\\" ä]{0,16}`).Draw(t, "rest")
		events := rapid.StringMatching("(to-|from-|)(online|offline|all)(,(to-|from-|)(degraded|x|))?").Draw(t, "events")
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(uri) + `"`
		_, errs, code := svccfg(s, "select web:one\nsetnotify "+events+" "+quoted+"\n")
		if code != 0 {
			if !strings.Contains(errs, "line 2") {
				t.Fatalf("%d %s", code, errs)
			}
			return
		}
		out, errs, code := svccfg(s, "export web\n")
		if code != 0 || errs != "" || !strings.Contains(out, "<notification_parameters>") || strings.Contains(out, typeNotify) {
			t.Fatalf("%s %s: %d %s%s", events, uri, code, errs, out)
		}
		if _, errs, code := svccfg(s, "select web:one\ndelnotify "+events+"\n"); code != 0 {
			t.Fatalf("%s: %s", events, errs)
		}
		if out, errs, code := svccfg(s, "select web:one\nlistnotify "+events+"\n"); code != 0 || out+errs != "" {
			t.Fatalf("%s: %d %s%s", events, code, out, errs)
		}
	})
}
