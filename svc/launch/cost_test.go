package launch

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/method"
)

// costTimes is how often each way is measured.
const costTimes = 100

// cost tells what a start costs, beside the same command without contract and context. It fails
// nothing: a machine may be busy.
func (r *rig) cost(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	must(t, err)
	defer null.Close()
	start := func(c method.Context) func() {
		return func() {
			m := r.method("/bin/true", c)
			m.Log = null
			s, err := r.l.Start(m)
			must(t, err)
			r.wait(s)
			must(t, r.fs.Contract(s.Contract).Abandon())
		}
	}
	for _, v := range []struct {
		name string
		do   func()
	}{
		{"sh -c 'exec true', fork, exec and wait", func() {
			cmd := exec.Cmd{Path: r.l.shell, Args: shellArguments(r.l.shell, "/bin/true")}
			must(t, cmd.Run())
		}},
		{"directly, as root", start(method.Context{Dir: "/"})},
		{"directly, as a user", start(user("/"))},
		{"by order", start(method.Context{Dir: "/", Limit: &method.Privileges{All: true, Without: 1 << unix.CAP_SYS_BOOT}})},
	} {
		var times []time.Duration
		for range costTimes {
			begin := time.Now()
			v.do()
			times = append(times, time.Since(begin))
		}
		slices.Sort(times)
		t.Logf("%-40s median %v, 90%% %v", v.name, times[costTimes/2], times[costTimes*9/10])
	}
}
