package door_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/auth"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
	"github.com/linuxzones/zones/svc/repo/door/client"
	"github.com/linuxzones/zones/svc/repo/door/server"
	"github.com/linuxzones/zones/svc/tree"
)

// The users of these tests, by what they have.
const (
	nobody = iota + 1001
	admin
	operator
	appAdmin
	changer
	reader
	actor
)

var users = map[uint32]auth.Set{
	admin: auth.Of("solaris.smf.modify"), operator: auth.Of("solaris.smf.manage"),
	appAdmin: auth.Of("solaris.smf.modify.application"), changer: auth.Of("site.value"),
	reader: auth.Of("site.read"), actor: auth.Of("site.action"),
}

func boolean(name, value string) tree.Property {
	return tree.Property{Name: name, Type: prop.Boolean, Values: []string{value}}
}

// secrets makes a service with groups of all kinds.
func secrets(t *testing.T, s door.Store) {
	apply(t, s, func(b *repo.Batch) {
		b.Ensure(webOne)
		b.PutGroup(web, group("config", str("password", "secret"), str("value_authorization", "site.value"), str("read_authorization", "site.read"), str("modify_authorization", "site.modify")))
		b.PutGroup(webOne, group("config", str("password", "of the instance")))
		b.PutGroup(webOne, group("open", str("x", "1")))
		b.PutGroup(webOne, &tree.Group{Name: "general", Type: "framework", Props: []tree.Property{str("action_authorization", "site.action"), boolean("enabled", "true")}})
		b.TakeSnapshot(webOne, repo.Running)
	})
}

// TestUsers: who may do what, each user's process asked by the kernel.
func TestUsers(t *testing.T) {
	s := serve(t)
	s.users = users
	root := s.client()
	secrets(t, root)
	clients := map[uint32]*client.Client{}
	for uid := uint32(nobody); uid <= actor; uid++ {
		clients[uid] = s.as(uid)
	}
	framework := func(name string, props ...tree.Property) *tree.Group {
		return &tree.Group{Name: name, Type: "framework", Flags: tree.NonPersistent, Props: props}
	}
	for _, c := range []struct {
		name string
		may  []uint32
		fill func(b *repo.Batch, n string)
	}{
		{"expect", []uint32{nobody, admin, operator, appAdmin, changer, reader, actor}, func(b *repo.Batch, n string) { b.ExpectExists(web, "config") }},
		{"create", []uint32{admin}, func(b *repo.Batch, n string) { b.Ensure(repo.Entity{Service: "new/" + n}) }},
		{"set a value", []uint32{admin, appAdmin}, func(b *repo.Batch, n string) { b.SetProperty(webOne, "open", str("x", n)) }},
		{"set a guarded value", []uint32{admin, appAdmin, changer}, func(b *repo.Batch, n string) { b.SetValues(web, "config", str("password", n)) }},
		{"guarded by the service", []uint32{admin, appAdmin, changer}, func(b *repo.Batch, n string) { b.SetValues(webOne, "config", str("password", n)) }},
		{"add a property", []uint32{admin, appAdmin}, func(b *repo.Batch, n string) { b.SetProperty(web, "config", str("new"+n, n)) }},
		{"a method", []uint32{admin}, func(b *repo.Batch, n string) { b.PutGroup(webOne, &tree.Group{Name: "m" + n, Type: "method"}) }},
		{"enable", []uint32{admin, operator, actor}, func(b *repo.Batch, n string) {
			b.SetProperty(webOne, "general", boolean("enabled", fmt.Sprint(len(n)%2 == 0)))
		}},
		{"enable for now", []uint32{admin, operator, actor}, func(b *repo.Batch, n string) {
			b.PutGroup(webOne, framework("general_ovr", boolean("enabled", "true"), str("comment", n)))
		}},
		{"restart", []uint32{admin, operator, actor}, func(b *repo.Batch, n string) {
			b.PutGroup(webOne, framework("restarter_actions", str("restart", n)))
		}},
		{"who may act", nil, func(b *repo.Batch, n string) { b.SetValues(webOne, "general", str("action_authorization", n)) }},
		{"snapshot", []uint32{admin}, func(b *repo.Batch, n string) { b.TakeSnapshot(webOne, "s"+n) }},
		{"one that may and one that may not", []uint32{admin}, func(b *repo.Batch, n string) {
			b.SetValues(web, "config", str("password", n))
			b.DeleteSnapshot(webOne, "none"+n)
		}},
	} {
		for uid, s := range clients {
			generation, err := root.Generation()
			must(t, err)
			var b repo.Batch
			c.fill(&b, fmt.Sprintf("n%s%d", strings.Repeat("x", int(uid)%3), uid))
			_, err = s.Apply(&b)
			if slices.Contains(c.may, uid) {
				if errors.Is(err, door.ErrDenied) || err != nil && !errors.Is(err, repo.ErrNotFound) {
					t.Errorf("%s by %d: %v", c.name, uid, err)
				}
				continue
			}
			var denied *door.DeniedError
			var op *repo.OpError
			if !errors.Is(err, door.ErrDenied) || !errors.As(err, &denied) || !errors.As(err, &op) || denied.Missing == "" ||
				!strings.Contains(err.Error(), "Permission denied: it takes the authorization "+denied.Missing) {
				t.Errorf("%s by %d: %v", c.name, uid, err)
			}
			if after, err := root.Generation(); err != nil || after != generation {
				t.Errorf("%s by %d changed something", c.name, uid)
			}
		}
	}
	for uid, s := range clients {
		if _, _, err := s.Backup("boot"); !errors.Is(err, door.ErrDenied) {
			t.Errorf("backup by %d: %v", uid, err)
		}
		if err := s.Verify(); !errors.Is(err, door.ErrDenied) {
			t.Errorf("verify by %d: %v", uid, err)
		}
	}
}

