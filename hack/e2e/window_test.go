package e2e

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/internal/testenv"
)

// TestNoWindow: from ready to a running zone, through all that pid 1 executes, there is no
// moment in which its namespaces are not there: who enters the zone just then would be told
// that it is gone.
func TestNoWindow(t *testing.T) {
	z := testenv.Instance(t)
	z.Sparse("a")
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for i := range rounds {
		silent(t, z, "a", "ready")
		path := fmt.Sprintf("/proc/%d/ns/ipc", z.Status("a").Init.Pid)
		stop, gaps := make(chan struct{}), make(chan int)
		go func() {
			n := 0
			for {
				f, err := os.Open(path)
				if errors.Is(err, unix.ENOENT) {
					n++
				}
				f.Close()
				select {
				case <-stop:
					gaps <- n
					return
				default:
				}
			}
		}()
		silent(t, z, "a", "boot")
		z.Must("zlogin", "a", "true")
		close(stop)
		if n := <-gaps; n > 0 {
			t.Errorf("round %d: %d times the zone's namespaces were not there", i, n)
		}
		silent(t, z, "a", "halt")
	}
}
