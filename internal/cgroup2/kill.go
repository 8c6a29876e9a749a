package cgroup2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/sys"
)

// eventsBytes are more than cgroup.events has: a few words, which the kernel gives in one read.
const eventsBytes = 512

// Events says whether a process lives in dir or below, and whether dir is frozen. A directory that
// is not there has none. It is asked often, so that it goes without the os package, which has each
// file looked at by the poller.
func Events(dir string) (populated, frozen bool, err error) {
	path := filepath.Join(dir, "cgroup.events")
	n, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		var buf [eventsBytes]byte
		var got int
		err = sys.Retry(func() (e error) { got, e = unix.Read(n, buf[:]); return })
		unix.Close(n)
		b := buf[:max(got, 0)]
		populated, frozen = bytes.Contains(b, []byte("populated 1\n")), bytes.Contains(b, []byte("frozen 1\n"))
	}
	if err == nil || gone(err) {
		return populated, frozen, nil
	}
	return false, false, &os.PathError{Op: "look at cgroup", Path: path, Err: err}
}

// Populated says whether a process lives in dir or below. A directory that is not there has
// none.
func Populated(dir string) (bool, error) {
	populated, _, err := Events(dir)
	return populated, err
}

// gone says whether an error means that there is no such directory, or not any more.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) }

// Kill kills every process in dir and below, whatever it forks meanwhile, frozen and stopped
// ones included. A directory that is not there has none.
func Kill(dir string) error {
	err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	if gone(err) {
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
