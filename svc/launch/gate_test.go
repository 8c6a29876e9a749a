package launch

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/svc/method"
)

// TestGate: where no process can be born in its contract it waits behind a gate until it was moved
// there, and is the same method then. The test runs where no cgroup file system is to be seen.
func TestGate(t *testing.T) {
	r := newRig(t)
	if r == nil {
		return
	}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	text, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); strings.Contains(line, " - cgroup2 ") {
			must(t, unix.Mount("none", f[4], "tmpfs", 0, ""))
			t.Cleanup(func() { must(t, unix.Unmount(f[4], unix.MNT_DETACH)) })
		}
	}
	r.both(r.method("id -u", user("/")), "64321")
	r.both(r.method("sh -c umask", method.Context{Dir: "/"}), "0022")
	s, err := r.start(r.method("sleep 1000", method.Context{NoASLR: true}))
	must(t, err)
	st, err := r.fs.Contract(s.Contract).Status()
	if err != nil || len(st.Members) != 1 || int(st.Members[0]) != s.PID {
		t.Errorf("process %d in %+v, %v", s.PID, st, err)
	}
	must(t, unix.PidfdSendSignal(s.Pidfd, unix.SIGKILL, nil, 0))
	r.wait(s)
	must(t, r.fs.Contract(s.Contract).Abandon())
	status, said := r.run(r.method("true", method.Context{Dir: "/no/directory"}))
	if status.ExitStatus() != method.ExitConfig || !strings.Contains(said, "chdir: No such file or directory\n") {
		t.Errorf("a fault: %v %q", status, said)
	}
}