// TestSecrets: values that are protected are given to those who may read them, by no way to others.
func TestSecrets(t *testing.T) {
	s := serve(t)
	s.users = users
	root := s.client()
	secrets(t, root)
	for _, uid := range []uint32{0, nobody, admin, operator, appAdmin, changer, reader, actor} {
		c := root
		if uid != 0 {
			c = s.as(uid)
		}
		may := slices.Contains([]uint32{0, admin, appAdmin, changer, reader}, uid)
		check := func(how string, g door.Group) {
			t.Helper()
			p := g.Prop("password")
			if p == nil || p.Type != prop.AString || (len(p.Values) == 1) != may || g.Withheld == may && uid != changer {
				t.Errorf("%s by %d: %+v", how, uid, g)
			}
			if m := g.Prop("modify_authorization"); m != nil && (len(m.Values) > 0) != (may && uid != changer) {
				t.Errorf("%s by %d: who may modify is %q", how, uid, m.Values)
			}
		}
		for _, v := range []door.View{door.Direct, door.Composed, door.Effective, door.Snapshot(repo.Running), door.SnapshotInstance(repo.Running)} {
			for _, e := range []repo.Entity{web, webOne} {
				if e == web && v.Snapshot != "" {
					continue
				}
				how := fmt.Sprint(e, v)
				p, err := c.Property(e, v, "config", "password")
				if may != (err == nil && len(p.Values) == 1) || !may && !errors.Is(err, door.ErrDenied) {
					t.Errorf("%s by %d: %+v, %v", how, uid, p, err)
				}
				g, err := c.Group(e, v, "config")
				must(t, err)
				check(how, g)
				groups, err := c.Groups(e, v)
				must(t, err)
				check(how, groups[0])
			}
		}
		r, err := c.Scan(door.Query{Levels: door.Services | door.Instances, View: door.Direct, Groups: []string{"config"}})
		must(t, err)
		for _, e := range r.Entries {
			check("scan", e.Groups[0])
		}
		w, err := c.Service("network/web")
		must(t, err)
		if want := 2; !may && (len(w.Withheld) != want || w.Withheld[1] != "svc:/network/web:default/:properties/config" || len(w.Group("config").Prop("password").Values) != 0) {
			t.Errorf("service by %d: %+v", uid, w)
		}
		if p, err := c.Property(webOne, door.Direct, "open", "x"); err != nil || p.Values[0] != "1" {
			t.Errorf("open by %d: %+v, %v", uid, p, err)
		}
	}
}

