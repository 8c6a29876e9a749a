package zoned

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/testenv"
)

func TestZoneOfPath(t *testing.T) {
	for _, c := range []struct{ path, tag, want string }{
		{"/zones/web/g17", "", "web"},
		{"/zones.1234abcd/web/g17", ".1234abcd", "web"},
		{"/zones.1234abcd/web/g17", "", ""}, // of another instance
		{"/zones/web/g17", ".1234abcd", ""}, // likewise
		{"/zones/web/sup", "", ""},          // a supervisor
		{"/zones/web/g17/ct/1", "", ""},     // not the generation itself
		{"/x/zones/web/g17", "", ""},        // elsewhere
		{"/zones.slice/zone-web-0a1b2c3d.scope/g17", "", "web"},
		{"/zones.slice/zone-my-own-web-0a1b2c3d.scope/g17", "", "my-own-web"},
		{"/zones.slice/zone-web.1234abcd-0a1b2c3d.scope/g17", ".1234abcd", "web"},
		{"/zones.slice/zone-web-0a1b2c3d.scope/g17", ".1234abcd", ""},
		{"/zones.slice/web.service/g17", "", ""},
		{"/zones.slice/zone-.scope/g17", "", ""},
		{"/", "", ""},
		{"", "", ""},
		{"(deleted)", "", ""},
	} {
		if got := zoneOfPath(c.path, c.tag); got != c.want {
			t.Errorf("%q of an instance %q is of zone %q, want %q", c.path, c.tag, got, c.want)
		}
	}
}

// TestZoneOf finds a zone by the number of its cgroup, and none where there is none.
func TestZoneOf(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2)
	mount, err := testenv.Cgroup2Mount()
	if err != nil {
		t.Fatal(err)
	}
	own := testenv.Cgroup(t)
	tag := filepath.Ext(own) // an instance whose tree is the test's own
	z := &Zone{mount: mount}
	if got := z.zoneOf(1 << 40); got != "" {
		t.Errorf("a number of nothing is zone %q's", got)
	}
	id, err := cgroupIDOf(own)
	if err != nil {
		t.Fatal(err)
	}
	if got := z.zoneOf(id); got != "" {
		t.Errorf("%s (%s) is zone %q's", own, tag, got)
	}
	if _, err := cgroupIDOf(own + "/nothing"); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
}

// TestAtCollector: without the host's namespace every mount namespace has a name of its own.
func TestAtCollector(t *testing.T) {
	lay := layout.At(t.TempDir())
	if err := os.MkdirAll(lay.Run, 0o755); err != nil {
		t.Fatal(err)
	}
	z := &Zone{lay: lay}
	var names []string
	for range 2 {
		if err := z.atCollector(func(dir string) error { names = append(names, dir); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if names[0] != names[1] || filepath.Dir(names[0]) != lay.Run || !strings.HasPrefix(filepath.Base(names[0]), "bpf") {
		t.Errorf("%q", names)
	}
	bad := errors.New("bad")
	if err := z.atCollector(func(string) error { return bad }); !errors.Is(err, bad) {
		t.Error(err)
	}
}

// TestCollectingEnds: whoever lets go of a beginning waits for it, also of none.
func TestCollectingEnds(t *testing.T) {
	var none *collecting
	none.end()
	w := &collecting{done: make(chan struct{})}
	ended := make(chan struct{})
	go func() { w.end(); close(ended) }()
	select {
	case <-ended:
		t.Error("it did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	close(w.done)
	select {
	case <-ended:
	case <-time.After(testenv.Deadline(20 * time.Second)):
		t.Error("it waits for ever")
	}
}
