package repo

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
)

// told is all that is queued for a watcher.
func told(t testing.TB, w *Watcher) (s string) {
	t.Helper()
	for {
		e, ok, err := w.Next()
		must(t, err)
		if !ok {
			return s
		}
		s += fmt.Sprintf("%d %v %s;", e.Kind, e.On.Instance, e.Name)
	}
}

func watch(t testing.TB, r *Repo, f Filter) *Watcher {
	t.Helper()
	w, err := r.Watch(f)
	must(t, err)
	t.Cleanup(w.Close)
	return w
}

func TestWatch(t *testing.T) {
	r := fresh(t)
	all := watch(t, r, Filter{})
	one := watch(t, r, Filter{On: webOne})
	service := watch(t, r, Filter{On: web, Groups: []string{"a", "b"}})
	typed := watch(t, r, Filter{Types: []string{"application"}})
	other := watch(t, r, Filter{On: Entity{Service: "other"}})
	select {
	case <-all.Ready():
		t.Error("woken by nothing")
	default:
	}
	apply(t, r, func(b *Batch) {
		b.Create(webTwo)
		b.CreateGroup(web, "a", "framework", 0)
		b.SetProperty(web, "a", str("x", "1"))
		b.PutGroup(webOne, volatileGroup("b"))
		b.PutGroup(webTwo, group("c"))
		b.TakeSnapshot(webOne, Running)
	})
	<-all.Ready()
	for _, c := range []struct {
		name string
		w    *Watcher
		want string
	}{
		{"all", all, "2 second ;4  a;4 default b;4 second c;6 default running;"},
		{"one", one, "4  a;4 default b;6 default running;"},
		{"service", service, "4  a;4 default b;"},
		{"typed", typed, "4 default b;4 second c;"},
		{"other", other, ""},
	} {
		if got := told(t, c.w); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	var b Batch
	b.DeleteGroup(webOne, "b")
	b.DeleteGroup(webOne, "none")
	if _, err := r.Apply(&b); err == nil || told(t, all) != "" {
		t.Errorf("a batch that failed is told: %v", err)
	}
	apply(t, r, func(b *Batch) { b.SetProperty(web, "a", str("x", "1")) })
	if got := told(t, all); got != "" {
		t.Errorf("nothing changed: %s", got)
	}
	apply(t, r, func(b *Batch) { b.DeleteGroup(web, "a"); b.Delete(web, WithChildren) })
	want := "5  a;7 default running;3 default ;5 default b;3 second ;5 second c;3  ;"
	if got := told(t, all); len(got) != len(want) {
		t.Errorf("%s, want %s in some order", got, want)
	}
	if got := told(t, typed); got != "5 default b;5 second c;" && got != "5 second c;5 default b;" {
		t.Errorf("groups that went with their entity: %s", got)
	}
}

// TestOverflow: a queue that is full tells so, and goes on when that was taken.
func TestOverflow(t *testing.T) {
	r := fresh(t)
	w := watch(t, r, Filter{})
	burst := func(n int) {
		apply(t, r, func(b *Batch) {
			for i := range n {
				b.PutGroup(webOne, volatileGroup("g"+strconv.Itoa(i%500), str("x", strconv.Itoa(int(r.Generation())+i))))
			}
		})
	}
	burst(watchQueueMax + 1)
	burst(3)
	e, ok, err := w.Next()
	if err != nil || !ok || e.Kind != Resync || e.Generation != r.Generation() {
		t.Errorf("%+v %v %v, generation %d", e, ok, err, r.Generation())
	}
	if got := told(t, w); got != "" {
		t.Error(got)
	}
	burst(2)
	if got := told(t, w); got != "4 default g0;4 default g1;" {
		t.Error(got)
	}
}

func TestWatchersEnd(t *testing.T) {
	r := fresh(t)
	var all []*Watcher
	for range WatchersMax {
		all = append(all, watch(t, r, Filter{}))
	}
	if _, err := r.Watch(Filter{}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	all[0].Close()
	<-all[0].Ready()
	if _, _, err := all[0].Next(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	for _, w := range all[1:] {
		w.Close()
	}
	if r.watch.any() {
		t.Error("somebody is left")
	}
	last := watch(t, r, Filter{})
	apply(t, r, func(b *Batch) { b.Create(webTwo) })
	must(t, r.Close())
	if got, ok, err := last.Next(); !ok || err != nil || got.Kind != EntityCreated {
		t.Errorf("%+v %v %v", got, ok, err)
	}
	if _, _, err := last.Next(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := r.Watch(Filter{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := r.Apply(&Batch{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := r.View(func(*Reader) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
