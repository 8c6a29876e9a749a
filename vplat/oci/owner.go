package oci

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// asOwner runs start with the effective ids of a zone's root, and with all capabilities still. Who
// makes a user namespace owns it: what the kernel counts of a namespace's processes (instances of
// inotify, namespaces, messages, signals that wait), it counts for the owner too, and a zone must
// not use up what the host's root may have. The thread must be locked, and start no goroutine that
// is to have those ids.
func asOwner(base uint32, start func() error) (err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	if err := effective(base, base); err != nil {
		return err
	}
	defer func() {
		if e := effective(0, 0); e != nil {
			fmt.Fprintln(os.Stderr, "zrun:", e)
			os.Exit(1) // nobody knows any more whose files it makes
		}
		// A change of the user has closed /proc/self to what is not root.
		if e := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); e != nil && err == nil {
			err = fmt.Errorf("open /proc/self again: %w", e)
		}
	}()
	if err := unix.Capset(&header, &caps[0]); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	return start()
}

// effective sets the effective ids of this thread alone: the functions of package syscall set those
// of all.
func effective(uid, gid uint32) error {
	const same = ^uintptr(0)
	// The group first, while that is allowed, whichever way it goes.
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, same, uintptr(gid), same); e != 0 {
		return fmt.Errorf("set the effective group to %d: %w", gid, e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, same, uintptr(uid), same); e != 0 {
		return fmt.Errorf("set the effective user to %d: %w", uid, e)
	}
	return nil
}
