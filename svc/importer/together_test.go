package importer

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

// Several who import the same directory at once, and one who imports what depends on it, leave what
// one would leave.
func TestTogether(t *testing.T) {
	root := t.TempDir()
	for i := range 12 {
		write(t, filepath.Join(root, SystemManifests, fmt.Sprintf("s%d.xml", i)), named(fmt.Sprintf("s%d", i), "80"))
	}
	alone := fresh(t)
	_, err := (&Boot{Store: Local(alone), Root: root}).Manifests(SystemManifests)
	must(t, err)
	r := fresh(t)
	var wait sync.WaitGroup
	counts := make([]Counts, 3)
	for i := range counts {
		wait.Go(func() {
			b := &Boot{Store: Local(r), Root: root}
			var err error
			if counts[i], err = b.Manifests(SystemManifests); err != nil || counts[i][Failed] > 0 {
				t.Errorf("%v, %v", counts[i], err)
			}
		})
	}
	wait.Wait()
	if got, want := dump(t, r), dump(t, alone); got != want {
		t.Errorf("there is\n%s\nof\n%s", got, want)
	}
	if counts[0][Done]+counts[1][Done]+counts[2][Done] < 12 {
		t.Errorf("%v", counts)
	}
}
