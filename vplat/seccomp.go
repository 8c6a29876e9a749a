package vplat

import (
	"slices"

	profile "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// machine is what the seccomp profile must know of a kernel's machine name.
type machine struct {
	uname string
	arch  specs.Arch
	name  string // in the profile's conditions
}

// machines are those on which TIOCSTI and TIOCLINUX have the generic numbers, and whose
// profile is known.
var machines = []machine{
	{"x86_64", specs.ArchX86_64, "amd64"},
	{"aarch64", specs.ArchAARCH64, "arm64"},
	{"riscv64", specs.ArchRISCV64, "riscv64"},
	{"s390x", specs.ArchS390X, "s390x"},
	{"loongarch64", specs.ArchLOONGARCH64, "loongarch64"},
}

func machineOf(uname string) (machine, error) {
	known := ""
	for _, m := range machines {
		if m.uname == uname {
			return m, nil
		}
		known += ", " + m.uname
	}
	return machine{}, refuse("machine "+quote(uname), "no system call profile for it; known are %s", known[2:])
}

// denied are system calls that no zone may use, whatever its capabilities: each is a large
// part of the kernel that is reached without a further check, or acts on the whole host.
// Those that the profile would not allow anyway stand here so that a newer profile does not
// open them.
var denied = []string{
	"add_key", "keyctl", "request_key", // keyrings are accounted to the host's users
	"bpf",
	"io_uring_enter", "io_uring_register", "io_uring_setup",
	"kexec_file_load", "kexec_load",
	"lookup_dcookie",
	"open_by_handle_at", // reaches files by number, around every mount
	"perf_event_open",
	"userfaultfd", // stops the kernel at a place of the caller's choice
}

// kernelFloor is the oldest kernel we run on: conditions on older ones always hold.
var kernelFloor = profile.KernelVersion{Kernel: 6, Major: 1}

// seccompProfile is the profile of Docker and containerd for these capabilities, without
// what is denied above, without two ioctls and without some sockets. Everything that it does
// not name fails with EPERM (with ENOSYS if it is newer than the profile, which libcontainer adds).
//
// reboot(2) is in it with CAP_SYS_BOOT: in a pid namespace it ends that namespace only.
//
// clone3(2) is in it, although its flags lie in memory where no filter sees them: processes
// are born inside their contracts by it. What the profile keeps from a zone without
// CAP_SYS_ADMIN, a user namespace of its own, user.max_user_namespaces keeps from it.
func seccompProfile(m machine, caps []string) *specs.LinuxSeccomp {
	def := profile.DefaultProfile()
	out := &specs.LinuxSeccomp{DefaultAction: def.DefaultAction, DefaultErrnoRet: def.DefaultErrnoRet}
	for _, a := range def.ArchMap {
		if a.Arch == m.arch {
			out.Architectures = append([]specs.Arch{a.Arch}, a.SubArches...)
			// x32 programs do not exist outside of tests of attackers, and half of the time of
			// compiling the filter, which every boot and login waits for, is theirs.
			out.Architectures = slices.DeleteFunc(out.Architectures, func(a specs.Arch) bool { return a == specs.ArchX32 })
		}
	}
	noSocketcalls := socketcallsDenied(m)
	out.Syscalls = append(out.Syscalls, noSocketcalls...)
	for _, call := range def.Syscalls {
		if !applies(call, m.name, caps) {
			continue
		}
		rule := call.LinuxSyscall
		rule.Names = slices.DeleteFunc(slices.Clone(rule.Names), func(name string) bool {
			return name == "ioctl" || name == "clone3" || name == "socket" || name == "socketcall" && len(noSocketcalls) > 0 ||
				slices.Contains(denied, name)
		})
		if len(rule.Names) > 0 {
			out.Syscalls = append(out.Syscalls, rule)
		}
	}
	out.Syscalls = append(out.Syscalls,
		specs.LinuxSyscall{Names: []string{"clone3"}, Action: specs.ActAllow},
		specs.LinuxSyscall{Names: []string{"ioctl"}, Action: specs.ActAllow, Args: ioctlsAllowed()})
	out.Syscalls = append(out.Syscalls, socketsAllowed()...)
	return out
}

// applies evaluates the conditions of a rule of the profile.
func applies(call *profile.Syscall, arch string, caps []string) bool {
	has := func(c string) bool { return slices.Contains(caps, c) }
	if in := call.Includes; in != nil {
		if len(in.Arches) > 0 && !slices.Contains(in.Arches, arch) {
			return false
		}
		if slices.ContainsFunc(in.Caps, func(c string) bool { return !has(c) }) {
			return false
		}
		if in.MinKernel != nil && !floorReaches(*in.MinKernel) {
			return false
		}
	}
	if ex := call.Excludes; ex != nil {
		if slices.Contains(ex.Arches, arch) || slices.ContainsFunc(ex.Caps, has) {
			return false
		}
		if ex.MinKernel != nil && floorReaches(*ex.MinKernel) {
			return false
		}
	}
	return true
}

func floorReaches(v profile.KernelVersion) bool {
	return kernelFloor.Kernel > v.Kernel || kernelFloor.Kernel == v.Kernel && kernelFloor.Major >= v.Major
}
