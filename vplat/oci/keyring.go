package oci

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// What who has a session keyring may do with it: look at it and search it, and the host's root
// look at it. Nobody adds to it, since what it holds is accounted to the host's root.
const (
	keyPosView, keyPosRead, keyPosSearch = 0x01000000, 0x02000000, 0x08000000
	keyUserView, keyUserRead             = 0x00010000, 0x00020000
	keyringPerm                          = keyPosView | keyPosRead | keyPosSearch | keyUserView | keyUserRead
)

// leaveKeyring gives this thread, and so whom it starts, a session keyring of its own, empty and
// closed: a zone must not have that of whoever asked. libcontainer would have each process of
// the zone make one as the zone's root, who may have 200 keys on the host: a hundred and some
// logins, or any zone whose root has used up his keys, would be the end of logins.
func leaveKeyring() error {
	id, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if errors.Is(err, unix.ENOSYS) {
		return nil // a kernel without keyrings
	}
	if err != nil {
		return fmt.Errorf("make a session keyring: %w", err)
	}
	if err := unix.KeyctlSetperm(id, keyringPerm); err != nil {
		return fmt.Errorf("close the session keyring: %w", err)
	}
	return nil
}
