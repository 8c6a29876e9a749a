package svcprop

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/repo/door"
)

// watched does something when svcprop has begun to watch.
type watched struct {
	door.Store
	then func()
}

func (w watched) Close() error { return nil }

func (w watched) Watch(f repo.Filter) (door.Watch, error) {
	x, err := w.Store.Watch(f)
	w.then()
	return x, err
}

// looked does something when the group was read once by svcprop's waiting.
type looked struct {
	watched
	after func()
	times *int
}

func (l looked) Group(e repo.Entity, v door.View, name string) (door.Group, error) {
	g, err := l.Store.Group(e, v, name)
	if *l.times++; *l.times == 1 {
		l.after()
	}
	return g, err
}

// waits runs svcprop -w, and change when the group was read.
func (r *rig) waits(change func(), args ...string) (out, errs string, code int) {
	n := 0
	return r.runOn(looked{watched{r.store, func() {}}, change, &n}, append([]string{"-w"}, args...)...)
}

func TestWait(t *testing.T) {
	set := func(value string) func(*repo.Batch) {
		return func(b *repo.Batch) { b.SetProperty(ssh, "restarter", str("state", value)) }
	}
	for _, c := range []struct {
		name   string
		change []func(*repo.Batch)
		args   string
		out    string
		errs   string
		code   int
	}{
		{"a property", []func(*repo.Batch){set("online")}, "-p restarter/state ssh", "online\n", "", 0},
		{"a group", []func(*repo.Batch){set("online")}, "-p restarter ssh", "restarter/state astring online\n", "", 0},
		{"quietly", []func(*repo.Batch){set("online")}, "-q -p restarter ssh", "", "", 0},
		{"with its FMRI", []func(*repo.Batch){set("online")}, "-f -p restarter/state ssh", "svc:/network/ssh:default/:properties/restarter/state astring online\n", "", 0},
		{"others before it", []func(*repo.Batch){
			func(b *repo.Batch) {
				b.PutGroup(repo.Entity{Service: "network/ssh"}, volatileGroup("restarter", str("state", "service")))
			},
			func(b *repo.Batch) { b.PutGroup(ssh, group("other")) },
			set("online"),
		}, "-p restarter/state ssh", "online\n", "", 0},
		{"its end", []func(*repo.Batch){func(b *repo.Batch) { b.DeleteGroup(ssh, "restarter") }}, "-p restarter ssh", "", "svcprop: Not found.\n", 1},
		{"its property's end", []func(*repo.Batch){func(b *repo.Batch) { b.DeleteProperty(ssh, "restarter", "state") }}, "-p restarter/state ssh", "", "svcprop: Not found.\n", 1},
		{"the end of all", []func(*repo.Batch){func(b *repo.Batch) { b.Delete(repo.Entity{Service: "network/ssh"}, repo.WithChildren) }}, "-p restarter ssh", "", "svcprop: Not found.\n", 1},
	} {
		r := full(t)
		out, errs, code := r.waits(func() {
			for _, change := range c.change {
				r.apply(change)
			}
		}, strings.Fields(c.args)...)
		if out != c.out || errs != c.errs || code != c.code {
			t.Errorf("%s: status %d\n%s%s", c.name, code, out, errs)
		}
	}
	// Of a property's operand the group was read before the watch too.
	r := full(t)
	n := 1
	out, errs, code := r.runOn(looked{watched{r.store, func() { n = 0 }}, func() { r.apply(set("online")) }, &n},
		"-w", "svc:/network/ssh:default/:properties/restarter/state")
	if out != "online\n" || errs != "" || code != 0 {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

func TestWaitRefuses(t *testing.T) {
	r := full(t)
	for args, want := range map[string]string{
		"ssh":                                  "2 svcprop: Cannot wait for an instance.\n",
		"svc:/network/web":                     "2 svcprop: Cannot wait for a service.\n",
		"nothing":                              "1 svcprop: Pattern 'nothing' doesn't match any entities\n",
		"-p a network/web":                     "1 svcprop: Pattern 'network/web' matches multiple instances:\nsvcprop:     svc:/network/web:one\nsvcprop:     svc:/network/web:two\n",
		"-p none ssh":                          "1 svcprop: Not found.\n",
		"-p restarter/none ssh":                "1 svcprop: Not found.\n",
		"-q -p none ssh":                       "1 ",
		"-p a ssh/:properties/restarter/state": "2 svcprop: -p cannot be used with property FMRIs.\n",
		"-p a/b ssh/:properties/restarter":     "2 svcprop: -p argument \"a/b\" has too many components for property group svc:/network/ssh:default/:properties/restarter.\n",
		"-p none ssh/:properties/restarter":    "1 svcprop: Not found.\n",
	} {
		out, errs, code := r.run(append([]string{"-w"}, strings.Fields(args)...)...)
		if got := string(rune('0'+code)) + " " + errs; got != want || out != "" {
			t.Errorf("%s: %s%s", args, out, got)
		}
	}
}

// TestWaitEnds: the end of the context, and of the repository, end a wait.
func TestWaitEnds(t *testing.T) {
	r := full(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	var out, errs bytes.Buffer
	n := 0
	env := &Env{Out: &out, Err: &errs, Open: func() (door.Store, error) {
		return looked{watched{r.store, func() {}}, func() { cancel(errors.New("that was long enough")) }, &n}, nil
	}}
	if code := Main(ctx, env, []string{"-w", "-p", "restarter", "ssh"}); code != 1 || errs.String() != "svcprop: that was long enough\n" {
		t.Errorf("%d %s", code, &errs)
	}
	if out, said, code := r.waits(func() { _ = r.store.Close() }, "-p", "restarter", "ssh"); code != 1 || out != "" || said != "svcprop: Repository connection broken.  Exiting.\n" {
		t.Errorf("%d %s%s", code, out, said)
	}
}
