package kernel

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// Whoever came into gN, gN/ct or a project's directory through a window is in no contract, and may have forked before
// it was killed; its children are where it was. Nobody else lives there, so that all are killed
// until there is nobody: one after the other at first, and, should they be born faster than
// that, with everything below frozen meanwhile. A zone's root can bring that upon the zone, and
// upon no other.

// hunts is what is known of the hunt for those.
type hunts struct {
	running bool
	again   bool // somebody was seen since it began
}

// Limits of a hunt.
const (
	huntPasses  = 4                     // before everything is frozen
	huntFreezes = 20                    // before it is left to the next window's end
	huntFreeze  = 30 * time.Millisecond // as freezeWait
	huntMax     = 4096                  // processes a pass
)

// hunt kills all who live between contracts, in a job.
func (z *Zone) hunt() {
	z.hunts.again = z.hunts.running
	if z.hunts.running {
		return
	}
	z.hunts.running = true
	dirs := []string{z.tree.root, filepath.Join(z.tree.root, contractsName)}
	for _, name := range z.tree.projects() {
		dirs = append(dirs, filepath.Join(z.tree.root, name))
	}
	least := z.c.RootUID
	z.jobs.start(func(ctx context.Context) (Report, bool) {
		for _, dir := range dirs {
			hunt(ctx, dir, least)
		}
		return Report{What: hunted}, false
	})
}

func (z *Zone) huntEnded() {
	z.hunts.running = false
	if z.hunts.again {
		z.hunts.again = false
		z.hunt()
	}
}

// hunt kills who lives in a directory itself. Users below least are the host's, whose business
// there (a supervisor's helper on its way) is its own.
func hunt(ctx context.Context, dir string, least uint32) {
	t := time.NewTimer(0)
	defer t.Stop()
	for range huntPasses {
		if shoot(dir, least) == 0 {
			return
		}
	}
	freeze := filepath.Join(dir, "cgroup.freeze")
	defer func() { _ = os.WriteFile(freeze, []byte("0"), 0) }()
	for range huntFreezes {
		_ = os.WriteFile(freeze, []byte("1"), 0)
		awaitFrozen(ctx, t, dir, huntFreeze)
		n := shoot(dir, least)
		_ = os.WriteFile(freeze, []byte("0"), 0)
		if n == 0 || !pause(ctx, t, lookFirst) {
			return
		}
	}
}

// shoot signals who lives in a directory and says how many there were.
func shoot(dir string, least uint32) (n int) {
	pids, _ := ownProcs(filepath.Join(dir, procsName), huntMax)
	for _, pid := range pids {
		_, fd, err := hold(pid)
		if err != nil {
			n++ // it had a moment to fork
			continue
		}
		if s, err := readStatus(pid); err != nil || s.ruid >= least {
			n++
			if err == nil {
				_ = sys.PidfdSignal(fd.Int(), unix.SIGKILL)
			}
		}
		fd.Close()
	}
	return n
}
