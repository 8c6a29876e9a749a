package inside

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// caughtLimit bounds the wait for an init that was started a moment ago. The signal is sent
	// all the same then: an init that is stuck has it pending, or never would have heard it.
	caughtLimit = 10 * time.Second
	caughtPoll  = 5 * time.Millisecond
)

// awaitCaught waits until pid 1 catches sig. The kernel drops what a pid 1 does not catch, and
// one that was started a moment ago does not yet: a request at that moment would be lost.
func (p Proof) awaitCaught(sig unix.Signal) {
	if p.k.caught == nil {
		return
	}
	limit := time.NewTimer(caughtLimit)
	defer limit.Stop()
	look := time.NewTicker(caughtPoll)
	defer look.Stop()
	for {
		mask, err := p.k.caught()
		if err != nil || mask&(1<<(uint(sig)-1)) != 0 {
			return
		}
		select {
		case <-look.C:
		case <-limit.C:
			return
		}
	}
}

// caughtByInit reads which signals pid 1 catches.
func caughtByInit() (uint64, error) {
	b, err := os.ReadFile("/proc/1/status")
	if err != nil {
		return 0, err
	}
	return parseCaught(string(b))
}

// parseCaught finds the mask in the text of proc_pid_status(5).
func parseCaught(status string) (uint64, error) {
	for line := range strings.Lines(status) {
		if hex, ok := strings.CutPrefix(line, "SigCgt:"); ok {
			return strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		}
	}
	return 0, unix.ENODATA
}
