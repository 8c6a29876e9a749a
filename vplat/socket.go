package vplat

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Sockets that reach beyond a zone whatever its network stack is.
//
// The profile that ours is made from compares whole registers, as it does with ioctl's command: a
// family with a high bit set is not the family that it denies, and is the same to the kernel,
// which takes an int. So these comparisons, too, are of low bits.
var familiesDenied = []uint32{
	unix.AF_ALG,   // the kernel's ciphers: much code, that nothing needs
	unix.AF_VSOCK, // the hypervisor, and the host's own end of it: no namespace is asked
}

// familiesMask has the bits in which families and protocols of netlink may differ: the kernel has
// 46 and 32 of them. Larger numbers are none, and fail.
const familiesMask = 63

// netlinkConnector reports the births, programs, names and deaths of all processes of the host to
// whoever listens in the host's network stack, which a zone of ip-type shared is in.
const netlinkConnector = unix.NETLINK_CONNECTOR

const (
	socketFamilyArg   = 0
	socketProtocolArg = 2
)

// socketsAllowed are the rules for socket(2) that together allow every family but those denied,
// and of netlink every protocol but the connector.
func socketsAllowed() []specs.LinuxSyscall {
	const beyond = ^uint32(familiesMask)
	rule := func(args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{"socket"}, Action: specs.ActAllow, Args: args}
	}
	families := append([]uint32{unix.AF_NETLINK}, familiesDenied...)
	list := []specs.LinuxSyscall{rule(complement(socketFamilyArg, beyond, 0, families)...)}
	netlink := specs.LinuxSeccompArg{Index: socketFamilyArg, Value: uint64(^uint32(0)), ValueTwo: unix.AF_NETLINK, Op: specs.OpMaskedEqual}
	for _, protocol := range complement(socketProtocolArg, beyond, 0, []uint32{netlinkConnector}) {
		list = append(list, rule(netlink, protocol))
	}
	return list
}

// socketcallsDenied is a rule against the older way in which 32-bit programs of x86 make sockets:
// family and protocol lie in memory there, where no filter sees them, and any program may take
// that way. It is as if the kernel did not have it. Nothing where the machine's own programs use it.
func socketcallsDenied(m machine) []specs.LinuxSyscall {
	if m.arch != specs.ArchX86_64 {
		return nil
	}
	none := uint(unix.ENOSYS)
	return []specs.LinuxSyscall{{Names: []string{"socketcall"}, Action: specs.ActErrno, ErrnoRet: &none}}
}
