package inside

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeHost records what would have been a catastrophe.
type fakeHost struct {
	inode uint64
	err   error
	kills []int
	boots []int
	exe   map[string]string
}

func (h *fakeHost) kernel() *kernel {
	return &kernel{
		pidNamespace: func() (uint64, error) { return h.inode, h.err },
		kill:         func(pid int, sig unix.Signal) error { h.kills = append(h.kills, pid, int(sig)); return nil },
		reboot:       func(cmd int) error { h.boots = append(h.boots, cmd); return unix.EPERM },
		sameProgram: func(a, b string) (bool, error) {
			if h.exe[a] == "" {
				return false, unix.EACCES
			}
			return h.exe[a] == h.exe[b], nil
		},
		readlink: func(path string) (string, error) {
			if h.exe[path] == "" {
				return "", unix.EACCES
			}
			return h.exe[path], nil
		},
	}
}

func (h *fakeHost) untouched(t *testing.T) {
	t.Helper()
	if len(h.kills) != 0 || len(h.boots) != 0 {
		t.Fatalf("the host was touched: kills %v, reboots %v", h.kills, h.boots)
	}
}

// dangers are all that a Proof can do.
var dangers = map[string]func(Proof) error{
	"kill all":    func(p Proof) error { return p.KillAll(unix.SIGKILL) },
	"signal init": func(p Proof) error { return p.SignalInit(unix.SIGTERM) },
	"halt":        func(p Proof) error { return p.Reboot(Halt) },
	"poweroff":    func(p Proof) error { return p.Reboot(Poweroff) },
	"reboot":      func(p Proof) error { return p.Reboot(Reboot) },
	"hang up":     func(p Proof) error { p.HangUpTerminals(); return ErrGlobal },
}

func TestHostIsNeverTouched(t *testing.T) {
	for name, c := range map[string]struct {
		host fakeHost
		want error
	}{
		"initial namespace": {fakeHost{inode: 0xEFFFFFFC}, ErrGlobal},
		"nothing can tell":  {fakeHost{err: unix.ENOENT}, ErrUnknown},
		"inode zero":        {fakeHost{}, ErrUnknown},
		"error and inode":   {fakeHost{inode: 7, err: unix.EIO}, ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.host
			p, err := prove(h.kernel())
			if !errors.Is(err, c.want) {
				t.Fatalf("prove: %v, want %v", err, c.want)
			}
			for what, do := range dangers {
				if err := do(p); err == nil {
					t.Errorf("%s was not refused", what)
				}
			}
			h.untouched(t)
		})
	}
}

func TestZeroProofRefuses(t *testing.T) {
	for what, do := range dangers {
		if err := do(Proof{}); err == nil {
			t.Errorf("%s was not refused", what)
		}
	}
	if err := (Proof{}).OurInit(); !errors.Is(err, ErrUnproved) {
		t.Errorf("OurInit: %v", err)
	}
}

// A proof is looked at again each time: it cannot be carried into another place.
func TestProofIsCheckedAtEachUse(t *testing.T) {
	h := fakeHost{inode: 42}
	p, err := prove(h.kernel())
	if err != nil {
		t.Fatal(err)
	}
	h.inode = initialPIDNamespace
	for what, do := range dangers {
		if err := do(p); !errors.Is(err, ErrGlobal) {
			t.Errorf("%s: %v", what, err)
		}
	}
	h.untouched(t)
}

func TestInAZone(t *testing.T) {
	h := fakeHost{inode: 42}
	p, err := prove(h.kernel())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.KillAll(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := p.SignalInit(unix.Signal(37)); err != nil {
		t.Error(err)
	}
	if len(h.kills) != 4 || h.kills[0] != -1 || h.kills[1] != 15 || h.kills[2] != 1 || h.kills[3] != 37 {
		t.Errorf("kills %v", h.kills)
	}
	for a, cmd := range map[Action]int{Halt: unix.LINUX_REBOOT_CMD_HALT, Poweroff: unix.LINUX_REBOOT_CMD_POWER_OFF, Reboot: unix.LINUX_REBOOT_CMD_RESTART} {
		h.boots = nil
		if err := p.Reboot(a); err != unix.EPERM {
			t.Errorf("reboot: %v", err)
		}
		if len(h.boots) != 1 || h.boots[0] != cmd {
			t.Errorf("action %d: %#x, want %#x", a, h.boots, cmd)
		}
	}
	// CAD, kexec, and whatever else reboot(2) knows is never passed on.
	for _, a := range []Action{0, -1, 4, Action(unix.LINUX_REBOOT_CMD_KEXEC)} {
		h.boots = nil
		if err := p.Reboot(a); err != unix.EINVAL || len(h.boots) != 0 {
			t.Errorf("action %d: %v, %v", a, err, h.boots)
		}
	}
}

func TestOurInit(t *testing.T) {
	for name, c := range map[string]struct {
		exe  map[string]string
		want error
	}{
		"the same file":    {map[string]string{"/proc/1/exe": "/x/init", "/proc/self/exe": "/x/init"}, nil},
		"in its place":     {map[string]string{"/proc/1/exe": "/lib/svc/bin/init", "/proc/self/exe": "/x"}, nil},
		"/lib is a link":   {map[string]string{"/proc/1/exe": "/usr/lib/svc/bin/init", "/proc/self/exe": "/x"}, nil},
		"before upgrade":   {map[string]string{"/proc/1/exe": "/lib/svc/bin/init (deleted)", "/proc/self/exe": "/x"}, nil},
		"systemd":          {map[string]string{"/proc/1/exe": "/usr/lib/systemd/systemd", "/proc/self/exe": "/x"}, ErrOtherInit},
		"another's":        {map[string]string{"/proc/1/exe": "/tmp/svc/bin/init", "/proc/self/exe": "/x"}, ErrOtherInit},
		"not to be looked": {map[string]string{}, ErrOtherInit},
	} {
		t.Run(name, func(t *testing.T) {
			h := fakeHost{inode: 42, exe: c.exe}
			p, _ := prove(h.kernel())
			if err := p.OurInit(); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// Both ways of looking say the same about this process, wherever the tests run.
func TestBothWaysAgree(t *testing.T) {
	want, err := pidNamespace()
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil || st.Ino != want {
		t.Errorf("inode %d, stat says %d, %v", want, st.Ino, err)
	}
	// The ioctl is newer than the oldest kernel that zones run on.
	if got, err := pidNamespaceByPidfd(); err == nil && got != want {
		t.Errorf("by pidfd %d, by /proc %d", got, want)
	}
}

func TestFalseNamespaceFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "pid")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := namespaceInode(int(f.Fd())); !errors.Is(err, ErrUnknown) {
		t.Errorf("a plain file passed as a namespace: %v", err)
	}
}

func TestLeadsTerminal(t *testing.T) {
	for stat, want := range map[string]bool{
		"7 (sh) S 1 7 7 34816 7 0":             true,
		"7 (sh) S 1 7 7 0 -1 0":                false,
		"7 (sh) S 1 7 3 34816 7 0":             false,
		"7 (a) S 1 7 7 0) S 1 7 7 34816 7 0":   true,
		"7 (x) R 1 7 7 34816) S 1 7 7 0 -1 0":  false,
		"":                                     false,
		"7 sh S 1 7 7 34816":                   false,
		"7 (sh) S 1":                           false,
		"7 (sh)":                               false,
		"7 (\n) 1 1 7 7) S 1 7 7 1025 7 0 1 1": true,
	} {
		if got := leadsTerminal(stat, "7"); got != want {
			t.Errorf("%q: %v", stat, got)
		}
	}
}