// TestNoGap: what a user may is decided with the change itself. While the group says that he may
// not, nothing of his comes through.
func TestNoGap(t *testing.T) {
	s := serve(t)
	s.users = users
	root, user := s.client(), s.as(changer)
	apply(t, root, func(b *repo.Batch) {
		b.Ensure(webOne)
		b.PutGroup(webOne, group("config", str("by", "root"), str("value_authorization", "nobody")))
	})
	stop, done := make(chan struct{}), make(chan [2]int)
	go func() {
		var came, denied int
		for {
			select {
			case <-stop:
				done <- [2]int{came, denied}
				return
			default:
			}
			var b repo.Batch
			b.SetValues(webOne, "config", str("by", "user"))
			b.SetValues(webOne, "config", str("by", "user again"))
			switch _, err := user.Apply(&b); {
			case err == nil:
				came++
			case errors.Is(err, door.ErrDenied):
				denied++
			}
		}
	}()
	for range testenv.Rounds(100, 20) {
		apply(t, root, func(b *repo.Batch) { b.SetValues(webOne, "config", str("value_authorization", "site.value")) })
		apply(t, root, func(b *repo.Batch) {
			b.SetValues(webOne, "config", str("by", "root"))
			b.SetValues(webOne, "config", str("value_authorization", "nobody"))
		})
		for range 3 {
			if p, err := root.Property(webOne, door.Direct, "config", "by"); err != nil || p.Values[0] != "root" {
				t.Errorf("%+v, %v", p, err)
			}
		}
	}
	close(stop)
	if n := <-done; n[1] == 0 {
		t.Errorf("%d came through, %d were denied: nothing was tried", n[0], n[1])
	}
}

// TestUserOfFiles: a process of another user, whose authorizations are in the zone's files.
func TestUserOfFiles(t *testing.T) {
	testenv.NeedRoot(t)
	dir := place(t)
	r := repository(t, dir)
	for name, text := range map[string]string{
		"passwd":    "root:x:0:0:::\noper:x:2001:2001:::\nplain:x:2002:2002:::\n",
		"user_attr": "oper::::profiles=Service Operator\n",
		"prof_attr": "Service Operator:::Administer services:auths=solaris.smf.manage,solaris.smf.modify.framework\n",
		"policy":    "AUTHS_GRANTED=site.read\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	files := auth.Files{
		Accounts: account.Files{Passwd: dir + "/passwd"},
		Users:    dir + "/user_attr", Profiles: dir + "/prof_attr", Policy: dir + "/policy",
	}
	l, err := server.Listen(doorOf(dir))
	must(t, err)
	defer l.Close()
	srv, err := server.New(server.Config{Repo: r, Listener: l, Authorizations: files.OfUID})
	must(t, err)
	defer srv.Close()
	root := client.New(client.Config{Path: doorOf(dir)})
	defer root.Close()
	secrets(t, root)
	for uid, want := range map[uint32]string{
		2001: "enabled, not set: solaris.smf.modify.application, read",
		2002: "not enabled: solaris.smf.manage, not set: solaris.smf.modify.application, read",
		2003: "not enabled: solaris.smf.manage, not set: solaris.smf.modify.application, read",
	} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), role+"=user", "DOOR_TEST_DIR="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%d: %q, want %q; %v", uid, out, want, err)
		}
	}
}

// userMain tries what an ordinary process can.
func userMain(dir string) error {
	c := client.New(client.Config{Path: doorOf(dir)})
	defer c.Close()
	var said []string
	try := func(done string, b *repo.Batch) error {
		_, err := c.Apply(b)
		var denied *door.DeniedError
		switch {
		case err == nil:
			said = append(said, done)
		case errors.As(err, &denied):
			said = append(said, "not "+done+": "+denied.Missing)
		default:
			return err
		}
		return nil
	}
	var enable, change repo.Batch
	enable.SetProperty(webOne, "general", boolean("enabled", "false"))
	change.SetProperty(webOne, "open", str("x", "2"))
	if err := errors.Join(try("enabled", &enable), try("set", &change)); err != nil {
		return err
	}
	if _, err := c.Property(webOne, door.Direct, "config", "password"); err == nil {
		said = append(said, "read")
	}
	fmt.Print(strings.Join(said, ", "))
	return nil
}
