package admin

import (
	"errors"
	"fmt"
	"os"

	"github.com/linuxzones/zones/internal/sys"
	"github.com/linuxzones/zones/zoned/api"
	"golang.org/x/sys/unix"
)

// lockTriesMax bounds the race against whoever removes an unused state directory between
// our making and our locking in it; each lap needs another removal.
const lockTriesMax = 10

// lock takes the zone's op.lock, making its state directory where there is none.
// ErrLocked: somebody holds it in a way that excludes us.
func (a *Admin) lock(how lockType) (release func(), err error) {
	for range lockTriesMax {
		var fd *sys.FD
		if fd, err = a.lockOnce(how); err == nil {
			return func() { _ = fd.Close() }, nil
		}
		if errors.Is(err, unix.EAGAIN) {
			return nil, ErrLocked
		}
		if !errors.Is(err, unix.ENOENT) {
			break
		}
	}
	return nil, fmt.Errorf("lock the zone: %w", err)
}

func (a *Admin) lockOnce(how lockType) (*sys.FD, error) {
	dir, err := a.stateDir()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return tryLock(dir, api.LockName, how)
}

// stateDir makes and opens the zone's state directory. A socket's directory protects it, so
// one that others could enter or change is refused rather than mended: whoever made it so
// may have put things there.
func (a *Admin) stateDir() (*sys.FD, error) {
	if err := os.MkdirAll(a.Layout.Run, 0o755); err != nil {
		return nil, err
	}
	for _, d := range []string{a.Layout.State(), a.Layout.ZoneState(a.Zone)} {
		if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		var st unix.Stat_t
		if err := unix.Lstat(d, &st); err != nil {
			return nil, err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Uid != uint32(os.Geteuid()) || st.Mode&0o077 != 0 {
			return nil, fmt.Errorf("%s is not a directory that only its owner can enter (mode 0700): remove it and try again", d)
		}
	}
	return sys.OpenDir(a.Layout.ZoneState(a.Zone))
}
