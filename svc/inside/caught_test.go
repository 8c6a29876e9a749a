package inside

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestSignalWaitsForInit: what is sent before init listens would be lost.
func TestSignalWaitsForInit(t *testing.T) {
	looks, sent := 0, false
	p := Proof{k: &kernel{
		pidNamespace: func() (uint64, error) { return 1, nil },
		caught: func() (uint64, error) {
			if looks++; looks < 3 {
				return 1 << (uint(unix.SIGHUP) - 1), nil
			}
			return 1 << (37 - 1), nil
		},
		kill: func(pid int, sig unix.Signal) error {
			sent = pid == 1 && sig == 37 && looks == 3
			return nil
		},
	}}
	if err := p.SignalInit(37); err != nil || !sent {
		t.Errorf("%v; sent %v after %d looks", err, sent, looks)
	}
	// Without /proc nobody can tell.
	p.k.caught = func() (uint64, error) { return 0, unix.ENOENT }
	if err := p.SignalInit(unix.SIGTERM); err != nil {
		t.Error(err)
	}
}

func TestParseCaught(t *testing.T) {
	if m, err := parseCaught("Name:\tinit\nSigIgn:\t0000000000000001\nSigCgt:\tfffffffe7bfbfeff\n"); err != nil || m != 0xfffffffe7bfbfeff {
		t.Errorf("%x %v", m, err)
	}
	for _, bad := range []string{"", "SigCgt:\n", "SigCgt:\tx\n", "SigIgn:\t0\n"} {
		if m, err := parseCaught(bad); err == nil {
			t.Errorf("%q: %x", bad, m)
		}
	}
}
