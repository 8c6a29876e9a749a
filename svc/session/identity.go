package session

import (
	"os"
	"syscall"

	"github.com/linuxzones/zones/svc/account"
	"github.com/linuxzones/zones/svc/handover"
)

// Become gives the process the user's ids. The effective and permitted capabilities go with
// uid 0; what would survive is dropped first.
func Become(u *account.User) error {
	if err := handover.DropInheritable(); err != nil {
		return os.NewSyscallError("capset", err)
	}
	groups := []int{int(u.GID)} // as initgroups(3) has it
	for _, gid := range u.Groups {
		groups = append(groups, int(gid))
	}
	if err := syscall.Setgroups(groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	gid, uid := int(u.GID), int(u.UID)
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return os.NewSyscallError("setresuid", err)
	}
	return nil
}

// EnterHome makes the home directory the working directory, / where that cannot be.
func EnterHome(u *account.User) error {
	err := os.Chdir(Home(u))
	if err != nil {
		if err := os.Chdir("/"); err != nil {
			return err
		}
	}
	return err
}
