package attack

import (
	"io/fs"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestNoSetuid: none of the programs gives who runs it what he does not have.
func TestNoSetuid(t *testing.T) {
	t.Parallel()
	n := 0
	must(t, filepath.WalkDir(testenv.Build(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		n++
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		if st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
			t.Errorf("%s has mode %o", path, st.Mode)
		}
		if size, err := unix.Lgetxattr(path, "security.capability", nil); err == nil && size > 0 {
			t.Errorf("%s has capabilities", path)
		}
		return nil
	}))
	if n < 10 {
		t.Errorf("only %d programs were looked at", n)
	}
}
