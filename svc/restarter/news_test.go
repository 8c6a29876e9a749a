package restarter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/outbox"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/record"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// noted is an outbox that writes down what is left in it, and what the repository says then.
type noted struct {
	w    *world
	mu   sync.Mutex
	list []string
	fail error
}

func (n *noted) Put(c *outbox.Change) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	text := fmt.Sprintf("%s %s>%s %s", c.FMRI, c.From, c.To, c.Reason)
	_ = n.w.repo.View(func(v *repo.Reader) error {
		g, _, err := v.Group(entityOf(c.FMRI), record.Group)
		if rec := record.Of(&g); err != nil || rec.Stamp.Before(c.At) {
			text += " (not written)"
		}
		return nil
	})
	if c.All {
		text += " all"
	}
	n.list = append(n.list, text)
	return nil
}

func (n *noted) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}

// told waits for what is left next.
func (n *noted) told(t *testing.T, want ...string) {
	t.Helper()
	testenv.Eventually(t, func() bool { return slices.Equal(n.all(), want) || len(n.all()) > len(want) }, fmt.Sprintf("%q", want))
	if got := n.all(); !slices.Equal(got, want) {
		t.Fatalf("%q\nwant %q", got, want)
	}
	n.mu.Lock()
	n.list = nil
	n.mu.Unlock()
}

// name sets parameters of an event, and has them count.
func (w *world) name(name, event string) {
	w.t.Helper()
	var b repo.Batch
	b.PutGroup(entity(name), &tree.Group{Name: event, Type: notifyType, Props: []tree.Property{{Name: "smtp,active", Type: prop.Boolean, Values: []string{"true"}}}})
	b.TakeSnapshot(entity(name), repo.Running)
	_, err := w.repo.Apply(&b)
	must(w.t, err)
}

// newsWorld has a notifier, which is enabled, and two services.
func newsWorld(t *testing.T) (*world, *noted) {
	w := newWorld(t)
	n := &noted{w: w}
	w.outbox = n
	w.add(w.stops("system/svc/restarter", "true", ""))
	w.add(w.stops("system/svc/global", "true", ""))
	w.add(w.stops("system/fm/smtp-notify", "true", ""))
	w.add(w.stops("a", "true", ""))
	w.add(w.stops("b", "true", ""))
	return w, n
}

// TestNews: changes are told for which there are parameters, of the instance or of all, when they are
// written, and no others.
func TestNews(t *testing.T) {
	w, n := newsWorld(t)
	w.name("a", "to-online")
	w.name("a", "from-online")
	w.run()
	w.state("a", graph.Online)
	w.state("b", graph.Online)
	n.told(t, "svc:/a:default offline>online dependencies_satisfied")
	w.override("a", "false")
	w.override("b", "false")
	w.state("a", graph.Disabled)
	w.state("b", graph.Disabled)
	n.told(t, "svc:/a:default online>disabled disable_request")
	w.name("system/svc/global", "to-maintenance")
	w.ask("b", "maint_on")
	w.state("b", graph.Maintenance)
	n.told(t, "svc:/b:default disabled>maintenance administrative_request")
	// The next restarter says nothing of what it finds.
	w.die()
	w.run()
	w.override("a", "")
	w.state("a", graph.Online)
	n.told(t, "svc:/a:default offline>online dependencies_satisfied")
	// Of the way down nobody is told.
	close(w.down)
	w.ends()
	if got := n.all(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestNewsOfAll: with options/info_events_all each change is told, from then on.
//
//shows:3.3/info-events
func TestNewsOfAll(t *testing.T) {
	w, n := newsWorld(t)
	w.run()
	w.state("a", graph.Online)
	option := func(value string) {
		t.Helper()
		var b repo.Batch
		b.PutGroup(entityOf(FMRI), &tree.Group{Name: optionsGroup, Type: "framework", Props: []tree.Property{{Name: "info_events_all", Type: prop.Boolean, Values: []string{value}}}})
		_, err := w.repo.Apply(&b)
		must(t, err)
	}
	option("true")
	testenv.Eventually(t, func() bool { w.ask("a", "restart"); return len(n.all()) >= 2 }, "a change to be told of")
	w.state("a", graph.Online)
	for i, c := range n.all() {
		if want := []string{"svc:/a:default online>offline restart_request all", "svc:/a:default offline>online dependencies_satisfied all"}[i%2]; c != want {
			t.Errorf("%q, not %q", c, want)
		}
	}
	w.die()
	option("false")
	w.run()
	n.mu.Lock()
	n.list = nil
	n.mu.Unlock()
	w.override("a", "false")
	w.state("a", graph.Disabled)
	if got := n.all(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestNobodyTells: without a notifier that is enabled nothing is left for it, which is said when somebody
// sets parameters. What cannot be left is counted and told, and holds nothing up.
func TestNobodyTells(t *testing.T) {
	w, n := newsWorld(t)
	w.override("system/fm/smtp-notify", "false")
	w.run()
	w.state("a", graph.Online)
	w.name("a", "to-disabled")
	w.name("a", "to-online")
	w.override("a", "false")
	w.state("a", graph.Disabled)
	if got := n.all(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	const nobody = "nobody is told while svc:/system/fm/smtp-notify:default is disabled: svcadm enable smtp-notify"
	said := func(text string) (times int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range w.said {
			if strings.Contains(s, text) {
				times++
			}
		}
		return times
	}
	testenv.Eventually(t, func() bool { return said(nobody) == 1 }, "that nobody is told")
	n.fail = errors.New("no space left")
	w.override("system/fm/smtp-notify", "")
	w.state("system/fm/smtp-notify", graph.Online)
	for range 6 {
		w.override("a", "")
		w.state("a", graph.Online)
		w.override("a", "false")
		w.state("a", graph.Disabled)
	}
	for text, times := range map[string]int{nobody: 1, "no space left: 1 are lost so far": 1, "no space left: 10 are lost so far": 1, "are lost so far": 2} {
		if got := said(text); got != times {
			t.Errorf("%q is said %d times", text, got)
		}
	}
}
