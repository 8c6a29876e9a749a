package initd

import (
	"os"
	"testing"

	"github.com/linuxzones/zones/svc/notify"
	"github.com/linuxzones/zones/svc/orphans"
)

// TestDescriptors: svc.startd has what init keeps for it under its numbers, also when one of them could
// not be made; a shell has none of it.
func TestDescriptors(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	pidfd := -1
	for _, list := range []*os.File{nil, null} {
		files := attributes(startdProgram(options{}, list, null), &pidfd).Files
		if len(files) != 5 || files[notify.FD] != null || list != nil && files[orphans.FD] != list || files[orphans.FD] == nil {
			t.Errorf("with list %v: %v", list, files)
		}
	}
	if files := attributes(consoleShell, &pidfd).Files; len(files) != 3 {
		t.Errorf("a shell has %v", files)
	}
}
