package zoned

import (
	"os"
	"strings"
	"testing"

	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/internal/testenv"
	"github.com/linuxzones/zones/zoned/remains"
)

// TestLeftDescriptors: what the keeper holds beside its own after a halt is left, each by its
// name; its own are not.
func TestLeftDescriptors(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, testenv.Cgroup2)
	z := &Zone{name: "web", lay: layout.At(t.TempDir()), slots: &slots{m: map[string]*sys.FD{}}}
	if err := os.MkdirAll(z.stateDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range keepersSlots {
		z.slots.put(name, sys.Own(-1))
	}
	left := func() []string {
		t.Helper()
		items, err := z.leftBehind(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, i := range items {
			if i.Kind != remains.Descriptor {
				t.Errorf("%s is left", i)
			}
			names = append(names, i.Name)
		}
		return names
	}
	if got := left(); len(got) > 0 {
		t.Errorf("the keeper's own are left: %q", got)
	}
	for _, name := range []string{keeper.SlotPty, "login.1.2.3"} {
		z.slots.put(name, sys.Own(-1))
	}
	if got := strings.Join(left(), " "); !strings.Contains(got, keeper.SlotPty) || !strings.Contains(got, "login.1.2.3") || len(left()) != 2 {
		t.Errorf("left are %s", got)
	}
}
