package restarter

import (
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/svc/graph"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo"
	"github.com/linuxzones/zones/svc/tree"
)

// told says whether the restarter's own log has a line.
func (w *world) told(line string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.said {
		if strings.Contains(s, line) {
			return true
		}
	}
	return false
}

// How much the restarter's log is told can be changed while it runs; a word that there is not is said
// once, however often the group is read.
func TestLogging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(service("system/svc/restarter", "transient", "/bin/true", ""))
	for _, name := range []string{"a", "b", "c", "d"} {
		w.add(service(name, "contract", "/bin/sh -c &quot;sleep 1000 &amp;&quot;", ""))
	}
	w.run()
	for _, name := range []string{"a", "b", "c", "d"} {
		w.state(name, graph.Online)
	}
	set := func(word string) {
		t.Helper()
		var b repo.Batch
		b.PutGroup(entityOf(FMRI), &tree.Group{Name: optionsGroup, Type: "framework", Props: []tree.Property{
			{Name: "logging", Type: prop.AString, Values: []string{word}},
		}})
		_, err := w.repo.Apply(&b)
		must(t, err)
	}
	up := func(name string) string { return "svc:/" + name + ":default: offline -> online" }
	if w.told(up("a")) {
		t.Error("a change of state is told where logging is not set")
	}
	set("verbose")
	w.restarted("b")
	testenv.Eventually(t, func() bool { return w.told(up("b")) }, "a change of a state to be told")
	if w.told("svc:/b:default: order start") {
		t.Error("orders are told where logging is verbose")
	}
	set("debug")
	w.restarted("c")
	for _, line := range []string{up("c"), "svc:/c:default: order start", "svc:/c:default: process "} {
		testenv.Eventually(t, func() bool { return w.told(line) }, "to be told: "+line)
	}
	const bad = `options/logging is "loud"`
	set("loud")
	testenv.Eventually(t, func() bool { return w.told(bad) }, "the wrong word to be told")
	w.restarted("d")
	if w.told(up("d")) {
		t.Error("a wrong word is taken for verbose")
	}
	w.die()
	w.mu.Lock()
	w.said, w.debug = nil, true // what options/logging says does not count then
	w.mu.Unlock()
	w.run()
	w.restarted("a")
	testenv.Eventually(t, func() bool { return w.told(up("a")) }, "a change of a state with -m debug")
}
