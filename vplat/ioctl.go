package vplat

import (
	"math/bits"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The ioctls that put characters into a terminal's input, as if its user had typed them.
const (
	tiocsti   = 0x5412
	tioclinux = 0x541c
)

// ioctlCommandArg is the index of the command among ioctl's arguments.
const ioctlCommandArg = 1

// ioctlsAllowed are conditions, of which one must hold, that together allow every ioctl
// command but TIOCSTI and TIOCLINUX.
//
// The kernel takes the command from the low 32 bits of a 64-bit register, but a filter
// compares all 64: "unequal to TIOCSTI" is fulfilled by TIOCSTI with a high bit set
// (CVE-2019-10063). Only comparisons under a mask of low bits mean what the kernel does.
// There is no "unequal under a mask", so the complement is written down: the commands that
// differ from the denied ones first in this bit, for every bit.
func ioctlsAllowed() []specs.LinuxSeccompArg {
	return complement(ioctlCommandArg, 0, 0, []uint32{tiocsti, tioclinux})
}

// complement covers all numbers that agree with value in the bits of mask, but for the
// denied ones, with conditions on an argument that no two numbers share. mask holds high bits only.
func complement(arg uint, mask, value uint32, denied []uint32) []specs.LinuxSeccompArg {
	inside := slices.DeleteFunc(slices.Clone(denied), func(d uint32) bool { return d&mask != value })
	switch {
	case len(inside) == 0:
		return []specs.LinuxSeccompArg{{Index: arg, Value: uint64(mask), ValueTwo: uint64(value), Op: specs.OpMaskedEqual}}
	case mask == ^uint32(0):
		return nil
	}
	next := uint32(1) << (bits.Len32(^mask) - 1)
	return append(complement(arg, mask|next, value, inside), complement(arg, mask|next, value|next, inside)...)
}
