package cgroup2

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Mount is where the unified hierarchy is mounted, in the order tried.
var mounts = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// ErrNone: the host has no cgroup2 mounted where it is looked for.
var ErrNone = errors.New("no cgroup2 is mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified")

// ErrBusy: processes are left after the time allowed.
var ErrBusy = errors.New("processes are left")

// Mount is the mount point of the unified hierarchy.
func Mount() (string, error) {
	for _, m := range mounts {
		var st unix.Statfs_t
		if unix.Statfs(m, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return m, nil
		}
	}
	return "", ErrNone
}

// Own is this process's cgroup below the mount, with a leading slash.
func Own() (string, error) { return Of(os.Getpid()) }

// Of is the cgroup of a process below the mount, with a leading slash.
func Of(pid int) (string, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return "", err
	}
	for _, l := range strings.Split(string(b), "\n") {
		if p, ok := strings.CutPrefix(l, "0::"); ok {
			return strings.TrimSuffix(p, " (deleted)"), nil
		}
	}
	return "", ErrNone
}

// Make makes dir and what is missing above it, in steps of one level. Delegate gives dir to
// uid and gid: the directory and the files that its owner needs to make children and to move
// processes between them, and no more, so that its limits stay the host's.
func Make(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	return nil
}

// delegated are the files of a cgroup that its delegatee owns, as cgroups(7) has it.
var delegated = []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}

// Delegate gives a directory to a user of a zone.
func Delegate(dir string, uid, gid int) error {
	for _, f := range delegated {
		if err := os.Chown(filepath.Join(dir, f), uid, gid); err != nil {
			return fmt.Errorf("delegate cgroup: %w", err)
		}
	}
	return nil
}

// EnableAll enables in dir all controllers that it has for its children. There must be no
// process in dir itself. A controller that can not be enabled is left out: limits that need
// it are refused where they are asked for.
func EnableAll(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(b)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
	}
	return nil
}

// Enter moves this process into dir.
func Enter(dir string, pid int) error {
	err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	if err != nil {
		return fmt.Errorf("enter cgroup: %w", err)
	}
	return nil
}

// Populated says whether a process lives in dir or below. A directory that is not there has
// none.
func Populated(dir string) (bool, error) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return strings.Contains(string(b), "populated 1"), nil
}

// Kill kills every process in dir and below, whatever it forks meanwhile, frozen and stopped
// ones included. A directory that is not there has none.
func Kill(dir string) error {
	err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kill cgroup: %w", err)
	}
	return nil
}

// pollEvery is how often emptiness is looked at. cgroup.events notifies, but holds a change
// back for up to 10 ms after the one before.
const pollEvery = time.Millisecond

// AwaitEmpty waits until no process lives in dir or below. ErrBusy with who is left when the
// context ends first.
func AwaitEmpty(ctx context.Context, dir string) error {
	t := time.NewTimer(0)
	defer t.Stop()
	wait := pollEvery / 8
	for {
		p, err := Populated(dir)
		if err != nil || !p {
			return err
		}
		t.Reset(wait)
		select {
		case <-ctx.Done():
			pids, _ := Procs(dir)
			return fmt.Errorf("%w in %s: %s", ErrBusy, dir, Describe(pids))
		case <-t.C:
			wait = min(2*wait, 16*pollEvery)
		}
	}
}

// Procs lists the processes in dir and below.
func Procs(dir string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if !d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(filepath.Join(p, "cgroup.procs"))
		if err != nil {
			return nil
		}
		for _, f := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				pids = append(pids, n)
			}
		}
		return nil
	})
	return pids, err
}

// describeMax is how many processes a message names.
const describeMax = 5

// Describe names processes for a person: what they are and what they wait in.
func Describe(pids []int) string {
	var out []string
	for i, pid := range pids {
		if i == describeMax {
			out = append(out, fmt.Sprintf("and %d more", len(pids)-i))
			break
		}
		base := "/proc/" + strconv.Itoa(pid)
		comm, _ := os.ReadFile(base + "/comm")
		wchan, _ := os.ReadFile(base + "/wchan")
		out = append(out, fmt.Sprintf("%d (%q in %s)", pid, strings.TrimSpace(string(comm)), string(wchan)))
	}
	return strings.Join(out, ", ")
}

// Remove removes dir and all below it, children first. No process may live there. A
// directory that is not there is removed already.
func Remove(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := unix.Rmdir(dirs[i]); err != nil && err != unix.ENOENT {
			return &os.PathError{Op: "remove cgroup", Path: dirs[i], Err: err}
		}
	}
	return nil
}
