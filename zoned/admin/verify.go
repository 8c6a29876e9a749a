package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linuxzones/zones/configs"
)

// problemsMax bounds how many problems are printed: the rest come up after the first are mended.
const problemsMax = 50

// Verify checks the zone's configuration against this host: what can be said without
// building anything. Each problem is a line; the error then is ErrSaid.
func (a *Admin) Verify(cmd Command) error {
	if _, err := a.Sane(cmd, Forced); err != nil {
		return err
	}
	z, _, err := a.Store.Load(a.Zone)
	if err != nil {
		return err
	}
	problems := a.problems(z)
	if len(problems) == 0 {
		return nil
	}
	for i, p := range problems {
		if i == problemsMax {
			a.Say(fmt.Sprintf("... and %d problems more", len(problems)-i))
			break
		}
		a.Say(p)
	}
	_, _ = fmt.Fprintf(a.Err, "zoneadm: zone %s failed to verify\n", a.Zone)
	return ErrSaid
}

// problems lists what is wrong, nothing twice.
func (a *Admin) problems(z *configs.Zone) []string {
	var out []string
	add := func(format string, args ...any) {
		if s := fmt.Sprintf(format, args...); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if err := z.Validate(); err != nil {
		var ps configs.Problems
		if errors.As(err, &ps) {
			for _, p := range ps {
				add("%s", p)
			}
		} else {
			add("%v", err)
		}
	}
	if z.Path != "" {
		if err := a.Image.VerifyZonePath(z.Path); err != nil {
			add("could not verify zonepath %s: %v", z.Path, trim(err, "zonepath "+z.Path))
		}
	}
	for _, f := range z.FS {
		if why := verifyFS(f); why != "" {
			add("could not verify fs %s: %s", f.Dir, why)
		}
	}
	for _, n := range z.Nets {
		if why := verifyNet(z.IPType, n); why != "" {
			add("could not verify net %s: %s", n.Physical, why)
		}
	}
	// The last word has the plan: what it refuses could not be built.
	if len(out) == 0 {
		if _, err := a.build(z); err != nil {
			add("%v", err)
		}
	}
	return out
}

// trim takes the words away that stand in front of an error anyway.
func trim(err error, prefix string) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), prefix), ": ")
}

// verifyFS checks one fs resource against the host. Which types may be given at all has
// Validate said.
func verifyFS(f configs.FS) string {
	switch f.Type {
	case "tmpfs":
		return ""
	case "lofs":
		if _, err := os.Stat(f.Special); err != nil {
			return fmt.Sprintf("could not access %s: %v", f.Special, errors.Unwrap(err))
		}
		return ""
	}
	if !fsKnown(f.Type) {
		return fmt.Sprintf("the kernel has no file system type %s", f.Type)
	}
	if block, err := isBlock(f.Special); err != nil {
		return fmt.Sprintf("could not access %s: %v", f.Special, err)
	} else if !block {
		return fmt.Sprintf("%s is not a block device, as type %s wants", f.Special, f.Type)
	}
	if f.Raw == "" {
		return ""
	}
	if _, err := os.Stat(f.Raw); err != nil {
		return fmt.Sprintf("could not access raw device %s: %v", f.Raw, errors.Unwrap(err))
	}
	if !fsckKnown(f.Type) {
		return fmt.Sprintf("must not have a raw device: there is no fsck for type %s", f.Type)
	}
	return ""
}

// fsKnown says whether the kernel mounts a type, as built in, loaded, or as a module that
// is there to be loaded.
func fsKnown(fstype string) bool {
	b, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return true // the mount will say
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] == fstype {
			return true
		}
	}
	found, _ := filepath.Glob("/lib/modules/" + kernelRelease() + "/kernel/fs/" + fstype + "/*.ko*")
	return len(found) > 0
}

func kernelRelease() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(b))
}

func fsckKnown(fstype string) bool {
	for _, dir := range []string{"/sbin", "/usr/sbin", "/bin", "/usr/bin"} {
		if st, err := os.Stat(filepath.Join(dir, "fsck."+fstype)); err == nil && st.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

// verifyNet checks that the interface of the host that is named exists.
func verifyNet(ip configs.IPType, n configs.Net) string {
	nic := n.GlobalNIC
	if ip == configs.IPShared {
		nic = n.Physical
	}
	if nic == "" || strings.ContainsAny(nic, "/") {
		return "" // no name to look for; what is no name at all Validate has said
	}
	if _, err := os.Stat("/sys/class/net/" + nic); errors.Is(err, os.ErrNotExist) {
		return fmt.Sprintf("no such interface %s on this host", nic)
	}
	return ""
}
