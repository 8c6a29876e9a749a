package vplat

import (
	"math/rand/v2"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestSockets: the families and the protocol that are denied fail whatever the upper halves of the
// registers hold, with any type of socket, and every other that the kernel has is let through.
func TestSockets(t *testing.T) {
	for _, m := range machines {
		for _, caps := range [][]string{nil, everyCapability()} {
			s := seccompProfile(m, caps)
			check := func(family, kind, protocol uint64) {
				low := uint32(family)
				want := specs.ActAllow
				switch {
				case low > familiesMask, slices.Contains(familiesDenied, low):
					want = specs.ActErrno
				case low == unix.AF_NETLINK && (uint32(protocol) == unix.NETLINK_CONNECTOR || uint32(protocol) > familiesMask):
					want = specs.ActErrno
				}
				if got := verdict(t, s, "socket", family, kind, protocol); got != want {
					t.Errorf("%s: socket(%#x, %d, %#x): %s, want %s", m.uname, family, kind, protocol, got, want)
				}
			}
			highs := []uint64{0, 1 << 32, 1 << 63, 0xffffffff << 32, 0xdeadbeef << 32}
			for family := range uint64(70) {
				for _, high := range highs {
					for _, kind := range []uint64{1, 2, 3, 5, 1 | unix.SOCK_CLOEXEC} {
						check(family|high, kind, 0)
					}
				}
			}
			for protocol := range uint64(70) {
				for _, high := range highs {
					check(unix.AF_NETLINK, 3, protocol|high)
					check(unix.AF_NETLINK|high, 2, protocol|high)
					check(unix.AF_INET, 3, protocol|high) // numbers of other families are their own
				}
			}
			r := rand.New(rand.NewPCG(5, 6))
			for range 5000 {
				check(r.Uint64(), r.Uint64(), r.Uint64())
				check(r.Uint64()&^0xffffffc0, r.Uint64(), r.Uint64()&^0xffffffc0)
			}
		}
	}
}

// TestSocketcall: where programs of 32 bits have another way, it is shut with the error that makes
// a library take the first, by a rule before all others; where it is the only way, it is open.
func TestSocketcall(t *testing.T) {
	for _, m := range machines {
		s := seccompProfile(m, everyCapability())
		want := specs.ActAllow
		if m.arch == specs.ArchX86_64 {
			want = specs.ActErrno
		}
		if got := verdict(t, s, "socketcall", 1); got != want {
			t.Errorf("%s: socketcall: %s, want %s", m.uname, got, want)
		}
		if want == specs.ActErrno && (len(s.Syscalls) == 0 || s.Syscalls[0].ErrnoRet == nil || *s.Syscalls[0].ErrnoRet != uint(unix.ENOSYS)) {
			t.Errorf("%s: the first rule is %+v", m.uname, s.Syscalls[0])
		}
	}
}
