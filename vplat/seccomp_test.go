package vplat

import (
	"math/rand/v2"
	"slices"
	"testing"

	profile "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func machineNamed(t testing.TB, uname string) machine {
	t.Helper()
	m, err := machineOf(uname)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// verdict says what a filter does with a call, as libcontainer has libseccomp build it: a
// rule with conditions on several arguments wants all of them, one with several conditions
// on the same argument any of them. Arguments are 64 bits wide.
func verdict(t testing.TB, s *specs.LinuxSeccomp, name string, args ...uint64) specs.LinuxSeccompAction {
	t.Helper()
	arg := func(i uint) uint64 {
		if int(i) < len(args) {
			return args[i]
		}
		return 0
	}
	holds := func(c specs.LinuxSeccompArg) bool {
		switch c.Op {
		case specs.OpMaskedEqual:
			return arg(c.Index)&c.Value == c.ValueTwo
		case specs.OpEqualTo:
			return arg(c.Index) == c.Value
		case specs.OpLessThan:
			return arg(c.Index) < c.Value
		case specs.OpGreaterThan:
			return arg(c.Index) > c.Value
		}
		t.Fatalf("%s: unknown comparison %s", name, c.Op)
		return false
	}
	for _, rule := range s.Syscalls {
		if !slices.Contains(rule.Names, name) {
			continue
		}
		perArg := map[uint]int{}
		for _, c := range rule.Args {
			perArg[c.Index]++
		}
		several := false
		for _, n := range perArg {
			several = several || n > 1
		}
		if len(rule.Args) == 0 || several && slices.ContainsFunc(rule.Args, holds) ||
			!several && !slices.ContainsFunc(rule.Args, func(c specs.LinuxSeccompArg) bool { return !holds(c) }) {
			return rule.Action
		}
	}
	return s.DefaultAction
}

// TestTerminalInjection: TIOCSTI and TIOCLINUX fail whatever the upper half of the register
// holds, and every other command is let through.
func TestTerminalInjection(t *testing.T) {
	s := seccompProfile(machineNamed(t, "x86_64"), []string{"CAP_SYS_ADMIN"})
	check := func(cmd uint64) {
		want := specs.ActAllow
		if low := uint32(cmd); low == tiocsti || low == tioclinux {
			want = specs.ActErrno
		}
		if got := verdict(t, s, "ioctl", 0, cmd, 0); got != want {
			t.Errorf("ioctl %#x: %s, want %s", cmd, got, want)
		}
	}
	edges := []uint64{0, tiocsti, tioclinux, tiocsti - 1, tiocsti + 1, tioclinux - 1, tioclinux + 1, 0x5401, 0x7fffffff, 0x80000000, 0xffffffff}
	for _, e := range edges {
		check(e)
		for bit := range 64 {
			check(e ^ 1<<bit)
		}
		for _, high := range []uint64{1, 2, 0xdeadbeef, 0xffffffff} {
			check(e | high<<32)
		}
	}
	for cmd := range uint64(1 << 16) {
		check(cmd)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		check(r.Uint64())
	}
}

// TestIoctlRulesAreDisjoint: no command is under two rules, and all of them together with
// the two denied make 2^32.
func TestIoctlRulesAreDisjoint(t *testing.T) {
	rules := ioctlsAllowed()
	var covered uint64
	for i, a := range rules {
		n := uint64(1)
		for bit := range 32 {
			if a.Value&(1<<bit) == 0 {
				n *= 2
			}
		}
		covered += n
		for _, b := range rules[:i] {
			if both := a.Value & b.Value; a.ValueTwo&both == b.ValueTwo&both {
				t.Errorf("%#x/%#x and %#x/%#x share commands", a.ValueTwo, a.Value, b.ValueTwo, b.Value)
			}
		}
	}
	if covered != 1<<32-2 {
		t.Errorf("%d commands are allowed, %d are wanted", covered, uint64(1<<32-2))
	}
	// Each is an instruction or two in the path of every ioctl.
	if len(rules) > 40 {
		t.Errorf("%d rules", len(rules))
	}
}

// TestDeniedWhateverTheCapabilities is asked of a zone that has them all.
func TestDeniedWhateverTheCapabilities(t *testing.T) {
	all := everyCapability()
	for _, m := range machines {
		s := seccompProfile(m, all)
		for _, name := range denied {
			if got := verdict(t, s, name); got != specs.ActErrno {
				t.Errorf("%s: %s is %s", m.uname, name, got)
			}
		}
		for _, name := range []string{"read", "execve", "clone3", "reboot", "mount"} {
			if got := verdict(t, s, name); got != specs.ActAllow {
				t.Errorf("%s: %s is %s", m.uname, name, got)
			}
		}
		if len(s.Architectures) == 0 || s.Architectures[0] != m.arch {
			t.Errorf("%s: architectures %v", m.uname, s.Architectures)
		}
	}
}

// everyCapability lists those that the profile asks for.
func everyCapability() []string {
	var all []string
	for _, call := range profile.DefaultProfile().Syscalls {
		if call.Includes != nil {
			all = append(all, call.Includes.Caps...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestCapabilitiesOpenCalls(t *testing.T) {
	const newUser = 0x10000000
	for _, c := range []struct {
		call string
		args []uint64
		with string
	}{
		{"reboot", nil, "CAP_SYS_BOOT"},
		{"mount", nil, "CAP_SYS_ADMIN"},
		{"unshare", []uint64{newUser}, "CAP_SYS_ADMIN"},
		{"clone", []uint64{newUser}, "CAP_SYS_ADMIN"},
		{"setns", nil, "CAP_SYS_ADMIN"},
		{"chroot", nil, "CAP_SYS_CHROOT"},
		{"kcmp", nil, "CAP_SYS_PTRACE"},
		{"clock_settime", nil, "CAP_SYS_TIME"},
		{"finit_module", nil, "CAP_SYS_MODULE"},
	} {
		m := machineNamed(t, "x86_64")
		if got := verdict(t, seccompProfile(m, nil), c.call, c.args...); got != specs.ActErrno {
			t.Errorf("%s without capabilities: %s", c.call, got)
		}
		if got := verdict(t, seccompProfile(m, []string{c.with}), c.call, c.args...); got != specs.ActAllow {
			t.Errorf("%s with %s: %s", c.call, c.with, got)
		}
	}
	s := seccompProfile(machineNamed(t, "x86_64"), nil)
	for _, name := range []string{"clone", "clone3", "ptrace", "ioctl", "socket", "pidfd_open", "keyctl"} {
		want := specs.ActAllow
		if slices.Contains(denied, name) {
			want = specs.ActErrno
		}
		if got := verdict(t, s, name); got != want {
			t.Errorf("%s without capabilities: %s", name, got)
		}
	}
}

// TestProfileSuitsTheFloor: a newer profile may have conditions that our floor does not
// meet; then its rules would be missing on every host.
func TestProfileSuitsTheFloor(t *testing.T) {
	for _, call := range profile.DefaultProfile().Syscalls {
		for _, f := range []*profile.Filter{call.Includes, call.Excludes} {
			if f != nil && f.MinKernel != nil && !floorReaches(*f.MinKernel) {
				t.Errorf("%v: kernel %s is above the floor", call.Names, f.MinKernel)
			}
		}
	}
}

// TestConditionsOfRules exercises the conditions that today's profile does not use.
func TestConditionsOfRules(t *testing.T) {
	future, past := &profile.KernelVersion{Kernel: 6, Major: 2}, &profile.KernelVersion{Kernel: 5, Major: 19}
	for _, c := range []struct {
		name string
		in   *profile.Filter
		out  *profile.Filter
		want bool
	}{
		{"none", nil, nil, true},
		{"old enough", &profile.Filter{MinKernel: past}, nil, true},
		{"too new", &profile.Filter{MinKernel: future}, nil, false},
		{"not for old kernels", nil, &profile.Filter{MinKernel: past}, false},
		{"not for new kernels", nil, &profile.Filter{MinKernel: future}, true},
		{"both capabilities", &profile.Filter{Caps: []string{"CAP_A", "CAP_B"}}, nil, false},
		{"one capability", &profile.Filter{Caps: []string{"CAP_A"}}, nil, true},
		{"unwanted capability", nil, &profile.Filter{Caps: []string{"CAP_B", "CAP_A"}}, false},
		{"other machine", &profile.Filter{Arches: []string{"arm64"}}, nil, false},
		{"this machine not", nil, &profile.Filter{Arches: []string{"amd64"}}, false},
	} {
		call := &profile.Syscall{Includes: c.in, Excludes: c.out}
		if got := applies(call, "amd64", []string{"CAP_A"}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
